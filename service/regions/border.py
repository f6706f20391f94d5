"""Where the border of the volume cuts what was treated: beyond it the nearest untreated liver cannot be known."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from service.regions.margin_surface import MarginSurface
from service.regions.region import Region
from service.volumes.volume import Matrix

AT_BORDER = 0.25  # voxels from the outermost centres
THIRDS = (-1.0 / 3.0, 0.0, 1.0 / 3.0)  # of a voxel
INSIDE = 0.5  # of a voxel


def at_border(surface: MarginSurface, tumor: Region, zone: Region) -> NDArray[np.bool_]:
    """Points whose tumor or liver side lies in the outermost voxels, or whose nearest liver may lie beyond the border.

    It may where the border cuts the zone nearer to the point than the nearest untreated liver that the volume shows.
    """
    grid = tumor.mask
    last = np.array(grid.shape) - 1
    at = np.zeros(len(surface.points), dtype=bool)
    for points in (surface.points, surface.nearest):
        index = grid.to_index(points)
        at |= ((index < AT_BORDER) | (index > last - AT_BORDER)).any(axis=1)
    cut = _cut(np.maximum(tumor.mask.values, zone.mask.values) >= INSIDE)
    if not len(cut):
        return at
    away, _ = cKDTree(grid.to_mm(cut)).query(surface.points)
    return np.asarray(at | (away < np.abs(surface.margin)))


def _cut(treated: NDArray[np.bool_]) -> Matrix:
    """Where the border of the volume cuts what was treated: nine points (n, 3 indices) on the outer side of each voxel."""
    found = []
    for axis, size in enumerate(treated.shape):
        for layer, border in ((0, -0.5), (size - 1, size - 0.5)):
            rows = np.argwhere(treated.take(layer, axis=axis))
            sides = (rows[:, None] + np.array(list(product(THIRDS, THIRDS)))).reshape(-1, 2)
            found.append(np.insert(sides, axis, border, axis=1))
    return np.concatenate(found)
