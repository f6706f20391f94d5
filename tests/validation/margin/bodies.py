"""Bodies of the margin's phantoms that have no closed distance: lobulated ones, and ones as a reader draws them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.phantom.bodies import Ball, Body, Box, Capsule, Difference, Floats, HalfSpace, Intersection, Union, length
from service.study.model import Vector

WAVES = 24
PROBE = 0.02  # mm


@dataclass(frozen=True, slots=True, eq=False)
class Star:
    """A lobulated body: all points that lie nearer to `center` than `radius(direction)`.

    The radius is `mean` mm, times 1 plus bumps: `heights` (n,) of `towards` (n, 3), unit vectors, each as wide as a
    direction cosine of 1 - 1 / `sharpness`.
    """

    center: Vector
    mean: float
    towards: Floats
    heights: Floats
    sharpness: float = 6.0

    def radius(self, directions: Floats) -> Floats:
        """How far (...) the surface is in unit `directions` (..., 3), mm."""
        bumps = np.exp(self.sharpness * (directions @ self.towards.T - 1.0)) @ self.heights
        return np.asarray(self.mean * (1.0 + bumps), dtype=np.float64)

    def distance(self, points: Floats) -> Floats:
        """Exact sign; the magnitude is not larger than the true one."""
        relative = points - np.array(self.center)
        away = length(relative)
        directions = relative / np.maximum(away, 1e-9)[..., None]
        return (away - self.radius(directions)) * self._flattest

    @property
    def _flattest(self) -> float:
        """How much nearer than along the ray the surface may be: from the steepest that its radius can change."""
        steepest = float(np.abs(self.heights).sum()) * np.sqrt(self.sharpness)
        return float(1.0 / np.sqrt(1.0 + steepest**2))

    def bounds(self) -> Box:
        """Center plus and minus the largest radius."""
        most = self.mean * (1.0 + float(np.maximum(self.heights, 0.0).sum()))
        x, y, z = self.center
        return (x - most, y - most, z - most), (x + most, y + most, z + most)


@dataclass(frozen=True, slots=True, eq=False)
class Jitter:
    """How far off a reader's contour lies: a smooth random field, mm, positive where the body is drawn too large."""

    waves: Floats
    phases: Floats
    amplitude: float

    @classmethod
    def of(cls, sd: float, correlation: float, rng: np.random.Generator) -> Jitter:
        """A Gaussian field of standard deviation `sd` mm whose correlation falls off over `correlation` mm."""
        return cls(rng.standard_normal((WAVES, 3)) / correlation, rng.uniform(0, 2 * np.pi, WAVES), sd * np.sqrt(2.0 / WAVES))

    def at(self, points: Floats) -> Floats:
        """The displacement (...) at LPS points (..., 3), mm."""
        rows = points.reshape(-1, 3).T.astype(np.float32)  # right within 1e-5 mm
        total = np.zeros(rows.shape[1], np.float32)
        for wave, phase in zip(self.waves.astype(np.float32), self.phases.astype(np.float32), strict=True):
            total += np.cos(wave @ rows + phase)  # one by one: in the processor's cache
        return np.asarray(self.amplitude * total, dtype=np.float64).reshape(points.shape[:-1])


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """`body` as a reader draws it: displaced by `jitter` along its surface's normal."""

    body: Body
    jitter: Jitter
    most: float

    def distance(self, points: Floats) -> Floats:
        """Sign as drawn; the magnitude is not larger than the true one as long as the jitter is gentle."""
        here = self.body.distance(points)
        result = here - np.copysign(self.most, here)  # farther than any displacement
        near = np.abs(here) < self.most
        shift = np.clip(self.jitter.at(points[near]), -self.most, self.most)
        result[near] = 0.6 * (first_order(self.body, points[near], here[near]) - shift)
        return np.asarray(result)

    def bounds(self) -> Box:
        """The body's box, wider by the largest displacement."""
        (a, b, c), (d, e, f) = self.body.bounds()
        most = self.most
        return (a - most, b - most, c - most), (d + most, e + most, f + most)


def first_order(body: Body, points: Floats, here: Floats) -> Floats:
    """Near the surface the true distance (...): the body's own (`here`), divided by its slope where that is less than 1."""
    if is_steep(body):
        return here
    slopes = [(body.distance(points + PROBE * axis) - here) / PROBE for axis in np.eye(3)]
    steep = np.sqrt(np.sum(np.square(slopes), axis=0))
    return np.asarray(here / np.clip(steep, 0.2, 1.0), dtype=np.float64)


def is_steep(body: Body) -> bool:
    """Whether the slope of the body's distance is 1 wherever it has one, so that nothing need be divided by it."""
    if isinstance(body, Union | Intersection):
        return all(is_steep(part) for part in body.parts)
    if isinstance(body, Difference):
        return is_steep(body.body) and is_steep(body.hole)
    return isinstance(body, Ball | Capsule | HalfSpace)


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """`body`, `by` (3,) mm elsewhere."""

    body: Body
    by: Floats

    def distance(self, points: Floats) -> Floats:
        """The body's, where it would be."""
        return self.body.distance(points - self.by)

    def bounds(self) -> Box:
        """The body's box, moved."""
        low, high = (np.array(corner) + self.by for corner in self.body.bounds())
        return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))


def unit(rng: np.random.Generator, count: int | None = None) -> NDArray[np.float64]:
    """Random unit vectors, (3,) or (count, 3)."""
    vectors = rng.standard_normal(3 if count is None else (count, 3))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float64)
