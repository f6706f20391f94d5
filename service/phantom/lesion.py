"""One treated tumor: the shapes from which every truth follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.phantom.bodies import Ball, Body, Capsule, Difference, Ellipsoid, Floats, Intersection, Union, length

BISECTIONS = 60
ALONG = np.arange(0.0, 60.0, 0.2)
"""Where a ray that has left the zone is looked at when the liver is not convex, mm."""


@dataclass(frozen=True, slots=True)
class Lesion:
    """A tumor (union of convex parts inside the liver), its ablation zone (union of capsules) and the liver.

    `dent` is where a vessel kept the zone warm: it belongs to untreated liver, and lies wholly in the liver.
    `convex_liver` says whether a ray that has left the liver can come back into it.
    """

    liver: Body
    tumor: tuple[Ball | Ellipsoid, ...]
    capsules: tuple[Capsule, ...]
    dent: Capsule | None = None
    convex_liver: bool = True

    @property
    def tumor_body(self) -> Body:
        """All parts of the tumor."""
        return Union(self.tumor)

    @property
    def ice(self) -> Body:
        """The zone as if there were liver everywhere."""
        whole = Union(self.capsules)
        return whole if self.dent is None else Difference(whole, self.dent)

    @property
    def zone_body(self) -> Body:
        """The zone as a reader draws it: it ends at the liver's surface."""
        return Intersection((self.ice, self.liver))

    def untreated(self, points: Floats) -> NDArray[np.bool_]:
        """Whether each point (..., 3) lies in liver that was not ablated."""
        return np.asarray((self.liver.distance(points) < 0) & (self.ice.distance(points) > 0))

    def first_untreated(self, origin: Floats, directions: Floats) -> Floats:
        """How far (n,) untreated liver is from `origin` in unit `directions` (n, 3), mm; inf when there is none.

        `origin` must lie in the zone and in the liver.
        """
        away = self._leave(origin, directions)
        if self.convex_liver:
            exits = origin + (away + 1e-6)[:, None] * directions
            return np.where(self.liver.distance(exits) < 0, away, np.inf)
        steps = away[:, None] + 1e-6 + ALONG
        hit = self.untreated(origin + steps[..., None] * directions[:, None])
        return np.where(hit.any(axis=1), steps[np.arange(len(steps)), hit.argmax(axis=1)], np.inf)

    def _leave(self, origin: Floats, directions: Floats) -> Floats:
        spans = [capsule_span(capsule, origin, directions) for capsule in self.capsules]
        away = np.zeros(len(directions))
        for _ in spans:
            for enter, leave in spans:
                away = np.where((enter <= away + 1e-9) & (leave > away), leave, away)
        if self.dent is None:
            return away
        enter, leave = capsule_span(self.dent, origin, directions)
        return np.where(leave > 0, np.minimum(away, np.maximum(enter, 0.0)), away)


def capsule_span(capsule: Capsule, origin: Floats, directions: Floats) -> tuple[Floats, Floats]:
    """Where rays from `origin` along unit `directions` (n, 3) enter and leave a capsule, mm; (inf, -inf) when they miss.

    >>> span = capsule_span(Capsule((0, 0, 0), (10, 0, 0), 2), np.array([-5.0, 0, 0]), np.array([[1.0, 0, 0]]))
    >>> [float(end[0]) for end in span]
    [3.0, 17.0]
    """
    start, end = np.array(capsule.start), np.array(capsule.end)
    spans = [_ball_span(start, capsule.radius, origin, directions), _ball_span(end, capsule.radius, origin, directions)]
    height = float(np.linalg.norm(end - start))
    if height > 1e-9:
        spans.append(_cylinder_span((end - start) / height, height, capsule.radius, origin - start, directions))
    return np.min([span[0] for span in spans], axis=0), np.max([span[1] for span in spans], axis=0)


def _ball_span(center: Floats, radius: float, origin: Floats, directions: Floats) -> tuple[Floats, Floats]:
    relative = origin - center
    return _roots(np.ones(len(directions)), directions @ relative, float(relative @ relative) - radius**2)


def _cylinder_span(axis: Floats, height: float, radius: float, relative: Floats, directions: Floats) -> tuple[Floats, Floats]:
    along, begin = directions @ axis, float(relative @ axis)
    across, beside = directions - along[:, None] * axis, relative - begin * axis
    enter, leave = _roots(np.einsum("ni,ni->n", across, across), across @ beside, float(beside @ beside) - radius**2)
    steep = np.where(np.abs(along) < 1e-12, 1e-12, along)
    caps = np.sort(np.stack([-begin / steep, (height - begin) / steep]), axis=0)
    enter, leave = np.maximum(enter, caps[0]), np.minimum(leave, caps[1])
    return np.where(enter <= leave, enter, np.inf), np.where(enter <= leave, leave, -np.inf)


def _roots(a: Floats, half_b: Floats, c: float) -> tuple[Floats, Floats]:
    """Both solutions of a t^2 + 2 half_b t + c = 0, or (inf, -inf)."""
    square = half_b**2 - a * c
    root, safe = np.sqrt(np.maximum(square, 0.0)), np.maximum(a, 1e-12)
    return np.where(square >= 0, (-half_b - root) / safe, np.inf), np.where(square >= 0, (-half_b + root) / safe, -np.inf)


def exact(part: Body, points: Floats) -> Floats:
    """The true signed distance (n,) of points (n, 3) to a part; for an ellipsoid by its nearest point."""
    if not isinstance(part, Ellipsoid):
        return part.distance(points)
    return np.copysign(length(points - nearest(part, points)), part.distance(points))


def nearest(part: Ball | Ellipsoid, points: Floats) -> Floats:
    """The nearest point (n, 3) on the surface of a part to each of `points` (n, 3).

    Source: Eberly, "Distance from a point to an ellipse, an ellipsoid, or a hyperellipsoid" (2013), by bisection.
    """
    axes = np.full(3, part.radius) if isinstance(part, Ball) else np.array(part.half_axes)
    relative = points - np.array(part.center)
    size = np.maximum(np.abs(relative), 1e-9)
    low = -(axes.min() ** 2) + axes.min() * size[:, int(axes.argmin())]
    high = -(axes.min() ** 2) + length(axes * size)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        outside = np.sum((axes * size / (middle[:, None] + axes**2)) ** 2, axis=1) > 1
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    closest = axes**2 * size / (high[:, None] + axes**2)
    return np.asarray(np.copysign(closest, relative) + np.array(part.center), dtype=np.float64)
