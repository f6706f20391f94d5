"""Phantoms for the vessel in the margin: what bridges, what only looks so, and contours as people draw them.

Even seeds are for tuning, odd ones for the report. A case is images before contrast, arterial and portal-venous with noise,
blur and a coil's bias, and contours of tumor, zone and liver: true ones, or with an error of .8 mm (SD of a smooth field).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from service.errors import Unusable
from service.features.case import Case
from service.phantom.bodies import Ball, Body, Box, Floats, Tube
from service.phantom.degrade import Degradations, degrade
from service.phantom.lesion import Lesion, exact
from service.phantom.recipe import ATTEMPTS, PhantomRecipe, Wish, draw_lesion
from service.phantom.sample import Grid, fill, fraction, index_box
from service.phantom.scene import bodies, paint
from service.phantom.signals import Tissue, signal
from service.phantom.vessels import VesselKind, VesselTruth, classify, plan_vessel
from service.regions.margin_surface import margin_surface
from service.regions.region import Kind, Region
from service.regions.visibility import Visibility
from service.study.model import Role, Vector
from service.volumes.volume import Volume

ROLES = (Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS)
AROUND = 36.0  # mm of liver to each side of the zone's middle
GRIDS = ((3.0, 1.2, 1.2), (2.0, 1.2, 1.2), (3.0, 1.4, 1.4), (1.5, 1.5, 1.5))
CONTOUR_ERROR = 0.8  # mm
WAVES = 6


class Scene(StrEnum):
    """What is in the margin. Every zone has a hyperaemic rim of 2 to 5 mm."""

    BRIDGE_STRAIGHT = "bridge straight"
    BRIDGE_OBLIQUE = "bridge oblique"
    BRIDGE_CURVED = "bridge curved"
    RIM = "nothing but the rim"
    ABUTS = "vessel beside the zone"
    GAP_2 = "passes at 2 mm"
    GAP_4 = "passes at 4 mm"
    DEAD_END = "ends half way"
    DEEP_END = "ends in the inner third"
    TRACT = "blood in the tract"
    THROMBUS = "thrombosed vessel"
    DUCT = "bile duct"
    FOCI = "foci of haemorrhage"

    @property
    def bridges(self) -> bool:
        """Whether a patent lumen reaches the tumor."""
        return self in (Scene.BRIDGE_STRAIGHT, Scene.BRIDGE_OBLIQUE, Scene.BRIDGE_CURVED)


PATENT = {
    Scene.BRIDGE_STRAIGHT: VesselKind.BRIDGE_STRAIGHT,
    Scene.BRIDGE_OBLIQUE: VesselKind.BRIDGE_OBLIQUE,
    Scene.BRIDGE_CURVED: VesselKind.BRIDGE_CURVED,
    Scene.ABUTS: VesselKind.ABUTS,
    Scene.GAP_2: VesselKind.GAP_2,
    Scene.GAP_4: VesselKind.GAP_4,
    Scene.DEAD_END: VesselKind.DEAD_END,
    Scene.DEEP_END: VesselKind.BRIDGE_STRAIGHT,  # then cut back
}
DECOYS = {Scene.TRACT: Tissue.BLOOD, Scene.THROMBUS: Tissue.THROMBUS, Scene.DUCT: Tissue.BILE}
BRIDGES = (VesselKind.BRIDGE_STRAIGHT, VesselKind.BRIDGE_OBLIQUE, VesselKind.BRIDGE_CURVED)
# Half of the phantoms bridge, as in the goals' sensitivity; the others take turns.
ORDER = tuple(
    scene
    for negative, positive in zip(
        [scene for scene in Scene if not scene.bridges], 4 * [scene for scene in Scene if scene.bridges], strict=False
    )
    for scene in (positive, negative)
)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """One phantom: what it is, its truth, and the case that a reader's contours make of it."""

    seed: int
    scene: Scene
    diameter: float
    spacing: Vector
    contour_error: float
    truth: VesselTruth
    case: Case


@dataclass(frozen=True, slots=True)
class Uneven:
    """A body whose surface is off by a smooth random field: `waves` are (direction / mm, phase), of SD `error` mm together."""

    body: Body
    waves: tuple[tuple[Vector, float], ...]
    error: float

    def distance(self, points: Floats) -> Floats:
        """The body's, and the field."""
        field = sum(np.sin(points @ np.array(way) + phase) for way, phase in self.waves)
        return np.asarray(self.body.distance(points) + self.error * np.sqrt(2.0 / len(self.waves)) * field)

    def bounds(self) -> Box:
        """The body's box, wider by four standard deviations."""
        low, high = (np.array(corner) for corner in self.body.bounds())
        return _vector(low - 4.0 * self.error), _vector(high + 4.0 * self.error)


