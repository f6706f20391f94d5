"""How well each point of the tumor surface can be seen: where no image shows an edge, no margin follows from its contour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.margin_surface import MarginSurface, around
from service.regions.region import Region
from service.volumes.noise import noise_sd
from service.volumes.surface import sample
from service.volumes.volume import Matrix, Volume


@dataclass(frozen=True, slots=True, eq=False)
class Visibility:
    """What can be judged: `assessable` (n,) for the points of a surface, `reasons` the share (0-1) of area lost to each."""

    assessable: NDArray[np.bool_]
    reasons: Mapping[str, float]


LOWEST_CNR = 4.0  # of a patch: 1 of a voxel; below it an edge is a guess, quality gate Q5
PATCH_NOISE = 0.256  # SD that smoothing by .7 voxel leaves of a voxel's noise: (2 sqrt(pi) .7) ** -1.5
INWARD, OUTWARD = 2.0, 3.0  # mm from the edge to where a tissue is judged
VOID = 0.1  # of the liver's signal: less is no tissue
TOUCHING = 0.5  # mm
SMOOTHING = 0.7  # voxels; a patch, not a voxel, is judged
COVERED = 0.99  # of a patch that must be known
BLURRED = 5  # voxels beyond the farthest place judged that smoothing and interpolation look at


def visibility(surface: MarginSurface, tumor: Region, zone: Region, phases: Mapping[str, Volume]) -> Visibility:
    """Which points of the tumor surface have an edge that can be seen on both sides of the margin.

    A point is assessable when, in at least one phase, tumor and ablated tissue differ by a contrast-to-noise ratio of 4 (of
    a smoothed patch), and in at least one phase ablated tissue and untreated liver do, at its nearest place; and when
    neither lies at the border of the volume or in a signal void. `phases` are on the grid of the regions.
    """
    inner, outer = np.zeros(len(surface.points)), np.zeros(len(surface.points))
    seen = np.zeros(len(surface.points), dtype=bool)
    reach = [int(np.ceil(OUTWARD / size)) + BLURRED for size in tumor.mask.spacing]
    low, high = around(tumor, zone, (reach[0], reach[1], reach[2]))
    for volume in phases.values():
        tissue = _Tissue.of(volume.crop(low, high), tumor.crop(low, high), zone.crop(low, high))
        if tissue is None:
            continue
        at_tumor, at_liver = _probe(surface, tissue.smooth)
        inner = np.fmax(inner, np.abs(at_tumor - tissue.ablated) / tissue.noise)
        outer = np.fmax(outer, np.abs(at_liver - tissue.ablated) / tissue.noise)
        seen |= (at_liver > VOID * tissue.liver) & np.isfinite(at_tumor)
    lost = {
        "tumor_contrast": inner < LOWEST_CNR,
        "zone_contrast": outer < LOWEST_CNR,
        "no_signal": ~seen,
        "field_of_view": _at_border(surface, tumor.mask),
    }
    total = float(surface.areas.sum())
    share = {reason: float(surface.areas[points].sum()) / total for reason, points in lost.items()}
    return Visibility(~np.any(list(lost.values()), axis=0), {reason: part for reason, part in share.items() if part > 0})


@dataclass(frozen=True, slots=True, eq=False)
class _Tissue:
    """One phase: smoothed image, level of ablated tissue and of liver around it, noise SD of a patch."""

    smooth: Volume
    ablated: float
    liver: float
    noise: float

    @classmethod
    def of(cls, volume: Volume, tumor: Region, zone: Region) -> _Tissue | None:
        """None when the phase does not cover the zone."""
        known = np.isfinite(volume.values)
        margin = (zone.mask.values > 0.95) & (tumor.mask.values < 0.05) & known
        around = ndimage.binary_dilation(zone.mask.values > 0.05, iterations=4) & (zone.mask.values < 0.05) & known
        if margin.sum() < 8 or around.sum() < 8:
            return None
        # What the phase does not cover stays unknown: as a zero it would be the best contrast of all.
        covered = ndimage.gaussian_filter(known.astype(np.float32), SMOOTHING) > COVERED
        values = ndimage.gaussian_filter(np.nan_to_num(volume.values), SMOOTHING)
        smooth = volume.with_values(np.where(covered, values, np.float32(np.nan)))
        noise = max(PATCH_NOISE * noise_sd(volume, margin), 1e-6)
        return cls(smooth, float(np.median(volume.values[margin])), float(np.median(volume.values[around])), noise)


def _probe(surface: MarginSurface, smooth: Volume) -> tuple[Matrix, Matrix]:
    """Signal `INWARD` mm inside the tumor and `OUTWARD` mm beyond the edge of the zone, for each point."""
    step = (surface.nearest - surface.points) * np.where(surface.margin < 0, -1.0, 1.0)[:, None]
    # Where both surfaces touch, the step has no direction: there it is that from the middle of the tumor.
    step = np.where(np.abs(surface.margin)[:, None] < TOUCHING, surface.points - surface.points.mean(axis=0), step)
    toward = step / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-6)
    return sample(smooth, surface.points - INWARD * toward), sample(smooth, surface.nearest + OUTWARD * toward)


def _at_border(surface: MarginSurface, grid: Volume) -> NDArray[np.bool_]:
    """Points whose tumor or liver side lies in the outermost voxels, where nothing beyond is known."""
    last = np.array(grid.shape) - 1
    at = np.zeros(len(surface.points), dtype=bool)
    for points in (surface.points, surface.nearest):
        index = grid.to_index(points)
        at |= ((index < 0.5) | (index > last - 0.5)).any(axis=1)
    return at
