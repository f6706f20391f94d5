"""What to make: every phantom is one frozen recipe, and a seed draws one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from service.phantom.bodies import Ball, Body, Capsule, Ellipsoid, Floats, HalfSpace, Tube, Union, length
from service.phantom.degrade import CLEAN, Degradations
from service.phantom.lesion import Lesion, exact
from service.phantom.sample import Grid
from service.phantom.signals import Tissue
from service.phantom.vessels import VesselKind, plan_vessel
from service.study.model import Vector

Size = Literal["small", "clinical"]
ENHANCEMENTS = (0.0, 0.27, 0.6, 1.07, 2.6)
DIAMETERS = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
ATTEMPTS = 200
INSIDE = 0.3
"""How far the tumor stays within the liver's surface, mm."""


@dataclass(frozen=True, slots=True)
class PhantomRecipe:
    """Everything that decides a phantom; the same recipe gives the same patient, bit for bit.

    `vessel` is the one at the margin and `tube` its shape; `others` are vessels 6 mm or more away from the zone. `decoy` is a
    tube that looks like a bridging vessel and is none (`decoy_tissue`). `rim` is the width of the hyperaemic rim, mm.
    `enhancement` is the tumor's (0.27 = 27 %). `t1` is the grid of the four T1 phases.
    """

    seed: int
    size: Size
    lesion: Lesion
    t1: Grid
    t2: Grid
    vessel: VesselKind = VesselKind.NONE
    tube: Tube | None = None
    others: tuple[Tube, ...] = ()
    decoy: Tube | None = None
    decoy_tissue: Tissue = Tissue.THROMBUS
    rim: float = 3.0
    enhancement: float = 0.0
    haemorrhagic: bool = False
    degradations: Degradations = CLEAN

    def tilted(self, about_x: float, about_z: float = 0.0) -> PhantomRecipe:
        """The same patient in oblique slices (degrees)."""
        t1, t2 = (replace(grid, tilt=(about_x, about_z)) for grid in (self.t1, self.t2))
        return replace(self, t1=t1, t2=t2)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a random recipe must have; None leaves it to chance. `margin` (mm) is met within about half a millimeter."""

    size: Size = "small"
    vessel: VesselKind | None = None
    diameter: float | None = None
    margin: float | None = None
    tumor_radius: float | None = None
    enhancement: float | None = None
    subcapsular: bool = False
    round_tumor: bool = False


@dataclass(frozen=True, slots=True)
class Ranges:
    """What chance may draw for one size, mm."""

    liver: Ellipsoid
    tumor_radius: tuple[float, float]
    zone_radius: tuple[float, float]
    segment: tuple[float, float]
    apart: tuple[float, float]
    wander: float
    t1: Grid
    t2: Grid


RANGES: dict[Size, Ranges] = {
    "small": Ranges(
        Ellipsoid((-6.0, -3.0, 0.0), (54.0, 46.0, 42.0)),
        (5.0, 8.0),
        (11.0, 17.0),
        (4.0, 14.0),
        (6.0, 10.0),
        4.0,
        Grid((32, 80, 96), (3.0, 1.4, 1.4)),
        Grid((16, 60, 72), (6.0, 1.9, 1.9)),
    ),
    "clinical": Ranges(
        Ellipsoid((-55.0, -10.0, 0.0), (100.0, 70.0, 80.0)),
        (5.0, 15.0),
        (12.0, 25.0),
        (20.0, 40.0),
        (10.0, 15.0),
        12.0,
        Grid((72, 260, 320), (3.0, 1.2, 1.2)),
        Grid((36, 208, 256), (6.0, 1.3, 1.3), (-10.0, 0.0, 0.0)),
    ),
}


def random_recipe(seed: int, spacing: Vector | None = None, wish: Wish | None = None) -> PhantomRecipe:
    """A recipe drawn by `seed`; `spacing` (slice, row, column; mm) replaces that of the T1 phases over the same field of view.

    Raises:
        ValueError: No lesion with the wished vessel was found.
    """
    want = wish or Wish()
    rng = np.random.default_rng([seed, 20140801])
    ranges = RANGES[want.size]
    for _ in range(ATTEMPTS):
        lesion = draw_lesion(rng, want)
        kind = want.vessel or VesselKind(rng.choice(list(VesselKind)))
        diameter = want.diameter or float(rng.choice(DIAMETERS))
        tube = None if kind is VesselKind.NONE or lesion is None else plan_vessel(lesion, kind, diameter, rng)
        if lesion is None or (tube is None and kind is not VesselKind.NONE):
            continue
        others = [plan_vessel(lesion, VesselKind.NONE, float(rng.uniform(3, 8)), rng) for _ in range(4)]
        return PhantomRecipe(
            seed=seed,
            size=want.size,
            lesion=lesion,
            t1=_jittered(ranges.t1, spacing, rng),
            t2=_jittered(ranges.t2, None, rng),
            vessel=kind,
            tube=tube,
            others=tuple(other for other in others if other is not None),
            rim=float(rng.uniform(2, 5)),
            enhancement=float(rng.choice(ENHANCEMENTS)) if want.enhancement is None else want.enhancement,
            haemorrhagic=bool(rng.random() < 0.15),
        )
    raise ValueError(f"no lesion with a vessel of kind {want.vessel} after {ATTEMPTS} attempts")


def with_dent(recipe: PhantomRecipe, depth: float = 3.0) -> PhantomRecipe:
    """The same recipe where the vessel kept `depth` mm around it from freezing; unchanged where that reaches the tumor."""
    if recipe.tube is None or not recipe.lesion.convex_liver:
        return recipe
    dent = Capsule(recipe.tube.points[0], recipe.tube.points[-1], recipe.tube.diameter / 2 + depth)
    axis, _ = recipe.tube.axis(0.5)
    apart = min(float(exact(part, axis).min()) for part in recipe.lesion.tumor) - dent.radius
    inside = float(recipe.lesion.liver.distance(axis).max()) < -dent.radius
    straight = len(recipe.tube.points) == 2
    if apart < 0.5 or not inside or not straight:
        return recipe
    return replace(recipe, lesion=replace(recipe.lesion, dent=dent))


def draw_lesion(rng: np.random.Generator, want: Wish) -> Lesion | None:
    """A zone about the middle of the liver and a tumor whose margin is about the wished one; None when it leaves the liver."""
    ranges = RANGES[want.size]
    radius = want.tumor_radius or float(rng.uniform(*ranges.tumor_radius))
    margin = float(rng.uniform(-2, 10)) if want.margin is None else want.margin
    low, high = ranges.zone_radius
    low = max(low, radius + max(margin, 0.0) + 0.2)
    capsules = _draw_zone(rng, ranges, float(rng.uniform(low, max(low, high))))
    center = _off_center(capsules, radius + margin, rng)
    tumor = (Ball(_vector(center), radius),) if want.round_tumor else _draw_tumor(rng, center, radius)
    liver: Body = _half_liver(rng, tumor) if want.subcapsular else ranges.liver
    if not all(_well_inside(liver, part) for part in tumor):
        return None
    return Lesion(liver, tumor, capsules)


def _draw_zone(rng: np.random.Generator, ranges: Ranges, radius: float) -> tuple[Capsule, ...]:
    """One to three parallel capsules, as parallel probes make them."""
    axis = _unit(rng)
    side = np.cross(axis, _unit(rng))
    side /= np.linalg.norm(side)
    center = np.array(ranges.liver.center) + rng.uniform(-1, 1, 3) * ranges.wander
    count = int(rng.integers(1, 4))
    apart = float(rng.uniform(*ranges.apart))
    capsules = []
    for n in range(count):
        half = axis * float(rng.uniform(*ranges.segment)) / 2
        middle = center + side * apart * (n - (count - 1) / 2) + axis * float(rng.uniform(-2, 2))
        capsules.append(Capsule(_vector(middle - half), _vector(middle + half), radius))
    return tuple(capsules)


def _off_center(capsules: tuple[Capsule, ...], depth: float, rng: np.random.Generator) -> Floats:
    """A point in a random direction from the zone's middle that lies `depth` mm deep in it."""
    zone = Union(capsules)
    middle = np.mean([(np.array(capsule.start) + np.array(capsule.end)) / 2 for capsule in capsules], axis=0)
    if zone.distance(middle[None])[0] > -depth:
        capsule = capsules[0]
        middle = (np.array(capsule.start) + np.array(capsule.end)) / 2
    steps = middle + np.arange(0, 80, 0.02)[:, None] * _unit(rng)
    deep = zone.distance(steps) <= -depth
    return np.asarray(steps[int(np.argmin(deep)) - 1 if deep[0] else 0], dtype=np.float64)


