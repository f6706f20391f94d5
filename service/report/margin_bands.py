"""The measured margin as voxels: a thin shell around the tumor in bands, and lines.

The shell lies outside the tumor, so that it hides nothing of it and a reader sees it as a coloured rim on every slice. It is
about 2 mm wide in the slice (one or two voxels, whatever their size) and one slice thick above and below the tumor, where the
rim closes over it. It does not end where the ablation zone does: a margin of 0 mm or less lies just there.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from service.regions.margin_surface import MarginSurface
from service.regions.visibility import Visibility
from service.report.grid import Grid, Mask
from service.study.model import Vector
from service.volumes.volume import Matrix, box_of, within

Voxels = NDArray[np.signedinteger]

EDGES = (0.0, 3.0, 5.0, 10.0)  # mm; a band holds its upper edge, as 3 mm is not more than 3 mm
WIDTH = 2.0  # mm of the shell in the plane of the slices
LINE = 1.0  # mm around a line that count as it
STEP = 0.25  # mm along it


def margin_bands(surface: MarginSurface | None, seen: Visibility | None, grid: Grid, tumor: Mask) -> tuple[Mask, ...]:
    """The shell of the tumor's mask for each of the bands up to `EDGES`, shape (planes, rows, columns) each; else nothing.

    A voxel belongs to the band of the nearest point of the surface, and to none where that point cannot be assessed or has
    more margin than the last band.
    """
    if surface is None or seen is None or not tumor.any():
        return ()
    shell = _shell(tumor, grid)
    voxels = np.argwhere(shell)
    _, nearest = cKDTree(surface.points).query(_to_mm(voxels, grid))
    number = np.where(seen.assessable[nearest], np.searchsorted(EDGES, surface.margin[nearest], side="left"), len(EDGES))
    return tuple(_mask(voxels[number == band], grid) for band in range(len(EDGES)))


def line_mask(line: Iterable[Vector], grid: Grid) -> Mask:
    """The voxels that a line (LPS mm) runs through or passes within `LINE` of, shape (planes, rows, columns)."""
    points = _dense(np.array(list(line), dtype=np.float64))
    index = (points - grid.affine[:3, 3]) @ np.linalg.inv(grid.affine[:3, :3]).T
    through = np.round(index).astype(np.int64)
    mask = _mask(through[((through >= 0) & (through < grid.shape)).all(axis=1)], grid)
    if mask.any():
        near = np.argwhere(ndimage.binary_dilation(mask, iterations=2))
        distance, _ = cKDTree(points).query(_to_mm(near, grid))
        mask |= _mask(near[distance <= LINE], grid)
    return mask


def _shell(tumor: Mask, grid: Grid) -> Mask:
    """What lies around the mask: `WIDTH` in the plane of the slices, a slice above and below."""
    spacing = np.linalg.norm(grid.affine[:3, 1:3], axis=0)
    j, i = (max(1, round(WIDTH / float(size))) for size in spacing)
    low, high = box_of(tumor, (1, j, i))
    part = tumor[within(low, high)]
    rows, columns = np.ogrid[-j : j + 1, -i : i + 1]
    disc = (rows / (j + 0.5)) ** 2 + (columns / (i + 0.5)) ** 2 <= 1.0
    wide = ndimage.binary_dilation(part, disc[None]) | ndimage.binary_dilation(part, np.ones((3, 1, 1), dtype=bool))
    shell = np.zeros(grid.shape, dtype=bool)
    shell[within(low, high)] = wide & ~part
    return shell


def _dense(line: Matrix) -> Matrix:
    """The line with a point at least every `STEP`."""
    pieces = [
        np.linspace(start, end, max(2, int(np.ceil(np.linalg.norm(end - start) / STEP)) + 1)) for start, end in pairwise(line)
    ]
    return np.concatenate([line[:1], *pieces])


def _to_mm(voxels: Voxels, grid: Grid) -> Matrix:
    return np.asarray(voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3])


def _mask(voxels: Voxels, grid: Grid) -> Mask:
    mask = np.zeros(grid.shape, dtype=bool)
    mask[tuple(voxels.T)] = True
    return mask
