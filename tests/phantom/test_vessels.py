"""Each planned vessel is of the class that it was planned for."""

from __future__ import annotations

import numpy as np
import pytest

from service.phantom.bodies import Ball, Capsule, Ellipsoid, Tube
from service.phantom.lesion import Lesion
from service.phantom.vessels import VesselCategory, VesselKind, classify, plan_vessel

LESION = Lesion(
    Ellipsoid((0, 0, 0), (100, 70, 80)),
    (Ball((2, 1, 0), 8),),
    (Capsule((-8, 0, 0), (8, 0, 0), 21), Capsule((-6, 9, 0), (6, 9, 0), 20)),
)
CATEGORIES = {
    VesselKind.NONE: VesselCategory.NONE,
    VesselKind.ABUTS: VesselCategory.ABUTS,
    VesselKind.GAP_2: VesselCategory.TRAVERSES,
    VesselKind.GAP_4: VesselCategory.TRAVERSES,
    VesselKind.DEAD_END: VesselCategory.TRAVERSES,
    VesselKind.BRIDGE_STRAIGHT: VesselCategory.BRIDGES,
    VesselKind.BRIDGE_OBLIQUE: VesselCategory.BRIDGES,
    VesselKind.BRIDGE_CURVED: VesselCategory.BRIDGES,
}


@pytest.mark.parametrize("kind", VesselKind)
@pytest.mark.parametrize("diameter", [2.0, 4.0, 8.0])
def test_a_planned_vessel_is_what_was_asked_for(kind: VesselKind, diameter: float) -> None:
    tube = plan_vessel(LESION, kind, diameter, np.random.default_rng(3))
    assert tube is not None
    truth = classify(LESION, tube)
    assert CATEGORIES[kind] == truth.category
    if truth.category is VesselCategory.TRAVERSES or truth.bridges:
        assert pytest.approx(diameter) == truth.diameter


@pytest.mark.parametrize(("kind", "gap"), [(VesselKind.GAP_2, 2.0), (VesselKind.GAP_4, 4.0), (VesselKind.BRIDGE_CURVED, 0.0)])
def test_the_gap_against_dense_points(kind: VesselKind, gap: float) -> None:
    """The lumen's points nearest to the tumor are as far from it as the truth says."""
    tube = plan_vessel(LESION, kind, 3.0, np.random.default_rng(5))
    assert tube is not None
    axis, _ = tube.axis(0.05)
    apart = np.linalg.norm(axis - np.array([2, 1, 0]), axis=1).min() - 8 - 1.5
    assert pytest.approx(max(0.0, float(apart)), abs=0.01) == classify(LESION, tube).gap
    assert pytest.approx(gap, abs=0.3) == classify(LESION, tube).gap


@pytest.mark.parametrize("seed", range(8))
def test_a_bridging_vessel_comes_from_well_outside(seed: int) -> None:
    """It begins 3 mm or more outside the zone, in the liver, and its lumen is connected to the tumor."""
    for kind in (VesselKind.BRIDGE_STRAIGHT, VesselKind.BRIDGE_OBLIQUE, VesselKind.BRIDGE_CURVED):
        tube = plan_vessel(LESION, kind, 3.0, np.random.default_rng(seed))
        assert tube is not None
        start, end = np.array([tube.points[0]]), np.array([tube.points[-1]])
        assert LESION.ice.distance(start)[0] > 3 + 1.5
        assert LESION.tumor_body.distance(end)[0] < 1.5
        assert LESION.liver.distance(start)[0] < 0


def test_no_vessel_fits_into_a_margin_that_is_too_thin() -> None:
    thin = Lesion(LESION.liver, (Ball((0, 0, 0), 10),), (Capsule((0, 0, 0), (0, 0, 0), 12),))
    assert plan_vessel(thin, VesselKind.GAP_4, 4.0, np.random.default_rng(0)) is None
    assert plan_vessel(thin, VesselKind.DEAD_END, 4.0, np.random.default_rng(0)) is None


def test_no_vessel_bridges_to_a_tumor_outside_the_zone() -> None:
    away = Lesion(LESION.liver, (Ball((30, 0, 0), 4),), (Capsule((0, 0, 0), (0, 0, 0), 12),))
    assert plan_vessel(away, VesselKind.BRIDGE_STRAIGHT, 3.0, np.random.default_rng(0)) is None


def test_the_length_in_the_margin() -> None:
    lesion = Lesion(LESION.liver, (Ball((0, 0, 0), 5),), (Capsule((0, 0, 0), (0, 0, 0), 15),))
    assert pytest.approx(9.0, abs=0.2) == classify(lesion, Tube(((30, 0, 0), (6, 0, 0)), 3)).in_margin


def test_without_a_tube_there_is_none() -> None:
    assert VesselCategory.NONE is classify(LESION, None).category
