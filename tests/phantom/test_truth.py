"""The truth, found twice: by formula or ray, and by points laid densely on every surface.

The dense points are at most .25 mm apart, so a distance found with them is right within about .01 mm for smooth surfaces
and, at a crease or where liver and zone meet, within .05 mm; the largest difference seen in 40 lesions was .036 mm.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial import cKDTree

from service.phantom.bodies import Ball, Capsule, Ellipsoid, Everywhere, Floats, HalfSpace
from service.phantom.lesion import Lesion, exact, nearest
from service.phantom.recipe import Wish, random_recipe, with_dent
from service.phantom.truth import measure_truth, minimum_margin, sphere
from service.phantom.vessels import VesselCategory, VesselKind, VesselTruth

TOLERANCE = 0.05
LIVER = Ellipsoid((0, 0, 0), (100, 70, 80))


def _shell(capsule: Capsule, step: float = 0.2) -> Floats:
    """Points on a capsule, at most `step` mm apart."""
    start, end = np.array(capsule.start), np.array(capsule.end)
    height = np.linalg.norm(end - start)
    ball = capsule.radius * sphere(int(4 * np.pi * capsule.radius**2 / (0.8 * step**2)))
    axis = (end - start) / max(height, 1e-9)
    across = np.linalg.svd(axis[None])[2][1:]
    turns = np.arange(0, 2 * np.pi, step / capsule.radius)
    ring = capsule.radius * (np.cos(turns)[:, None] * across[0] + np.sin(turns)[:, None] * across[1])
    side = (start + np.arange(0, height, step)[:, None] * axis)[:, None] + ring
    return np.concatenate([start + ball, end + ball, side.reshape(-1, 3)])


def _untreated_surface(lesion: Lesion) -> Floats:
    """Points where untreated liver ends at the zone or at the dent."""
    points = [_shell(capsule) for capsule in lesion.capsules] + ([_shell(lesion.dent)] if lesion.dent else [])
    every = np.concatenate(points)
    on_ice = np.abs(lesion.ice.distance(every)) < 1e-6
    return every[on_ice & (lesion.liver.distance(every) < 0)]


def _dense_margin(lesion: Lesion) -> float:
    """The margin from dense points alone."""
    surface = _untreated_surface(lesion)
    tumor = np.concatenate([_tumor_surface(part) for part in lesion.tumor])
    tumor = tumor[lesion.tumor_body.distance(tumor) > -1e-6]
    outside = tumor[lesion.untreated(tumor)]
    if len(outside):
        return float(-cKDTree(np.concatenate([surface, _liver_surface(lesion)])).query(outside)[0].max())
    return float(min(exact(part, surface).min() for part in lesion.tumor))


def _liver_surface(lesion: Lesion) -> Floats:
    """Points of the liver's surface within 30 mm of the tumor."""
    center = np.array(lesion.tumor[0].center)
    if isinstance(lesion.liver, Ellipsoid):
        points = _tumor_surface(lesion.liver, 1_000_000)
        return np.asarray(points[np.linalg.norm(points - center, axis=1) < 30])
    assert isinstance(lesion.liver, HalfSpace)
    across = np.linalg.svd(np.array([lesion.liver.normal]))[2][1:]
    steps = np.stack(np.meshgrid(*[np.arange(-30, 30, 0.25)] * 2), axis=-1).reshape(-1, 2)
    foot = center - lesion.liver.distance(center) * np.array(lesion.liver.normal)
    return np.asarray(foot + steps @ across)


def _tumor_surface(part: Ball | Ellipsoid, count: int = 40_000) -> Floats:
    axes = np.full(3, part.radius) if isinstance(part, Ball) else np.array(part.half_axes)
    return np.array(part.center) + axes * sphere(count)


@pytest.mark.parametrize(("radius", "offset"), [(5.0, 3.0), (8.0, 6.0), (10.0, 5.5), (6.0, 12.0), (4.0, 20.0)])
def test_one_capsule_has_a_closed_form(radius: float, offset: float) -> None:
    """R - r - dist(center, segment), also where tumor is outside."""
    capsule = Capsule((-10, 0, 0), (10, 0, 0), 15)
    direction = np.array([0.0, 0.6, 0.8])
    center = np.array([4.0, 0, 0]) + offset * direction
    margin = minimum_margin(Lesion(LIVER, (Ball(tuple(center), radius),), (capsule,)))
    assert pytest.approx(15 - radius - offset, abs=2e-3) == margin.value
    assert np.allclose(center + radius * direction, margin.place, atol=0.2)


def test_an_ellipsoid_in_a_ball() -> None:
    """R - max |p - center| over the ellipsoid."""
    ball, tumor = Capsule((0, 0, 0), (0, 0, 0), 20), Ellipsoid((3, 1, 0), (9, 6, 7))
    farthest = np.linalg.norm(_tumor_surface(tumor), axis=1).max()
    assert pytest.approx(20 - farthest, abs=5e-3) == minimum_margin(Lesion(LIVER, (tumor,), (ball,))).value


def test_a_crease_between_two_capsules() -> None:
    """The notch between two balls is the nearest untreated liver."""
    balls = (Capsule((-8, 0, 0), (-8, 0, 0), 12), Capsule((8, 0, 0), (8, 0, 0), 12))
    notch = np.sqrt(12**2 - 8**2)
    margin = minimum_margin(Lesion(LIVER, (Ball((0, 0, 0), 4),), balls))
    assert pytest.approx(notch - 4, abs=5e-3) == margin.value
    assert pytest.approx(0, abs=0.05) == margin.opposite[0]


