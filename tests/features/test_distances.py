"""Distances of the zone are those of the shapes, and are measured only where there is a contour."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.features import distances
from service.features.case import Case
from service.features.finding import Status
from service.phantom.bodies import Ball
from service.phantom.sample import Grid, fraction
from service.regions.region import Kind, Region
from tests.features.conftest import named

GRID = Grid((30, 70, 70), (3.0, 1.2, 1.2)).empty()


def of(kind: Kind, ball: Ball) -> Region:
    return Region(kind, fraction(ball, GRID), "truth")


def case_with(wide: Case, *, liver: Ball | None, gallbladder: Ball | None = None) -> Case:
    """A zone of 10 mm radius in the middle."""
    return replace(
        wide,
        zone=of(Kind.ABLATION_ZONE, Ball((0, 0, 0), 10)),
        liver=None if liver is None else of(Kind.LIVER, liver),
        gallbladder=None if gallbladder is None else of(Kind.GALLBLADDER, gallbladder),
    )


def test_distance_to_the_capsule(wide: Case) -> None:
    found = named(distances.measure(case_with(wide, liver=Ball((5, 0, 0), 30))))["zone_to_capsule"]
    assert found.value == pytest.approx(15.0, abs=0.8)


@pytest.mark.parametrize(("center", "true"), [((0.0, 25.0, 0.0), 7.0), ((0.0, 14.0, 0.0), 0.0)])
def test_distance_to_the_gallbladder(wide: Case, center: tuple[float, float, float], true: float) -> None:
    found = named(distances.measure(case_with(wide, liver=None, gallbladder=Ball(center, 8))))["zone_to_gallbladder"]
    assert found.value == pytest.approx(true, abs=0.8)


def test_without_a_contour_there_is_a_reason_and_no_number(wide: Case) -> None:
    for found in distances.measure(case_with(wide, liver=None)):
        assert found.status is Status.NOT_ASSESSABLE
        assert found.reason is not None
        assert "no contour" in found.reason.sentence


def test_a_liver_that_fills_the_volume_has_no_capsule_to_measure_to(wide: Case) -> None:
    found = named(distances.measure(case_with(wide, liver=Ball((0, 0, 0), 200))))["zone_to_capsule"]
    assert found.status is Status.NOT_ASSESSABLE
