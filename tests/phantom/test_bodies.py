"""A body's distance has the right sign everywhere and is never larger than the true distance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from service.phantom import bodies as b
from service.phantom.bodies import Body, Floats

ZONE = b.Union((b.Capsule((-8, 0, 0), (8, 2, 1), 9), b.Capsule((-6, 9, 3), (9, 10, 4), 8)))
BODIES: dict[str, Body] = {
    "ball": b.Ball((1, 2, 3), 7),
    "ellipsoid": b.Ellipsoid((0, 1, 0), (12, 8, 10)),
    "cylinder": b.Cylinder((1, 0), (9, 12)),
    "half space": b.HalfSpace((0, 0, 2), (0.6, 0, 0.8)),
    "capsule": b.Capsule((-5, 0, 0), (6, 3, 2), 5),
    "tube": b.Tube(((-15, 0, 0), (0, 3, 0), (12, 0, 5)), 6),
    "tapering tube": b.Tube(((-15, 0, 0), (0, 3, 0), (12, 0, 5)), 8, 3),
    "union": ZONE,
    "intersection": b.Intersection((ZONE, b.HalfSpace((0, 5, 0), (0, 1, 0)))),
    "difference": b.Difference(ZONE, b.Capsule((-20, 4, 6), (20, 4, 6), 4)),
    "grown": b.Grown(ZONE, 3),
    "everywhere": b.Everywhere(),
}


def _points(count: int) -> Floats:
    return np.random.default_rng(1).uniform(-18, 18, (count, 3))


@pytest.mark.parametrize("name", BODIES)
def test_no_other_side_within_the_distance(name: str) -> None:
    """A ball of the stated radius around a point never reaches a point on the other side of the surface."""
    body = BODIES[name]
    points, many = _points(1500), _points(250_000)
    distance, sides = body.distance(points), body.distance(many) < 0
    for inside in (True, False):
        mine = points[(distance < 0) == inside]
        if len(mine) == 0 or not (sides != inside).any():
            continue
        apart, _ = cKDTree(many[sides != inside]).query(mine)
        assert (apart >= np.abs(distance[(distance < 0) == inside]) - 1e-9).all()


@pytest.mark.parametrize("name", BODIES)
def test_bounds_hold_the_body(name: str) -> None:
    body = BODIES[name]
    low, high = (np.array(corner) for corner in body.bounds())
    points = _points(50_000)
    within = points[body.distance(points) < 0]
    assert ((within >= low) & (within <= high)).all()


def test_a_tube_is_as_wide_as_it_says() -> None:
    tube = b.Tube(((0, 0, 0), (10, 0, 0)), 4, 2)
    axis, radii = tube.axis(0.5)
    assert (radii[0], radii[-1]) == (2.0, 1.0)
    assert np.allclose(0, tube.distance(axis + np.stack([0 * radii, radii, 0 * radii], axis=-1)), atol=1e-9)


def test_a_moved_capsule_keeps_its_shape() -> None:
    capsule = b.moved(b.Capsule((0, 0, 0), (4, 0, 0), 2), np.array([1.0, 2.0, 3.0]))
    assert b.Capsule((1, 2, 3), (5, 2, 3), 2) == capsule
