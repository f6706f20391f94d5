"""The way of a vessel through the margin: the widest path of enhancing tissue from liver outside the zone to the tumor.

The component of enhancing cells inside the zone that hangs together with the zone's edge, at the highest threshold at which
it still reaches the tumor. Works on cells of about 1 mm: a slice of 3 mm that is a third full says where, with its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.graph import MCP_Geometric

from service.errors import Unusable
from service.regions.fields import field_of
from service.regions.margin_surface import MarginSurface
from service.regions.region import Region
from service.study.model import Vector
from service.volumes.cells import interpolate
from service.volumes.noise import noise_sd
from service.volumes.volume import Array, Index, Matrix, Volume, box_of

Box = tuple[Index, Index]

CELL = 1.0  # mm: a lumen of 2 mm is two cells wide
LUMEN = 0.5  # of the way from ablated tissue to a full vessel; liver itself lies at .33, a hyperaemic rim at .45
SIGMAS = 5.0  # of noise above ablated tissue: a path may pick the best of hundreds of cells
EDGE = (1.0, 2.5)  # mm inside the zone's edge: nearer is liver by partial volume; up to there a path must begin
REACHED = 1.5  # mm from the tumor that count as reaching it: 1 mm by definition, half a cell more by sampling
SHORTEST = 2.0  # mm of margin: a path through less is the blur of its two edges
THINNEST = 2.0  # voxels of margin, below which the absence of a vessel cannot be stated
BESIDE = 2.0  # mm outside the zone in which a vessel abuts it
BRIGHTEST = 99.7  # percentile of liver taken for the signal of a full lumen
KNOWN = 0.99  # of a cell: one that the image covers only in part is not known
MUCH_BRIGHTER = 1.6  # times the liver's own enhancement, for that percentile to be vessel at all


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What lies around the margin: the regions on one grid, and the margin surface of `tumor` in `zone`."""

    tumor: Region
    zone: Region
    liver: Region | None
    vessels: Region | None
    surface: MarginSurface


@dataclass(frozen=True, slots=True)
class VesselPath:
    """The strongest connection across the margin. Uptake is 0 in ablated tissue, 1 in a full lumen.

    `bottleneck`: its weakest uptake; `in_thick`: that of the strongest path where the margin is thicker than a voxel; `clear`:
    the uptake from which a lumen is beyond doubt. `gap` (mm): what the clear lumen leaves to the tumor, infinite without one;
    `enters`: it is more than the zone's edge. `abuts`: a vessel runs beside the zone. `whole`: all of the margin is at least
    two voxels thick and covered by the image. `line`: the axis of the clear lumen from the zone's edge to the tumor, or to
    where it comes nearest to it, LPS mm; empty without a clear lumen.
    """

    bottleneck: float
    in_thick: float
    clear: float
    gap: float
    enters: bool
    abuts: bool
    whole: bool
    line: tuple[Vector, ...] = ()


def vessel_path(around: Surroundings, image: Volume) -> VesselPath:
    """The widest path in `image` (portal-venous, best with the phase before contrast subtracted), on the regions' grid.

    Raises:
        Unusable: `vessel.no_margin` with too little ablated tissue or liver to compare; `vessel.no_reference` when no vessel
            of the liver is brighter than the liver itself.
    """
    scene = _scene(around, image)
    lumen = _reaching(scene, scene.margin, scene.clear)
    gap = float(scene.to_tumor[lumen].min()) if lumen.any() else np.inf
    across = _reaching(scene, scene.thick, scene.clear)
    edge = float(np.median(scene.to_tumor[scene.outer])) if scene.outer.any() else 0.0
    return VesselPath(
        bottleneck=_bottleneck(scene, scene.margin),
        in_thick=_bottleneck(scene, scene.thick),
        clear=scene.clear,
        gap=gap,
        enters=gap < edge - EDGE[1],
        abuts=bool((scene.uptake[scene.beside] >= LUMEN).any()),
        whole=scene.whole,
        line=_axis(scene, across if (across & scene.inner).any() else lumen),
    )


def _axis(scene: _Scene, lumen: NDArray[np.bool_]) -> tuple[Vector, ...]:
    """The way through `lumen`, off its wall, from the margin's outer face to where it comes nearest to the tumor (Dijkstra)."""
    starts = np.argwhere(lumen & scene.outer)
    if not len(starts):
        return ()
    ends = np.argwhere(lumen & (scene.to_tumor <= scene.to_tumor[lumen].min() + 1e-6))
    depth = ndimage.distance_transform_edt(lumen, sampling=scene.grid.spacing)
    cost = np.where(lumen, 1.0 / np.maximum(depth, CELL / 2.0) ** 2, np.inf)
    ways = MCP_Geometric(cost, sampling=scene.grid.spacing)
    total, _ = ways.find_costs(starts, ends)
    end = min(ends, key=lambda cell: float(total[tuple(cell)]))
    points = scene.grid.to_mm(_smooth(np.array(ways.traceback(end), dtype=np.float64)))
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def _smooth(line: Matrix) -> Matrix:
    """The line without the steps of its cells; its ends stay."""
    inner = (line[:-2] + 2.0 * line[1:-1] + line[2:]) / 4.0
    return np.concatenate([line[:1], inner, line[-1:]]) if len(line) > 1 else line


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """The zone and what touches it, in cells of about 1 mm."""

    grid: Volume
    clear: float
    margin: NDArray[np.bool_]
    outer: NDArray[np.bool_]  # cells of the margin just inside the zone's edge
    beside: NDArray[np.bool_]  # cells just outside it
    to_tumor: Array  # mm
    thick: NDArray[np.bool_]  # cells of the margin where a path through it is more than blur
    whole: bool

    @property
    def uptake(self) -> Array:
        """Of each cell: 0 in ablated tissue, 1 in a full lumen."""
        return self.grid.values

    @property
    def inner(self) -> NDArray[np.bool_]:
        """Cells of the margin that touch the tumor."""
        return np.asarray(self.margin & (self.to_tumor <= REACHED), dtype=bool)


