"""The truth of the margin's phantoms against closed formulas; it shares nothing with the method."""

from __future__ import annotations

import numpy as np
import pytest

from service.phantom.bodies import Ball, Capsule, Ellipsoid, Everywhere, HalfSpace
from tests.validation.margin.around import contact_mm2, uncovered_ml
from tests.validation.margin.family import SHAPES, Scene, Shape, recipe
from tests.validation.margin.truth import truth_of

MINIMUM, SINGLE = 0.02, 0.1  # mm: the tolerances that truth.py states


@pytest.mark.parametrize("seed", range(4))
def test_ball_in_a_capsule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    center, radius = rng.uniform(-4, 4, 3), float(rng.uniform(3, 8))
    ice = Capsule((0, 0, -8), (0, 0, 8), 15.0)
    found = truth_of(Scene(Ball(tuple(center), radius), (ice,), None, Everywhere()))
    assert found.minimum == pytest.approx(-float(ice.distance(center[None])[0]) - radius, abs=MINIMUM)
    assert found.areas.sum() == pytest.approx(4 * np.pi * radius**2, rel=1e-3)
    assert found.tumor_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=1e-3)


def test_every_point_of_a_ball_in_a_ball() -> None:
    found = truth_of(Scene(Ball((4.0, 0, 0), 6.0), (Ball((0, 0, 0), 13.0),), None, Everywhere()))
    np.testing.assert_allclose(found.margins, 13.0 - np.linalg.norm(found.points, axis=1), atol=SINGLE)
    assert found.percentile(50) == pytest.approx(13 - np.sqrt(36 + 16), abs=0.1)


def test_ellipsoid_in_a_ball() -> None:
    """R - max |p|: the long axis points at the zone's edge."""
    found = truth_of(Scene(Ellipsoid((0, 2.0, 0), (5.0, 9.0, 6.0)), (Ball((0, 0, 0), 15.0),), None, Everywhere()))
    assert found.minimum == pytest.approx(15.0 - 11.0, abs=MINIMUM)
    np.testing.assert_allclose(found.place, [0, 11.0, 0], atol=0.5)


def test_bottom_of_a_notch() -> None:
    notch = Capsule((0, 12.0, 0), (0, 30.0, 0), 2.0)
    found = truth_of(Scene(Ball((0, 0, 0), 6.0), (Ball((0, 0, 0), 15.0),), notch, Everywhere()))
    assert found.minimum == pytest.approx(10.0 - 6.0, abs=MINIMUM)


def test_tumor_out_of_the_zone_is_negative_by_its_depth() -> None:
    found = truth_of(Scene(Ball((9.0, 0, 0), 6.0), (Ball((0, 0, 0), 12.0),), None, Everywhere()))
    assert found.minimum == pytest.approx(-3.0, abs=MINIMUM)


def test_capsule_costs_nothing() -> None:
    """The tumor is 1 mm below the capsule; the nearest untreated liver lies where the zone's edge meets it."""
    scene = Scene(Ball((0, 0, 0), 5.0), (Ball((0, 0, 0), 12.0),), None, HalfSpace((6.0, 0, 0), (1.0, 0, 0)))
    assert truth_of(scene).minimum == pytest.approx(7.0, abs=MINIMUM)


@pytest.mark.parametrize("distance", [3.0, 5.0])
def test_untreated_liver_around_a_ball_in_a_ball(distance: float) -> None:
    scene = Scene(Ball((0, 0, 0), 6.0), (Ball((0, 0, 0), 7.5),), None, Everywhere())
    shell = 4 / 3 * np.pi * ((6.0 + distance) ** 3 - 7.5**3) / 1000
    assert uncovered_ml(scene, (distance,))[0] == pytest.approx(shell, rel=0.01)


def test_tumor_that_lies_out_of_the_ice_by_half() -> None:
    scene = Scene(Ball((0, 0, 0), 6.0), (HalfSpace((0, 0, 0), (0, 0, 1.0)),), None, Everywhere())
    assert uncovered_ml(scene, (0.0,))[0] == pytest.approx(2 / 3 * np.pi * 6.0**3 / 1000, rel=0.02)


def test_capsule_that_ice_reaches_is_a_disk_or_a_cap() -> None:
    ice = (Ball((0, 0, 0), 12.0),)
    flat = Scene(Ball((0, 0, 0), 5.0), ice, None, HalfSpace((6.0, 0, 0), (1.0, 0, 0)))
    assert contact_mm2(flat) == pytest.approx(np.pi * (144 - 36), rel=0.01)
    round_liver = Scene(Ball((0, 0, 0), 5.0), ice, None, Ball((-64.0, 0, 0), 70.0))
    height = 70.0 - (64.0**2 + 70.0**2 - 12.0**2) / (2 * 64.0)  # of the cap, from where both spheres cut
    assert contact_mm2(round_liver) == pytest.approx(2 * np.pi * 70.0 * height, rel=0.01)


def test_every_shape_is_drawn_and_reproducible() -> None:
    seeds = range(4 * len(SHAPES))
    assert {recipe(seed).shape for seed in seeds} == set(Shape)
    first, again = recipe(11), recipe(11)
    assert first.scene.tumor.bounds() == again.scene.tumor.bounds()
    assert truth_of(first.scene).minimum == truth_of(again.scene).minimum


def test_notches_lie_between_tumor_and_liver_and_no_tumor_touches_one() -> None:
    for seed in (n for n in range(56) if recipe(n).shape is Shape.NOTCHED):
        scene = recipe(seed).scene
        assert scene.notch is not None
        assert truth_of(scene).minimum > 0
        assert 3.0 <= 2 * scene.notch.radius <= 7.0
