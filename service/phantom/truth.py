"""What the right answers are, from the shapes alone.

The margin is the smallest signed distance from the tumor's surface to untreated liver (liver minus zone): how far the
nearest untreated liver is, or, where tumor lies outside the zone, minus the depth of its deepest surface point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from service.phantom.bodies import Ball, Difference, Ellipsoid, Everywhere, Floats, Union
from service.phantom.lesion import Lesion, exact, nearest
from service.phantom.sample import volume_ml
from service.phantom.vessels import VesselTruth
from service.study.model import Vector

DIRECTIONS = 8000
STARTS = 12
ROUNDS = 10
ENHANCING_PERCENT = 20.0
"""What counts as enhancing, %; our assumption, as in the measurement."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The minimum ablation margin, mm, and where it is, LPS mm.

    `place` is on the tumor's surface, `opposite` where untreated liver begins; both are one when the margin is negative.
    """

    value: float
    place: Vector
    opposite: Vector


@dataclass(frozen=True, slots=True)
class Truth:
    """What a perfect reader would report.

    `uncovered_ml` is tumor outside the zone. `enhancement` is 100 (post - pre)/pre of the tumor, %, the same in all phases
    after contrast. `liver_ml` is None where the liver has no analytic shape.
    """

    margin: Margin
    tumor_ml: float
    zone_ml: float
    uncovered_ml: float
    liver_ml: float | None
    vessel: VesselTruth
    enhancement: float

    @property
    def minimum_margin(self) -> float:
        """The minimum ablation margin, mm."""
        return self.margin.value

    @property
    def enhancing(self) -> bool:
        """Whether the tumor takes up contrast."""
        return self.enhancement >= ENHANCING_PERCENT


def minimum_margin(lesion: Lesion) -> Margin:
    """The minimum ablation margin within .01 mm.

    Raises:
        ValueError: The tumor leaves a zone that has a dent, or a liver without analytic shape: no formula covers that.
    """
    covered = not lesion.untreated(np.array([part.center for part in lesion.tumor])).any()
    margins = [_clearance(lesion, part) for part in lesion.tumor] if covered else []
    if margins and all(margin.value > 0 for margin in margins):
        return min(margins, key=lambda margin: margin.value)
    if lesion.dent is not None or not lesion.convex_liver:
        raise ValueError("a margin below zero needs a zone without dent and a convex liver")
    return min((_excess(lesion, part) for part in lesion.tumor), key=lambda margin: margin.value)


def _clearance(lesion: Lesion, part: Ball | Ellipsoid) -> Margin:
    """How near untreated liver comes to a part: a convex part is nearest to a point that its center sees."""
    center = np.array(part.center)

    def seen(directions: Floats) -> tuple[Floats, Floats]:
        away = lesion.first_untreated(center, directions)
        points = center + np.where(np.isfinite(away), away, 1e3)[:, None] * directions
        return exact(part, points), points

    value, point = smallest(seen)
    return Margin(value, _vector(nearest(part, point[None])[0]), _vector(point))


def _excess(lesion: Lesion, part: Ball | Ellipsoid) -> Margin:
    """How deep the surface of a part lies in untreated liver, negative."""
    axes = np.full(3, part.radius) if isinstance(part, Ball) else np.array(part.half_axes)
    others = [other for other in lesion.tumor if other is not part]

    def sunk(directions: Floats) -> tuple[Floats, Floats]:
        points = np.array(part.center) + axes * directions
        depth = np.maximum(Union(lesion.capsules).distance(points), 0.0)
        for other in others:
            depth[other.distance(points) < 0] = 0.0
        out = depth > 0
        depth[out] = np.clip(-exact(lesion.liver, points[out]), 0.0, depth[out])
        return -depth, points

    value, point = smallest(sunk)
    return Margin(value, _vector(point), _vector(point))


def smallest(value_at: Callable[[Floats], tuple[Floats, Floats]]) -> tuple[float, Floats]:
    """The smallest value over all unit directions, and its point: a dense sweep, then ever finer ones around the best.

    `value_at` maps directions (n, 3) to values (n,) and points (n, 3). It may have creases, so no gradient is used.
    """
    directions = sphere(DIRECTIONS)
    values, points = value_at(directions)
    best = _apart(directions, values)
    values, points, directions = values[best], points[best], directions[best]
    spread = 0.06
    for _ in range(ROUNDS):
        near = directions[:, None] + spread * np.concatenate([np.zeros((1, 3)), sphere(80)])
        near /= np.linalg.norm(near, axis=-1, keepdims=True)
        found, places = (array.reshape(len(near), 81, *array.shape[1:]) for array in value_at(near.reshape(-1, 3)))
        first = np.arange(len(near)), found.argmin(axis=1)
        values, points, directions = found[first], places[first], near[first]
        spread *= 0.45
    return float(values.min()), points[int(values.argmin())]


def _apart(directions: Floats, values: Floats) -> list[int]:
    """The best directions that are 6 degrees or more from each other."""
    chosen: list[int] = []
    for n in np.argsort(values)[:600]:
        if all(directions[n] @ directions[m] < 0.995 for m in chosen):
            chosen.append(int(n))
        if len(chosen) == STARTS:
            break
    return chosen


def sphere(count: int) -> Floats:
    """`count` unit vectors (count, 3) spread evenly (Fibonacci lattice)."""
    n = np.arange(count) + 0.5
    height, turn = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    across = np.sqrt(1 - height**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), height], axis=-1)


def measure_truth(lesion: Lesion, vessel: VesselTruth, enhancement: float) -> Truth:
    """All right answers for a lesion, its vessel and the tumor's enhancement (fraction of its signal before contrast)."""
    margin = minimum_margin(lesion)
    return Truth(
        margin=margin,
        tumor_ml=_tumor_ml(lesion),
        zone_ml=volume_ml(lesion.zone_body, 1.5),
        uncovered_ml=volume_ml(Difference(lesion.tumor_body, lesion.ice)) if margin.value < 0 else 0.0,
        liver_ml=_liver_ml(lesion),
        vessel=vessel,
        enhancement=100.0 * enhancement,
    )


def _tumor_ml(lesion: Lesion) -> float:
    if len(lesion.tumor) > 1:
        return volume_ml(lesion.tumor_body)
    part = lesion.tumor[0]
    axes = (part.radius,) * 3 if isinstance(part, Ball) else part.half_axes
    return float(4 / 3 * np.pi * np.prod(axes)) / 1000.0


def _liver_ml(lesion: Lesion) -> float | None:
    if not isinstance(lesion.liver, Ellipsoid) or isinstance(lesion.liver, Everywhere):
        return None
    return float(4 / 3 * np.pi * np.prod(lesion.liver.half_axes)) / 1000.0


def _vector(values: Floats) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