def make(seed: int, width: float | None = None) -> Made:
    """The phantom of a seed; `width` is the diameter (mm) of its vessel, left to the seed otherwise."""
    number = seed // 2
    rng = np.random.default_rng([seed, 314])
    scene = ORDER[number % len(ORDER)]
    spacing = GRIDS[number // 2 % len(GRIDS)]
    diameter = width or float(rng.choice((3.0, 4.0, 5.0, 6.0)))
    error = CONTOUR_ERROR if rng.random() < 2 / 3 else 0.0
    recipe = _recipe(rng, scene, diameter, spacing)
    truth = classify(recipe.lesion, recipe.tube)
    phases = _images(recipe, rng, foci=scene is Scene.FOCI)
    masks = _contours(recipe, rng, error)
    return Made(seed, scene, diameter, spacing, error, truth, case_of(phases, masks))


def case_of(phases: Mapping[Role, Volume], masks: Mapping[Kind, Region]) -> Case:
    """The case, all of whose surface is taken as assessable: what is tested here is the vessel alone.

    Without a surface where a contour with its error holds no voxel.
    """
    tumor, zone, liver = masks[Kind.TUMOR], masks[Kind.ABLATION_ZONE], masks[Kind.LIVER]
    try:
        surface = margin_surface(tumor, zone, liver)
    except Unusable:
        return Case("1", Role.PORTAL_VENOUS, phases, {}, tumor, zone, liver, None, {}, {}, None, None)
    seen = Visibility(np.ones(len(surface.points), dtype=bool), {})
    return Case("1", Role.PORTAL_VENOUS, phases, {}, tumor, zone, liver, None, {}, {}, surface, seen)


def _recipe(rng: np.random.Generator, scene: Scene, diameter: float, spacing: Vector) -> PhantomRecipe:
    for _ in range(ATTEMPTS):
        lesion = draw_lesion(rng, Wish(margin=float(rng.uniform(3, 9)), tumor_radius=float(rng.uniform(5, 8))))
        if lesion is None:
            continue
        kind = PATENT.get(scene, VesselKind(rng.choice(list(BRIDGES))) if scene in DECOYS else VesselKind.NONE)
        tube = None if kind is VesselKind.NONE else plan_vessel(lesion, kind, diameter, rng)
        if scene is Scene.DEEP_END and tube is not None:
            tube = _cut_back(lesion, tube)
        others = [plan_vessel(lesion, VesselKind.NONE, float(rng.uniform(4, 7)), rng) for _ in range(4)]
        if None in others or (tube is None and kind is not VesselKind.NONE):
            continue
        patent = tube if scene not in DECOYS else None
        grid = _grid(lesion, spacing, rng)
        return PhantomRecipe(
            seed=0, size="small", lesion=lesion, t1=grid, t2=grid, tube=patent,
            others=tuple(other for other in others if other is not None),
            decoy=tube if scene in DECOYS else None, decoy_tissue=DECOYS.get(scene, Tissue.THROMBUS),
            rim=float(rng.uniform(2, 5)), enhancement=float(rng.choice((0.0, 0.27, 0.6))),
        )  # fmt: skip
    raise ValueError(f"no lesion with {scene}")


def _cut_back(lesion: Lesion, tube: Tube) -> Tube | None:
    """The vessel with its end in the inner third of the margin, 1.5 mm or more from the tumor; None where that is no room."""
    start, end = np.array(tube.points[0]), np.array(tube.points[-1])
    way = end - start
    steps = start + np.linspace(0, 1, 400)[:, None] * way
    gap = np.min([exact(part, steps) for part in lesion.tumor], axis=0) - tube.diameter / 2.0
    inside = lesion.ice.distance(steps) < 0
    shell = float(gap[inside].max(initial=0.0))
    fits = np.flatnonzero(inside & (gap <= shell / 3.0) & (gap >= 1.5))
    return replace(tube, points=(tube.points[0], _vector(steps[fits[0]]))) if fits.size else None


def _grid(lesion: Lesion, spacing: Vector, rng: np.random.Generator) -> Grid:
    low, high = (np.array(corner) for corner in lesion.zone_body.bounds())
    center = (low + high) / 2.0 + rng.uniform(-0.5, 0.5, 3) * np.array(spacing)[::-1]
    k, j, i = (round(2.0 * AROUND / size) for size in spacing)
    return Grid((k, j, i), spacing, _vector(center))


def _images(recipe: PhantomRecipe, rng: np.random.Generator, *, foci: bool) -> dict[Role, Volume]:
    grid = recipe.t1.empty()
    painted = paint(recipe, grid, ROLES)
    spots = _foci(recipe.lesion, rng) if foci else ()
    how = Degradations(int(rng.integers(1 << 30)), snr=float(rng.choice((15, 20, 30))), bias=0.2, blur=0.5)
    for spot in spots:
        low, high = index_box(grid, spot.bounds())
        place = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        share = fill(spot, grid.crop(low, high))
        for role, image in painted.items():
            image.values[place] += share * (np.float32(signal(Tissue.BLOOD, role)) - image.values[place])
    return {role: degrade(image, how, role) for role, image in painted.items()}


def _foci(lesion: Lesion, rng: np.random.Generator) -> tuple[Ball, ...]:
    """A row of bleedings of 2 to 4 mm across the margin, and some beside."""
    spots: list[Ball] = []
    low, high = (np.array(corner) for corner in lesion.zone_body.bounds())
    while len(spots) < 8:
        place = rng.uniform(low, high)
        if lesion.ice.distance(place[None])[0] < 0 < float(lesion.tumor_body.distance(place[None])[0]):
            spots.append(Ball(_vector(place), float(rng.uniform(1, 2))))
    return tuple(spots)


def _contours(recipe: PhantomRecipe, rng: np.random.Generator, error: float) -> dict[Kind, Region]:
    grid = recipe.t1.empty()
    found = {}
    for kind, body in bodies(recipe).items():
        drawn = body if not error or kind is Kind.LIVER else Uneven(body, _waves(rng), error)
        mask = fraction(drawn, grid)
        if error:
            mask = mask.with_values((mask.values >= 0.5).astype(np.float32))
        found[kind] = Region(kind, mask, "drawn by a phantom", binary=bool(error))
    return found


def _waves(rng: np.random.Generator) -> tuple[tuple[Vector, float], ...]:
    """Directions with wavelengths of 15 to 40 mm, as a hand draws."""
    ways = rng.standard_normal((WAVES, 3))
    ways *= (2 * np.pi / rng.uniform(15, 40, (WAVES, 1))) / np.linalg.norm(ways, axis=1, keepdims=True)
    return tuple((_vector(way), float(rng.uniform(0, 2 * np.pi))) for way in ways)


def _vector(values: Floats) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
