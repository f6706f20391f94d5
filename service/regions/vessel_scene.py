"""What a vessel is looked for in: the margin and what lies beside it in cells of about 1 mm, as uptake of contrast.

Uptake is 0 in ablated tissue and 1 in a full lumen. A coil's slow bias is taken out first, by the liver around: with it a
hyperaemic rim near the coil is as bright as a vessel far from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from service.errors import Unusable
from service.regions.fields import field_of
from service.regions.margin_surface import MarginSurface
from service.regions.region import Region
from service.volumes.cells import interpolate
from service.volumes.noise import noise_sd
from service.volumes.volume import Array, Index, Volume, box_of

Box = tuple[Index, Index]
Cells = NDArray[np.bool_]

CELL = 1.0  # mm: a lumen of 2 mm is two cells wide
EDGE = (1.0, 2.5)  # mm inside the zone's edge: nearer is liver by partial volume; up to there a path must begin
REACHED = 1.5  # mm from the tumor that count as reaching it: 1 mm by definition, half a cell more by sampling
SHORTEST = 2.0  # mm of margin: a path through less is the blur of its two edges
DEEP = 5.0  # mm of margin, which no rim crosses because a contour is off
THINNEST = 2.0  # voxels of margin, below which the absence of a vessel cannot be stated
BESIDE = 2.0  # mm outside the zone in which a vessel abuts it
AROUND = 3.0  # mm outside the zone that are kept
LEAST_LIVER, LEAST_ABLATED, LEAST_LUMEN = 200, 30, 8  # voxels, to speak of a level
BRIGHTEST = 99.7  # percentile of liver, which only vessels reach
NEARLY_FULL = 0.8  # of it, from which a voxel is taken for a full lumen
KNOWN = 0.99  # of a cell: one that the image covers only in part is not known
MUCH_BRIGHTER = 1.6  # times the liver's own enhancement, for that percentile to be vessel at all
COIL = 15.0  # mm, SD of the window in which liver shows the coil's bias
COARSE = 3.5  # mm between the voxels that are looked at for it
RIM = 5.0  # mm outside the zone that are no normal liver
ORDINARY = (0.6, 1.4)  # times the median liver: vessels and cysts say nothing of the coil
FAR = 0.02  # weight of the median where no liver is near


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What lies around the margin: the regions on one grid, and the margin surface of `tumor` in `zone`."""

    tumor: Region
    zone: Region
    liver: Region | None
    vessels: Region | None
    surface: MarginSurface


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The zone and what touches it, in cells of about 1 mm.

    `grid.values` is the uptake, `noise` its SD in a voxel. `margin` are the cells between zone's edge and tumor, `outer` those
    just inside the edge, `thick` those where a path is more than blur, `deep` those where it cannot be a rim either;
    `beside` lies just outside. `to_tumor` and `depth` (inside the zone's edge, negative outside) are mm. `thin`: the
    share (0-1) of the tumor's surface with a margin below two voxels; `whole`: none of it is, and the image covers all of the
    margin.
    """

    grid: Volume
    noise: float
    margin: Cells
    outer: Cells
    beside: Cells
    to_tumor: Array
    depth: Array
    thick: Cells
    deep: Cells
    thin: float
    whole: bool

    @property
    def uptake(self) -> Array:
        """Of each cell: 0 in ablated tissue, 1 in a full lumen."""
        return self.grid.values

    @property
    def inner(self) -> Cells:
        """Cells of the margin that touch the tumor."""
        return np.asarray(self.margin & (self.to_tumor <= REACHED), dtype=bool)


@dataclass(frozen=True, slots=True)
class _Levels:
    """Signals, without the coil's bias, of ablated tissue and of a full lumen, and the noise of a voxel relative to both."""

    ablated: float
    full: float
    noise: float


@dataclass(frozen=True, slots=True, eq=False)
class Uptake:
    """Uptake in the voxels around the zone (`box`), NaN where the image knows nothing, and the SD of its noise."""

    image: Volume
    noise: float
    box: Box


def uptake_of(around: Surroundings, image: Volume, reach: float) -> Uptake:
    """Uptake of contrast up to `reach` (mm) outside the zone, in `image` as for `scene_of`.

    Raises:
        Unusable: As `scene_of`.
    """
    liver = _outside(around) & np.isfinite(image.values)
    if liver.sum() < LEAST_LIVER:
        raise Unusable("vessel.no_margin", "There is too little liver around the margin to look for a vessel.")
    coil = _coil(around, image, liver)
    box = _box(around.zone.mask, reach)
    part = image.crop(*box)
    flat = part.with_values(part.values / _at(coil, part))
    levels = _levels(around, image, liver, coil, (flat, box))
    rising = (flat.values - levels.ablated) / (levels.full - levels.ablated)
    return Uptake(flat.with_values(rising.astype(np.float32)), levels.noise, box)


def scene_of(around: Surroundings, image: Volume) -> Scene:
    """The scene of `image` (portal-venous, best with the phase before contrast subtracted), on the regions' grid.

    Raises:
        Unusable: `vessel.no_margin` with too little ablated tissue or liver to compare; `vessel.no_reference` when no vessel
            of the liver is brighter than the liver itself.
    """
    found = uptake_of(around, image, AROUND)
    uptake, known = on_known_cells(found.image)
    zone, tumor = (field_of(region.crop(*found.box), CELL).values for region in (around.zone, around.tumor))
    inside, beyond = (ndimage.distance_transform_edt(side, sampling=uptake.spacing) for side in (zone > 0, zone <= 0))
    shell = (inside >= EDGE[0]) & (tumor < 0)
    margin = shell & known
    thick, deep, thin = _thickness(around, uptake, margin)
    return Scene(
        grid=uptake,
        noise=found.noise,
        margin=margin,
        outer=margin & (inside <= EDGE[1]),
        beside=(beyond > 0) & (beyond <= BESIDE) & known,
        to_tumor=ndimage.distance_transform_edt(tumor < 0, sampling=uptake.spacing).astype(np.float32),
        depth=(inside - beyond).astype(np.float32),
        thick=thick,
        deep=deep,
        thin=thin,
        whole=thin == 0.0 and not (shell & ~known).any(),
    )


def on_known_cells(image: Volume) -> tuple[Volume, Cells]:
    """An image on cells, 0 where it knows nothing, and which cells it covers."""
    known = np.isfinite(image.values)
    covered = interpolate(image.with_values(known.astype(np.float32)), CELL).values > KNOWN
    return interpolate(image.with_values(np.nan_to_num(image.values)), CELL), covered


def _coil(around: Surroundings, image: Volume, liver: Cells) -> Volume:
    """How bright normal liver is at each place relative to its median, on a coarse grid."""
    steps = tuple(max(1, round(COARSE / size)) for size in image.spacing)
    every = tuple(slice(None, None, step) for step in steps)
    affine = image.affine.copy()
    affine[:3, :3] = image.affine[:3, :3] * np.array(steps)
    spacing = [size * step for size, step in zip(image.spacing, steps, strict=True)]
    values = np.nan_to_num(image.values[every])
    near = ndimage.distance_transform_edt(around.zone.mask.values[every] < 0.5, sampling=spacing) <= RIM
    normal = liver[every] & ~near
    if not normal.any():
        return Volume(np.ones_like(values), affine)
    median = max(float(np.median(values[normal])), 1e-6)
    shown = np.clip(values / median, *ORDINARY)
    window = [COIL / size for size in spacing]
    weight = ndimage.gaussian_filter(normal.astype(np.float32), window, truncate=3.0) + FAR
    level = (ndimage.gaussian_filter(np.where(normal, shown, 0.0).astype(np.float32), window, truncate=3.0) + FAR) / weight
    return Volume(level.astype(np.float32), affine)


def _at(coil: Volume, grid: Volume) -> Array:
    """The coarse map at the voxels of `grid`, whose axes it shares."""
    first = coil.to_index(grid.to_mm(np.zeros(3)))
    step = np.array(grid.spacing) / np.array(coil.spacing)
    axes = [start + size * np.arange(count) for start, size, count in zip(first, step, grid.shape, strict=True)]
    index = np.stack(np.meshgrid(*axes, indexing="ij"))
    return np.asarray(ndimage.map_coordinates(coil.values, index, order=1, mode="nearest"), dtype=np.float32)


def _levels(around: Surroundings, image: Volume, liver: Cells, coil: Volume, part: tuple[Volume, Box]) -> _Levels:
    flat, box = part
    zone, tumor = (region.mask.crop(*box).values for region in (around.zone, around.tumor))
    ablation = (zone > 0.97) & (tumor < 0.03) & np.isfinite(flat.values)
    if ablation.sum() < LEAST_ABLATED:
        raise Unusable("vessel.no_margin", "There is too little margin to look for a vessel.")
    ablated = float(np.median(flat.values[ablation]))
    low, high = box_of(liver)
    whole = image.crop(low, high)
    held = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    shown = whole.values / _at(coil, whole)
    background = float(np.median(shown[liver[held]]))
    full = _full_lumen(around, shown, liver, held)
    if full - ablated < MUCH_BRIGHTER * max(background - ablated, 1e-6):
        raise Unusable("vessel.no_reference", "No vessel of the liver is brighter than the liver itself: contrast is too weak.")
    return _Levels(ablated, full, noise_sd(flat, ablation) / (full - ablated))


def _full_lumen(around: Surroundings, shown: Array, liver: Cells, held: tuple[slice, ...]) -> float:
    """Signal of a lumen that fills its voxel: the median of the vessels where they are known, else the brightest liver."""
    if around.vessels is not None and int((core := around.vessels.mask.values[held] > 0.9).sum()) >= LEAST_LUMEN:
        return float(np.nanmedian(shown[core]))
    signals = shown[liver[held]]
    return float(np.median(signals[signals >= NEARLY_FULL * np.percentile(signals, BRIGHTEST)]))


def _outside(around: Surroundings) -> Cells:
    """Liver outside the zone, or everything within 15 mm of it without a liver mask."""
    zone = around.zone.mask
    if around.liver is not None:
        return np.asarray((zone.values < 0.03) & (around.liver.mask.values > 0.97), dtype=bool)
    distance = ndimage.distance_transform_edt(zone.values < 0.5, sampling=zone.spacing)
    return np.asarray((zone.values < 0.03) & (distance <= 15.0), dtype=bool)


def _box(zone: Volume, reach: float) -> Box:
    """The voxels (low, high) that hold the zone and what lies beside it."""
    k, j, i = (int(np.ceil(reach / size)) + 1 for size in zone.spacing)
    return box_of(zone.values > 0, (k, j, i))


def _thickness(around: Surroundings, fine: Volume, margin: Cells) -> tuple[Cells, Cells, float]:
    """Cells of the margin whose nearest tumor surface has a margin of a voxel, and of two; the share of it below two voxels."""
    surface = around.surface
    across = (surface.nearest - surface.points) @ np.linalg.inv(around.zone.mask.affine[:3, :3]).T
    voxels = np.where(surface.margin < 0, 0.0, np.linalg.norm(across, axis=1))
    _, nearest = cKDTree(surface.points).query(fine.to_mm(np.argwhere(margin).astype(np.float64)))
    thick, deep = np.zeros_like(margin), np.zeros_like(margin)
    thick[margin] = (voxels[nearest] >= 1.0) & (surface.margin[nearest] >= SHORTEST)
    deep[margin] = (voxels[nearest] >= THINNEST) & (surface.margin[nearest] >= DEEP)
    return thick, deep, float(surface.areas[voxels < THINNEST].sum() / surface.areas.sum())
