"""Shapes in the patient: LPS mm, free of any grid.

Each body has `distance(points)`: negative inside, positive outside, 0 on the surface. Its sign is exact; its magnitude is
exact for balls, capsules and half spaces and otherwise never larger than the true one, so that it tells safely which
voxels a surface cannot reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.study.model import Vector

Floats = NDArray[np.float64]
Box = tuple[Vector, Vector]
INFINITE: Box = ((-1e4, -1e4, -1e4), (1e4, 1e4, 1e4))


class Body(Protocol):
    """Something that is in the patient."""

    def distance(self, points: Floats) -> Floats:
        """Signed distance (...) of LPS points (..., 3), mm; negative inside."""
        ...

    def bounds(self) -> Box:
        """Lowest and highest corner of a box that holds the body, LPS mm."""
        ...


@dataclass(frozen=True, slots=True)
class Everywhere:
    """A body without a surface: the liver of a case that lies wholly inside real liver."""

    def distance(self, points: Floats) -> Floats:
        """Deep inside, wherever."""
        return np.full(points.shape[:-1], -1e4)

    def bounds(self) -> Box:
        """No limits."""
        return INFINITE


@dataclass(frozen=True, slots=True)
class Ball:
    """A ball of `radius` mm."""

    center: Vector
    radius: float

    def distance(self, points: Floats) -> Floats:
        """Exact.

        >>> Ball((0, 0, 0), 5).distance(np.array([[7.0, 0, 0], [0, 4, 0]])).tolist()
        [2.0, -1.0]
        """
        return away(points, self.center) - self.radius

    def bounds(self) -> Box:
        """Center plus and minus the radius."""
        return _box(np.array([self.center]), self.radius)


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An ellipsoid with half axes along x, y, z (mm)."""

    center: Vector
    half_axes: Vector

    def distance(self, points: Floats) -> Floats:
        """Exact sign; the magnitude is a lower bound.

        >>> Ellipsoid((0, 0, 0), (8, 8, 16)).distance(np.array([[12.0, 0, 0], [0, 0, 20]])).tolist()
        [4.0, 2.0]
        """
        return (away(points, self.center, self.half_axes) - 1.0) * min(self.half_axes)

    def bounds(self) -> Box:
        """Center plus and minus the half axes."""
        return _box(np.array([self.center]), np.array(self.half_axes))


@dataclass(frozen=True, slots=True)
class Cylinder:
    """An elliptical cylinder along z without ends: a torso, an aorta."""

    center: tuple[float, float]
    half_axes: tuple[float, float]

    def distance(self, points: Floats) -> Floats:
        """Exact sign; the magnitude is a lower bound."""
        return (away(points, self.center, self.half_axes) - 1.0) * min(self.half_axes)

    def bounds(self) -> Box:
        """Open along z."""
        (x, y), (a, b) = self.center, self.half_axes
        return (x - a, y - b, -1e4), (x + a, y + b, 1e4)


@dataclass(frozen=True, slots=True)
class HalfSpace:
    """All points p with (p - point) . normal <= 0; `normal` is a unit vector that points out of the body."""

    point: Vector
    normal: Vector

    def distance(self, points: Floats) -> Floats:
        """Exact.

        >>> HalfSpace((0, 0, 3), (0, 0, 1)).distance(np.array([[9.0, 9, 5]])).tolist()
        [2.0]
        """
        return np.asarray((points - np.array(self.point)) @ np.array(self.normal), dtype=np.float64)

    def bounds(self) -> Box:
        """No limits."""
        return INFINITE


@dataclass(frozen=True, slots=True)
class Capsule:
    """All points within `radius` mm of the segment from `start` to `end`: the shape of one cryoprobe's ice."""

    start: Vector
    end: Vector
    radius: float

    def distance(self, points: Floats) -> Floats:
        """Exact.

        >>> Capsule((0, 0, 0), (10, 0, 0), 3).distance(np.array([[5.0, 5, 0], [12, 0, 0]])).tolist()
        [2.0, -1.0]
        """
        return to_segment(points, self.start, self.end)[0] - self.radius

    def bounds(self) -> Box:
        """Both ends plus and minus the radius."""
        return _box(np.array([self.start, self.end]), self.radius)