def _bottleneck(scene: _Scene, where: NDArray[np.bool_]) -> float:
    """The highest threshold at which liver outside and the tumor still hang together within `where`, by bisection."""
    low, high = 0.0, 1.5
    inner = scene.inner
    for _ in range(8):
        middle = (low + high) / 2.0
        if (_reaching(scene, where, middle) & inner).any():
            low = middle
        else:
            high = middle
    return low


def _reaching(scene: _Scene, where: NDArray[np.bool_], threshold: float) -> NDArray[np.bool_]:
    """Cells of `where` at or above `threshold` that hang together with the outer face of the margin."""
    labels, _ = ndimage.label(where & (scene.uptake >= threshold), structure=np.ones((3, 3, 3)))
    started = np.unique(labels[scene.outer & (labels > 0)])
    return np.isin(labels, started[started > 0])


def _scene(around: Surroundings, image: Volume) -> _Scene:
    ablated, full, noise = _levels(around, image)
    box = _box(around.zone.mask)
    part = image.crop(*box)
    uptake = interpolate(part.with_values(np.nan_to_num((part.values - ablated) / (full - ablated)).astype(np.float32)), CELL)
    known = interpolate(part.with_values(np.isfinite(part.values).astype(np.float32)), CELL).values > KNOWN
    zone, tumor = (_fine(region, box) for region in (around.zone, around.tumor))
    depth, beyond = (ndimage.distance_transform_edt(side, sampling=uptake.spacing) for side in (zone > 0, zone <= 0))
    shell = (depth >= EDGE[0]) & (tumor < 0)
    margin = shell & known
    thick, whole = _thickness(around, uptake, margin)
    return _Scene(
        grid=uptake,
        clear=max(LUMEN, SIGMAS * noise),
        margin=margin,
        outer=margin & (depth <= EDGE[1]),
        beside=(beyond > 0) & (beyond <= BESIDE) & known,
        to_tumor=ndimage.distance_transform_edt(tumor < 0, sampling=uptake.spacing).astype(np.float32),
        thick=thick,
        whole=whole and not (shell & ~known).any(),
    )


def _levels(around: Surroundings, image: Volume) -> tuple[float, float, float]:
    """Signal of ablated tissue and of a full lumen, and the noise SD of a voxel relative to their difference."""
    known = np.isfinite(image.values)
    ablation = (around.zone.mask.values > 0.97) & (around.tumor.mask.values < 0.03) & known
    liver = _outside(around) & known
    if ablation.sum() < 30 or liver.sum() < 200:
        raise Unusable("vessel.no_margin", "There is too little margin or liver around it to look for a vessel.")
    ablated, background = float(np.median(image.values[ablation])), float(np.median(image.values[liver]))
    full = _full_lumen(around, image, liver)
    if full - ablated < MUCH_BRIGHTER * max(background - ablated, 1e-6):
        raise Unusable("vessel.no_reference", "No vessel of the liver is brighter than the liver itself: contrast is too weak.")
    return ablated, full, noise_sd(image, ablation) / (full - ablated)


def _outside(around: Surroundings) -> NDArray[np.bool_]:
    """Liver outside the zone, or everything within 15 mm of it without a liver mask."""
    zone = around.zone.mask
    if around.liver is not None:
        return np.asarray((zone.values < 0.03) & (around.liver.mask.values > 0.97), dtype=bool)
    distance = ndimage.distance_transform_edt(zone.values < 0.5, sampling=zone.spacing)
    return np.asarray((zone.values < 0.03) & (distance <= 15.0), dtype=bool)


def _full_lumen(around: Surroundings, image: Volume, liver: NDArray[np.bool_]) -> float:
    """Signal of a lumen that fills its voxel: the median of the vessels where they are known, else the brightest liver."""
    if around.vessels is not None and int((core := around.vessels.mask.values > 0.9).sum()) >= 8:
        return float(np.nanmedian(image.values[core]))
    return float(np.percentile(image.values[liver], BRIGHTEST))


def _box(zone: Volume) -> Box:
    """The voxels (low, high) that hold the zone and what lies beside it."""
    k, j, i = (int(np.ceil((BESIDE + 1.0) / size)) + 1 for size in zone.spacing)
    return box_of(zone.values > 0, (k, j, i))


def _fine(region: Region, box: Box) -> Array:
    """The region's field on the cells of a box, mm, positive inside."""
    return field_of(region.crop(*box), CELL).values


def _thickness(around: Surroundings, fine: Volume, margin: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], bool]:
    """Cells of the margin whose nearest tumor surface has more than a voxel of margin; whether all of it has two voxels."""
    surface = around.surface
    across = (surface.nearest - surface.points) @ np.linalg.inv(around.zone.mask.affine[:3, :3]).T
    voxels = np.where(surface.margin < 0, 0.0, np.linalg.norm(across, axis=1))
    _, nearest = cKDTree(surface.points).query(fine.to_mm(np.argwhere(margin).astype(np.float64)))
    thick = np.zeros_like(margin)
    thick[margin] = (voxels[nearest] >= 1.0) & (surface.margin[nearest] >= SHORTEST)
    return thick, bool((voxels >= THINNEST).all())