def test_the_capsule_of_the_liver_costs_nothing() -> None:
    """A tumor 1 mm below the liver's surface has the margin that it has to the other sides."""
    liver = HalfSpace((10, 0, 0), (1, 0, 0))
    lesion = Lesion(liver, (Ball((4, 0, 0), 5),), (Capsule((0, 0, 0), (0, 0, 0), 14),))
    assert 14 - 5 - 4 == 5
    margin = minimum_margin(lesion)
    along_surface = np.hypot(10 - 4, np.sqrt(14**2 - 10**2)) - 5
    assert pytest.approx(along_surface, abs=5e-3) == margin.value
    assert margin.value > 5.5


def test_a_dent_reaches_deeper_than_the_zone() -> None:
    capsule = Capsule((0, 0, 0), (0, 0, 0), 20)
    dent = Capsule((-40, 12, 0), (40, 12, 0), 3)
    assert pytest.approx(12 - 3 - 5, abs=5e-3) == minimum_margin(Lesion(LIVER, (Ball((0, 0, 0), 5),), (capsule,), dent)).value


@pytest.mark.parametrize("seed", range(12))
def test_random_lesions_against_dense_points(seed: int) -> None:
    """Ball, ellipsoid, lobulated; one to three capsules; in the liver's depth, at a flat surface, with a dent."""
    wish = Wish("clinical", vessel=VesselKind.GAP_4 if seed % 4 == 3 else VesselKind.NONE, subcapsular=seed % 4 == 2)
    recipe = random_recipe(seed, wish=wish if seed % 4 != 3 else Wish("clinical", VesselKind.GAP_4, margin=5.0))
    lesion = with_dent(recipe, 2.0).lesion if seed % 4 == 3 else recipe.lesion
    assert pytest.approx(_dense_margin(lesion), abs=TOLERANCE) == minimum_margin(lesion).value


@pytest.mark.parametrize("seed", range(12))
def test_the_places_lie_on_both_surfaces(seed: int) -> None:
    """The place is on the tumor, its opposite on untreated liver, and they are the margin apart."""
    lesion = random_recipe(seed, wish=Wish("clinical", VesselKind.NONE, margin=4.0)).lesion
    margin = minimum_margin(lesion)
    place, opposite = np.array([margin.place]), np.array([margin.opposite])
    assert pytest.approx(0, abs=1e-4) == min(abs(float(exact(part, place)[0])) for part in lesion.tumor)
    assert pytest.approx(0, abs=1e-3) == float(lesion.ice.distance(opposite)[0])
    assert pytest.approx(margin.value, abs=1e-4) == float(np.linalg.norm(place - opposite))


def test_what_no_formula_covers_is_refused() -> None:
    lesion = Lesion(LIVER, (Ball((0, 0, 12), 5),), (Capsule((0, 0, 0), (0, 0, 0), 14),), Capsule((-9, 0, 0), (9, 0, 0), 2))
    with pytest.raises(ValueError, match="without dent"):
        minimum_margin(lesion)


def test_the_nearest_point_of_an_ellipsoid() -> None:
    """On the surface, and as near as the nearest of many."""
    body = Ellipsoid((1, 2, 3), (9, 6, 7.5))
    points = np.array(list(itertools.product((-12.0, 0.9, 5.0), (-8.0, 2.1, 7.0), (-5.0, 3.2, 14.0))))
    apart, _ = cKDTree(_tumor_surface(body)).query(points)
    assert np.allclose(0, body.distance(nearest(body, points)), atol=1e-6)
    assert np.allclose(apart, np.abs(exact(body, points)), atol=0.01)


def test_volumes_and_enhancement() -> None:
    capsule, tumor = Capsule((-10, 0, 0), (10, 0, 0), 12), Ball((0, 10, 0), 6)
    truth = measure_truth(Lesion(LIVER, (tumor,), (capsule,)), VesselTruth(VesselCategory.NONE), 0.27)
    points = np.random.default_rng(0).uniform(-6, 6, (400_000, 3)) + np.array(tumor.center)
    outside = (tumor.distance(points) < 0) & (capsule.distance(points) > 0)
    assert pytest.approx((np.pi * 144 * 20 + 4 / 3 * np.pi * 1728) / 1000, rel=1e-3) == truth.zone_ml
    assert pytest.approx(4 / 3 * np.pi * 0.216) == truth.tumor_ml
    assert pytest.approx(outside.mean() * 1.728, rel=0.03) == truth.uncovered_ml
    assert pytest.approx(4 / 3 * np.pi * 560) == truth.liver_ml
    assert pytest.approx(27.0) == truth.enhancement
    assert truth.enhancing


def test_a_liver_without_surface_has_no_volume() -> None:
    lesion = Lesion(Everywhere(), (Ball((0, 0, 0), 6), Ball((4, 0, 0), 5)), (Capsule((0, 0, 0), (0, 0, 0), 14),))
    truth = measure_truth(lesion, VesselTruth(VesselCategory.NONE), 0.0)
    assert truth.liver_ml is None
    assert not truth.enhancing
    assert pytest.approx(5.0, abs=5e-3) == truth.minimum_margin