@dataclass(frozen=True, slots=True)
class Tube:
    """A vessel: a path through `points` with a lumen of `diameter` mm, which tapers linearly to `end_diameter`."""

    points: tuple[Vector, ...]
    diameter: float
    end_diameter: float | None = None

    def radii(self) -> Floats:
        """Lumen radius at each point of the path, mm."""
        last = self.diameter if self.end_diameter is None else self.end_diameter
        steps = length(np.diff(np.array(self.points), axis=0))
        along = np.concatenate([[0.0], np.cumsum(steps)]) / max(float(steps.sum()), 1e-9)
        return np.asarray(0.5 * (self.diameter + (last - self.diameter) * along), dtype=np.float64)

    def distance(self, points: Floats) -> Floats:
        """Exact outside a tube that does not taper; otherwise the sign is exact and the magnitude a lower bound."""
        radii = self.radii()
        nearest = np.full(points.shape[:-1], np.inf)
        for n, (start, end) in enumerate(zip(self.points, self.points[1:], strict=False)):
            away, along = to_segment(points, start, end)
            nearest = np.minimum(nearest, away - (radii[n] + along * (radii[n + 1] - radii[n])))
        return nearest if self.end_diameter is None else 0.9 * nearest

    def bounds(self) -> Box:
        """The path plus and minus the widest radius."""
        return _box(np.array(self.points), float(self.radii().max()))

    def axis(self, step: float = 0.1) -> tuple[Floats, Floats]:
        """Points (n, 3) on the path every `step` mm or less, and the lumen radius there (n,)."""
        points, radii = np.array(self.points), self.radii()
        lengths = np.concatenate([[0.0], np.cumsum(length(np.diff(points, axis=0)))])
        at = np.linspace(0.0, lengths[-1], int(lengths[-1] / step) + 2)
        path = np.stack([np.interp(at, lengths, points[:, axis]) for axis in range(3)], axis=-1)
        return path, np.interp(at, lengths, radii)


@dataclass(frozen=True, slots=True)
class Union:
    """All points that are in one body at least; the distance is exact outside when the parts' are."""

    parts: tuple[Body, ...]

    def distance(self, points: Floats) -> Floats:
        """The smallest of the parts."""
        return np.min([part.distance(points) for part in self.parts], axis=0)  # type: ignore[no-any-return]

    def bounds(self) -> Box:
        """The box around all boxes."""
        corners = np.array([part.bounds() for part in self.parts])
        return _vector(corners[:, 0].min(axis=0)), _vector(corners[:, 1].max(axis=0))


@dataclass(frozen=True, slots=True)
class Intersection:
    """All points that are in every body."""

    parts: tuple[Body, ...]

    def distance(self, points: Floats) -> Floats:
        """The largest of the parts."""
        return np.max([part.distance(points) for part in self.parts], axis=0)  # type: ignore[no-any-return]

    def bounds(self) -> Box:
        """What all boxes share."""
        corners = np.array([part.bounds() for part in self.parts])
        return _vector(corners[:, 0].max(axis=0)), _vector(corners[:, 1].min(axis=0))


@dataclass(frozen=True, slots=True)
class Difference:
    """All points of `body` that are not in `hole`."""

    body: Body
    hole: Body

    def distance(self, points: Floats) -> Floats:
        """Inside the body and outside the hole."""
        return np.maximum(self.body.distance(points), -self.hole.distance(points))

    def bounds(self) -> Box:
        """The body's."""
        return self.body.bounds()


@dataclass(frozen=True, slots=True)
class Grown:
    """`body` with `by` mm more on every side (exact where the body's distance is)."""

    body: Body
    by: float

    def distance(self, points: Floats) -> Floats:
        """The body's, less the growth."""
        return self.body.distance(points) - self.by

    def bounds(self) -> Box:
        """The body's box, wider by the growth."""
        return _box(np.array(self.body.bounds()), self.by)


def length(vectors: Floats) -> Floats:
    """Euclidean length (...) of vectors (..., n)."""
    return away(vectors, (0.0,) * vectors.shape[-1])


def away(points: Floats, center: Sequence[float], units: Sequence[float] = ()) -> Floats:
    """How far (...) points (..., 3) are from `center` (n), along its axes alone, each in `units` where some are given.

    Coordinate by coordinate: what is done for each triple takes four times as long.
    """
    square = np.zeros(points.shape[:-1])
    for axis, middle in enumerate(center):
        part = points[..., axis] - middle
        if units:
            part = part / units[axis]
        square += part * part
    return np.asarray(np.sqrt(square, out=square))


def to_segment(points: Floats, start: Vector, end: Vector) -> tuple[Floats, Floats]:
    """Distance (...) of points (..., 3) to a segment, mm, and where along it (0 at `start`, 1 at `end`)."""
    axis = [b - a for a, b in zip(start, end, strict=True)]
    apart = [points[..., n] - first for n, first in enumerate(start)]
    along = sum(part * step for part, step in zip(apart, axis, strict=True)) / max(sum(step * step for step in axis), 1e-12)
    along = np.clip(along, 0.0, 1.0)
    square = np.zeros(along.shape)
    for part, step in zip(apart, axis, strict=True):
        left = part - along * step
        square += left * left
    return np.sqrt(square, out=square), along


def moved(body: Capsule, by: Floats) -> Capsule:
    """The same capsule elsewhere; `by` is a displacement (3,), mm."""
    return Capsule(_vector(np.array(body.start) + by), _vector(np.array(body.end) + by), body.radius)


def _box(points: Floats, by: float | Floats) -> Box:
    return _vector(points.min(axis=0) - by), _vector(points.max(axis=0) + by)


def _vector(values: Floats) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
