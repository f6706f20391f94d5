"""The margin's phantoms: shapes, grid and how they are seen, each from a seed.

Even seeds are for tuning and calibration, odd ones for reporting. The shapes of UNTUNED are reported only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from service.phantom.bodies import (
    Ball,
    Body,
    Capsule,
    Difference,
    Ellipsoid,
    Everywhere,
    Floats,
    HalfSpace,
    Intersection,
    Union,
)
from service.phantom.sample import Grid
from service.study.model import Vector
from tests.validation.margin.bodies import Star, unit

GRIDS: dict[str, Vector] = {  # slice, row, column, mm
    "3 x 1.2 x 1.2": (3.0, 1.2, 1.2),
    "5 x 0.8 x 0.8": (5.0, 0.8, 0.8),
    "1.5 x 1.5 x 1.5": (1.5, 1.5, 1.5),
    "4 x 1 x 1": (4.0, 1.0, 1.0),
}
BLURS = (0.0, 0.4, 0.6, 0.8)  # SD in voxels, beyond the voxel's own
NOISES = (0.0, 0.05, 0.1)  # SD of a fraction
JITTERS = (0.5, 1.0)  # SD in mm, of a contour or of a registration
ATTEMPTS = 400
APART = 0.3  # mm of liver or zone that must lie between two surfaces of a shape that is drawn


class Shape(StrEnum):
    """What is special about the shapes."""

    SMOOTH = "smooth"
    CREASED = "creased"
    LOBULATED = "lobulated"
    NOTCHED = "notched"
    OUTSIDE = "partly outside"
    SUBCAPSULAR = "subcapsular"
    BOX = "flat sides"  # never tuned on


SHAPES = tuple(Shape)
UNTUNED = (Shape.BOX,)


class Seen(StrEnum):
    """How the contours are given."""

    FRACTIONS = "fractions"
    NOISY = "noisy fractions"
    BINARY = "whole voxels"
    READER = "a reader's contours"
    SHIFTED = "two registered images"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Tumor, ice (the zone as if there were liver everywhere) and liver; `parts` are the pieces that bound the ice.

    Ice is the union of `parts` without `notch`.
    """

    tumor: Ball | Ellipsoid | Star
    parts: tuple[Body, ...]
    notch: Capsule | None
    liver: Body

    @property
    def whole(self) -> Body:
        """The ice without its notch."""
        return Union(self.parts)

    @property
    def ice(self) -> Body:
        """The ice."""
        return self.whole if self.notch is None else Difference(self.whole, self.notch)

    @property
    def zone(self) -> Body:
        """What a reader draws as the ablation zone: ice within the liver."""
        return self.ice if isinstance(self.liver, Everywhere) else Intersection((self.ice, self.liver))


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """One phantom and how it is seen: `blur` in voxels, `noise` of a fraction.

    `jitter` (mm): SD of a reader's contours. `slip` (3,) mm: how far the tumor's image lies from the zone's after a
    registration whose SD along each axis is `slip_sd`.
    """

    seed: int
    shape: Shape
    scene: Scene
    grid_name: str
    grid: Grid
    seen: Seen
    blur: float
    noise: float
    jitter: float
    slip: Floats
    slip_sd: float

    @property
    def binary(self) -> bool:
        """Whether only whole voxels are given; a reader may give either."""
        return self.seen is Seen.BINARY or (self.seen is Seen.READER and self.seed % 4 < 2)

    @property
    def tuning(self) -> bool:
        """Whether the method may have been tuned on it."""
        return self.seed % 2 == 0 and self.shape not in UNTUNED


def recipe(seed: int) -> Recipe:
    """The phantom of a seed; seeds that follow each other go through all shapes, grids and ways to be seen."""
    half = seed // 2
    shape = SHAPES[half % len(SHAPES)]
    rng = np.random.default_rng([seed, 20251122])
    name = list(GRIDS)[int(rng.integers(len(GRIDS)))]
    seen = tuple(Seen)[int(rng.integers(len(Seen)))]
    scene = _scene(shape, rng)
    slip_sd = float(rng.choice(JITTERS)) if seen is Seen.SHIFTED else 0.0
    tilt = tuple(rng.uniform(10, 20, 2) * rng.choice((-1, 1), 2)) if rng.random() < 0.25 else (0.0, 0.0)
    return Recipe(
        seed=seed,
        shape=shape,
        scene=scene,
        grid_name=name,
        grid=_grid(scene, GRIDS[name], (float(tilt[0]), float(tilt[1])), rng),
        seen=seen,
        blur=float(rng.choice(BLURS)) if seen is not Seen.BINARY and seen is not Seen.READER else 0.0,
        noise=float(rng.choice(NOISES[1:])) if seen is Seen.NOISY else 0.0,
        jitter=float(rng.choice(JITTERS)) if seen is Seen.READER else 0.0,
        slip=slip_sd * rng.standard_normal(3),
        slip_sd=slip_sd,
    )


