"""What is true around a phantom's tumor: untreated liver near it, and the capsule that ice reaches. By counting points.

As in truth.py, a scene only says of a point whether it is liver, ice or tumor; no grid and no mask of the method takes part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from service.phantom.bodies import Ball, Floats, HalfSpace
from tests.validation.margin.family import Scene, on_tumor, sphere
from tests.validation.margin.truth import untreated

STEP = 0.8  # mm between the points in a volume, each at a random place in its cell
ON_CAPSULE = 0.5  # mm between the points on a capsule
DENSE = 8000  # points of the tumor's surface


def uncovered_ml(scene: Scene, distances: Sequence[float], seed: int = 0) -> tuple[float, ...]:
    """Untreated liver (mL) in the tumor and within each of `distances` (mm) of it; right within 1 % or .02 mL."""
    rng = np.random.default_rng([seed, 11])
    reach = max(distances)
    low, high = (np.array(corner) for corner in scene.tumor.bounds())
    axes = [np.arange(a - reach, b + reach, STEP) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    points = cells + rng.uniform(0.0, STEP, cells.shape)
    points = points[untreated(scene, points)]
    away, _ = cKDTree(on_tumor(scene.tumor, sphere(DENSE))).query(points, distance_upper_bound=reach)
    away[scene.tumor.distance(points) < 0] = 0.0
    return tuple(float((away <= distance).sum()) * STEP**3 / 1000.0 for distance in distances)


def contact_mm2(scene: Scene) -> float | None:
    """The area (mm2) of the liver's surface that lies in the ice; None where the liver has none that is known."""
    liver = scene.liver
    if not isinstance(liver, HalfSpace | Ball):
        return None
    (low, high), center = (np.array(corner) for corner in scene.whole.bounds()), np.array(scene.tumor.center)
    reach = float(np.linalg.norm(np.array(high) - np.array(low)))
    along = np.arange(-reach, reach, ON_CAPSULE) + ON_CAPSULE / 2.0
    u, v = (part.ravel() for part in np.meshgrid(along, along))
    points, weights = _plane(liver, center, u, v) if isinstance(liver, HalfSpace) else _cap(liver, center, u, v)
    return float(weights[scene.ice.distance(points) < 0].sum()) * ON_CAPSULE**2


def _plane(liver: HalfSpace, center: Floats, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    normal = np.array(liver.normal) / np.linalg.norm(liver.normal)
    foot = center + normal * float((np.array(liver.point) - center) @ normal)
    first, second = _across(normal)
    return foot + u[:, None] * first + v[:, None] * second, np.ones(len(u))


def _cap(liver: Ball, center: Floats, u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """The part of the sphere beside the tumor; each point stands for as much more as the sphere is steep there."""
    outward = center - np.array(liver.center)
    outward /= np.linalg.norm(outward)
    first, second = _across(outward)
    on = np.hypot(u, v) < 0.9 * liver.radius
    u, v = u[on], v[on]
    height = np.sqrt(liver.radius**2 - u**2 - v**2)
    points = np.array(liver.center) + u[:, None] * first + v[:, None] * second + height[:, None] * outward
    return points, liver.radius / height


def _across(normal: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors across `normal` (3,) and each other."""
    start = np.eye(3)[int(np.argmin(np.abs(normal)))]
    first = np.cross(normal, start)
    first /= np.linalg.norm(first)
    return first, np.cross(normal, first)
