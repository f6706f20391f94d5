"""The margins of a scene from its shapes alone: a dense search that knows only which points are liver that was not treated.

Nothing here is shared with the method: no grid, no mask, no surface mesh. The minimum is found within .02 mm, the
distances of single points within .1 mm (held by test_truth.py on shapes with closed formulas).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from service.phantom.bodies import Floats, length
from tests.validation.margin.family import Scene, on_tumor, sphere

POINTS = 1500
STEP = 1.5  # mm between the first guesses
REACH = 16.0  # mm from the tumor, farther than any margin that is asked for
TRIES, ROUNDS, SHRINK = 20, 24, 0.78
EXCHANGE = 3  # rounds
BEST = 48


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The minimum (mm) and its `place`; `margins` (n,) mm at `points` (n, 3) of the tumor, which stand for `areas` (n,) mm2."""

    minimum: float
    place: Floats
    points: Floats
    areas: Floats
    margins: Floats
    tumor_ml: float

    def share(self, at_most: float) -> float:
        """The part (0-1) of the surface with a margin of `at_most` mm."""
        return float(self.areas[self.margins <= at_most].sum() / self.areas.sum())

    def percentile(self, percent: float) -> float:
        """The margin below which `percent` of the surface lies, mm."""
        order = np.argsort(self.margins)
        along = np.cumsum(self.areas[order]) / self.areas.sum()
        return float(self.margins[order][np.searchsorted(along, percent / 100.0)])


def truth_of(scene: Scene, seed: int = 0) -> Truth:
    """The margins of `scene`; `seed` draws the search's steps."""
    rng = np.random.default_rng([seed, 7])
    directions = sphere(POINTS)
    points = on_tumor(scene.tumor, directions)
    margins, nearest = _margins(scene, points, rng)
    areas, volume = _areas(scene, directions)
    best = np.argsort(margins)[:BEST]
    minimum, place = _smallest(scene, directions[best], nearest[best], rng)
    return Truth(min(minimum, float(margins.min())), place, points, areas, margins, volume)


def untreated(scene: Scene, points: Floats) -> NDArray[np.bool_]:
    """Whether each point (..., 3) is liver outside the ice."""
    return np.asarray((scene.liver.distance(points) < 0) & (scene.ice.distance(points) > 0))


def _margins(scene: Scene, points: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Signed distance (n,) of points to untreated liver and the nearest point of it (n, 3)."""
    guesses = _guesses(scene, points)
    _, index = cKDTree(guesses).query(points)
    nearest = guesses[index]
    spread = STEP
    for number in range(ROUNDS):
        nearest = _nearer(scene, points, nearest, spread, rng)
        if number % EXCHANGE == 0:  # what one point has found may be nearer to its neighbour too
            nearest = nearest[cKDTree(nearest).query(points)[1]]
        spread *= SHRINK
    margins = length(nearest - points)
    inside = untreated(scene, points)
    if inside.any():
        margins[inside] = -_depth(scene, points[inside])
    return margins, nearest


def _guesses(scene: Scene, points: Floats) -> Floats:
    """Places in untreated liver, `STEP` mm apart, not too far from the tumor."""
    low, high = points.min(axis=0) - REACH, points.max(axis=0) + REACH
    axes = [np.arange(a, b, STEP) for a, b in zip(low, high, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    found = lattice[untreated(scene, lattice)]
    return found if len(found) else np.full((1, 3), 1e4)


def _nearer(scene: Scene, points: Floats, nearest: Floats, spread: float, rng: np.random.Generator) -> Floats:
    """For each point the best of its nearest place so far and some places around that and towards the point."""
    steps = rng.standard_normal((len(points), TRIES, 3)) * spread * 0.6
    toward = points - nearest
    toward /= np.maximum(length(toward), 1e-9)[:, None]
    steps[:, 0] = toward * spread
    steps[:, 1] = toward * spread * 0.3
    places = np.concatenate([nearest[:, None], nearest[:, None] + steps], axis=1)
    away = length(places - points[:, None])
    useful = away < away[:, :1]
    allowed = np.zeros(away.shape, dtype=bool)
    allowed[useful] = untreated(scene, places[useful])
    allowed[:, 0] = True
    best = np.where(allowed, away, np.inf).argmin(axis=1)
    return np.asarray(places[np.arange(len(points)), best])


def _depth(scene: Scene, points: Floats) -> Floats:
    """How deep (n,) points lie in untreated liver; exact where ice is made of capsules and has no notch."""
    return np.minimum(np.maximum(scene.ice.distance(points), 0.0), -scene.liver.distance(points))


def _smallest(scene: Scene, directions: Floats, nearest: Floats, rng: np.random.Generator) -> tuple[float, Floats]:
    """The minimum and its place on the tumor, from the best starts: both ends move, by ever smaller steps."""
    spread = STEP
    for _ in range(2 * ROUNDS):
        around = directions[:, None] + np.concatenate([np.zeros((1, 3)), rng.standard_normal((TRIES, 3)) * spread / 10.0])
        around /= np.linalg.norm(around, axis=-1, keepdims=True)
        points = on_tumor(scene.tumor, around)
        margins = length(points - nearest[:, None])
        inside = untreated(scene, points)
        if inside.any():
            margins[inside] = -_depth(scene, points[inside])
        best = margins.argmin(axis=1)
        row = np.arange(len(around))
        directions, found = around[row, best], points[row, best]
        nearest = _nearer(scene, found, nearest, spread, rng)
        spread *= SHRINK**0.5
    margins = margins[row, best]
    margins = np.where(margins > 0, length(found - nearest), margins)
    first = int(margins.argmin())
    return float(margins[first]), found[first]


def _areas(scene: Scene, directions: Floats) -> tuple[Floats, float]:
    """The area (mm2) that each of the evenly spread directions stands for, and the tumor's volume (mL)."""
    step = 1e-4
    center = np.array(scene.tumor.center)
    out = on_tumor(scene.tumor, directions) - center
    radius = length(out)
    slopes = np.zeros(len(directions))
    for tangent in _tangents(directions):
        beside = directions + step * tangent
        beside /= length(beside)[:, None]
        slopes += ((length(on_tumor(scene.tumor, beside) - center) - radius) / step) ** 2
    solid = 4 * np.pi / len(directions)
    areas = radius**2 * np.sqrt(1 + slopes / radius**2) * solid
    return areas, float((radius**3).sum() / 3 * solid / 1000.0)


def _tangents(directions: Floats) -> tuple[Floats, Floats]:
    """Two unit vectors (n, 3) across each direction and each other."""
    helper = np.where(np.abs(directions[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(directions, helper)
    first /= length(first)[:, None]
    return first, np.cross(directions, first)