def _grid(scene: Scene, spacing: Vector, tilt: tuple[float, float], rng: np.random.Generator) -> Grid:
    """A grid at a random place within a voxel that holds tumor and zone with 14 mm around them."""
    boxes = np.array([scene.tumor.bounds(), scene.whole.bounds()])
    low, high = boxes[:, 0].min(axis=0) - 14.0, boxes[:, 1].max(axis=0) + 14.0
    reach = (high - low)[::-1] * (1.25 if any(tilt) else 1.0)
    shape = np.ceil(reach / np.array(spacing)).astype(int)
    center = (low + high) / 2 + rng.uniform(-0.5, 0.5, 3) * np.array(spacing)[::-1]
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), spacing, vector(center), tilt)


def _scene(shape: Shape, rng: np.random.Generator) -> Scene:
    for _ in range(ATTEMPTS):
        found = _draw(shape, rng)
        if found is not None:
            return found
    raise ValueError(f"no scene of shape {shape} after {ATTEMPTS} attempts")


def _draw(shape: Shape, rng: np.random.Generator) -> Scene | None:
    """One attempt; None when it came out as another shape."""
    radius = float(rng.uniform(4.0, 14.0))
    wished = float(rng.uniform(1, 5) if rng.random() < 0.5 else rng.uniform(0.2, 10))
    if shape is Shape.OUTSIDE:
        wished = float(-rng.uniform(0.2, min(6.0, radius)))
    parts = _ice(shape, max(10.0, radius + max(wished, 0.0)), rng)
    center = _center(parts, radius + wished, rng)
    tumor = _tumor(shape, center, radius, rng)
    notch = _notch(parts, center, rng) if shape is Shape.NOTCHED else None
    liver: Body = _capsule(tumor, rng) if shape is Shape.SUBCAPSULAR else Everywhere()
    scene = Scene(tumor, parts, notch, liver)
    return scene if _fits(scene, outside=shape is Shape.OUTSIDE) else None


def _fits(scene: Scene, *, outside: bool) -> bool:
    """Whether the tumor lies in the ice (or partly outside, if so wished) and the notch does not reach it."""
    surface = tumor_points(scene.tumor, 1500)
    reach = float(scene.whole.distance(surface).max())
    if outside != (reach > 0):
        return False
    if scene.notch is not None and float(scene.notch.distance(surface).min()) < APART:
        return False
    return bool(scene.liver.distance(surface).max() < 0)


def _ice(shape: Shape, least: float, rng: np.random.Generator) -> tuple[Body, ...]:
    """One to three parallel capsules, or a lobulated or flat-sided body, about the origin."""
    radius = float(rng.uniform(least, least + 8.0))
    if shape is Shape.LOBULATED:
        count = int(rng.integers(4, 9))
        return (Star((0.0, 0.0, 0.0), radius * 1.1, unit(rng, count), rng.uniform(-0.18, 0.2, count)),)
    if shape is Shape.BOX:
        return (_box(radius, rng),)
    axis = unit(rng)
    side = np.cross(axis, unit(rng))
    side /= np.linalg.norm(side)
    count = int(rng.integers(2, 4)) if shape is Shape.CREASED else 1
    apart = float(rng.uniform(0.6, 1.1)) * radius
    return tuple(_probe(axis, side * apart * (n - (count - 1) / 2), radius, rng) for n in range(count))


def _probe(axis: Floats, middle: Floats, radius: float, rng: np.random.Generator) -> Capsule:
    half = axis * float(rng.uniform(4, 24)) / 2
    shifted = middle + axis * float(rng.uniform(-2, 2))
    return Capsule(vector(shifted - half), vector(shifted + half), radius)