def _draw_tumor(rng: np.random.Generator, center: Floats, radius: float) -> tuple[Ball | Ellipsoid, ...]:
    """A ball mostly, sometimes an ellipsoid up to 1.5:1 or a lobulated tumor, all within `radius` of the center."""
    shape = rng.random()
    if shape < 0.6:
        return (Ball(_vector(center), radius),)
    if shape < 0.8:
        return (Ellipsoid(_vector(center), _vector(radius * rng.uniform(2 / 3, 1, 3))),)
    lobes = [Ball(_vector(center + 0.45 * radius * _unit(rng)), 0.55 * radius) for _ in range(2)]
    return (Ball(_vector(center), 0.8 * radius), *lobes)


def _half_liver(rng: np.random.Generator, tumor: tuple[Ball | Ellipsoid, ...]) -> HalfSpace:
    """A flat liver surface just beside the tumor, to the patient's right and front."""
    normal = np.array([-1.0, -0.4, 0.0]) + 0.4 * _unit(rng)
    normal /= np.linalg.norm(normal)
    reach = max(float(np.array(part.center) @ normal + _widest(part)) for part in tumor)
    return HalfSpace(_vector(normal * (reach + float(rng.uniform(0.5, 3)))), _vector(normal))


def _well_inside(liver: Body, part: Ball | Ellipsoid) -> bool:
    return float(exact(liver, np.array([part.center]))[0]) <= -_widest(part) - INSIDE


def _widest(part: Ball | Ellipsoid) -> float:
    return part.radius if isinstance(part, Ball) else max(part.half_axes)


def _jittered(grid: Grid, spacing: Vector | None, rng: np.random.Generator) -> Grid:
    """The grid at a random place within one voxel, with another spacing if wished."""
    new = spacing or grid.spacing
    shape = tuple(round(count * old / step) for count, old, step in zip(grid.shape, grid.spacing, new, strict=True))
    center = np.array(grid.center) + rng.uniform(-0.5, 0.5, 3) * np.array(new)[::-1]
    return Grid((shape[0], shape[1], shape[2]), new, _vector(center))


def _unit(rng: np.random.Generator) -> Floats:
    vector = rng.standard_normal(3)
    return np.asarray(vector / length(vector), dtype=np.float64)


def _vector(values: Floats) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