def _box(radius: float, rng: np.random.Generator) -> Body:
    """A rounded block between three pairs of planes, turned at random."""
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    planes = [
        HalfSpace(vector(sign * normal * radius * float(rng.uniform(0.95, 1.3))), vector(sign * normal))
        for normal in turn
        for sign in (-1.0, 1.0)
    ]
    return Intersection((*planes, Ball((0.0, 0.0, 0.0), 1.6 * radius)))


def _center(parts: tuple[Body, ...], depth: float, rng: np.random.Generator) -> Floats:
    """A point in a random direction from the middle that lies `depth` mm deep in the ice."""
    steps = np.arange(0, 60, 0.05)[:, None] * unit(rng) + rng.uniform(-1, 1, 3)
    deep = Union(parts).distance(steps) <= -depth
    return np.asarray(steps[max(int(np.argmin(deep)) - 1, 0)], dtype=np.float64)


def _tumor(shape: Shape, center: Floats, radius: float, rng: np.random.Generator) -> Ball | Ellipsoid | Star:
    """A ball, an ellipsoid up to 1.5:1 or a lobulated tumor, within about `radius` of the center."""
    kind = rng.random()
    if shape is Shape.OUTSIDE or kind < 0.4:
        return Ball(vector(center), radius)
    if kind < 0.7:
        return Ellipsoid(vector(center), vector(radius * rng.uniform(2 / 3, 1, 3)))
    count = int(rng.integers(3, 7))
    return Star(vector(center), 0.9 * radius, unit(rng, count), rng.uniform(-0.2, 0.2, count), 5.0)


def _notch(parts: tuple[Body, ...], center: Floats, rng: np.random.Generator) -> Capsule:
    """What a vessel of 3 to 7 mm kept warm, 2 to 7 mm deep: a pit or a groove, mostly where the tumor is nearest."""
    width, depth = float(rng.uniform(3, 7)), float(rng.uniform(2, 7))
    toward = center / max(float(np.linalg.norm(center)), 1e-6) if rng.random() < 0.6 else unit(rng)
    toward = toward + 0.3 * unit(rng)
    toward /= np.linalg.norm(toward)
    steps = np.arange(0, 80, 0.05)[:, None] * toward
    out = steps[int(np.argmax(Union(parts).distance(steps) > 0))]
    tip = out - toward * (depth - width / 2)
    if rng.random() < 0.5:
        return Capsule(vector(tip), vector(out + 12 * toward), width / 2)
    along = np.cross(toward, unit(rng))
    along *= 20.0 / np.linalg.norm(along)
    return Capsule(vector(tip - along), vector(tip + along), width / 2)


def _capsule(tumor: Ball | Ellipsoid | Star, rng: np.random.Generator) -> Body:
    """A liver surface just beside the tumor: flat, or as round as a liver is."""
    normal = unit(rng)
    reach = float((tumor_points(tumor, 1500) @ normal).max()) + float(rng.uniform(0.2, 3.0))
    if rng.random() < 0.5:
        return HalfSpace(vector(normal * reach), vector(normal))
    radius = float(rng.uniform(60, 90))
    return Ball(vector(np.array(tumor.center) - normal * (radius - reach + float(np.array(tumor.center) @ normal))), radius)


def tumor_points(tumor: Ball | Ellipsoid | Star, count: int) -> Floats:
    """Points (count, 3) on the tumor's surface, spread evenly over directions."""
    return on_tumor(tumor, sphere(count))


def on_tumor(tumor: Ball | Ellipsoid | Star, directions: Floats) -> Floats:
    """The surface of the tumor in unit `directions` (..., 3) from its center, LPS mm."""
    if isinstance(tumor, Star):
        radius = tumor.radius(directions)
    elif isinstance(tumor, Ball):
        radius = np.full(directions.shape[:-1], tumor.radius)
    else:
        radius = 1.0 / np.sqrt(((directions / np.array(tumor.half_axes)) ** 2).sum(axis=-1))
    return np.asarray(np.array(tumor.center) + radius[..., None] * directions, dtype=np.float64)


def sphere(count: int) -> Floats:
    """`count` unit vectors (count, 3) spread evenly (Fibonacci lattice)."""
    n = np.arange(count) + 0.5
    height, turn = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    across = np.sqrt(1 - height**2)
    return np.stack([across * np.cos(turn), across * np.sin(turn), height], axis=-1)


def vector(values: Floats) -> Vector:
    """As a tuple."""
    return float(values[0]), float(values[1]), float(values[2])
