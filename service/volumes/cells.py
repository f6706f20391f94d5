"""Cells of about a millimeter, into which voxels are cut: where sub-voxel fields live."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.volumes.products import along, kept
from service.volumes.volume import Array, Index, Volume

TARGET = 1.3  # mm: cells of .75 mm made voxels of 1.5 mm no more exact, and eight times slower


def cuts_of(grid: Volume, target: float = TARGET) -> Index:
    """Into how many cells of about `target` mm each axis of a voxel is cut.

    >>> cuts_of(Volume(np.zeros((2, 2, 2), np.float32), np.diag([3.0, 1.2, 1.2, 1.0])))
    (2, 1, 1)
    """
    k, j, i = (max(1, round(size / target)) for size in grid.spacing)
    return k, j, i


def cell_size(grid: Volume, cuts: Index) -> tuple[float, float, float]:
    """The sides of a cell, mm."""
    k, j, i = (size / cut for size, cut in zip(grid.spacing, cuts, strict=True))
    return k, j, i


def on_cells(values: Array, grid: Volume, cuts: Index) -> Volume:
    """`values` (one for each cell of `grid`) with their place in the patient."""
    affine = grid.affine.copy()
    affine[:3, :3] = grid.affine[:3, :3] / np.array(cuts)
    first = (np.array([1.0 / cut for cut in cuts]) - 1.0) / 2.0
    affine[:3, 3] = grid.to_mm(first)
    return Volume(values.astype(np.float32), affine, grid.frame_of_reference_uid)


def interpolate(volume: Volume, target: float = TARGET) -> Volume:
    """An image on the cells of its grid, linear between voxel centres."""
    cuts = cuts_of(volume, target)
    return on_cells(spread(volume.values, cuts, order=1), volume, cuts)


def spread(values: Array, cuts: Index, order: int) -> Array:
    """`values` interpolated at the centres of the cells (spline of `order`), shape multiplied by `cuts`."""
    result = values
    for axis, cut in enumerate(cuts):
        if cut > 1:
            result = along(result, axis, _interpolation(values.shape[axis], cut, order))
    return result


def gather(cells: Array, cuts: Index) -> Array:
    """The mean of the cells of each voxel."""
    result = cells
    for axis, cut in enumerate(cuts):
        if cut > 1:
            parts = np.moveaxis(result, axis, 0)
            total: Array = sum((parts[n::cut] for n in range(1, cut)), parts[::cut])
            result = np.moveaxis(total * np.float32(1.0 / cut), 0, axis)
    return result


def repeat(values: NDArray[np.bool_], cuts: Index) -> NDArray[np.bool_]:
    """Each voxel's value for all of its cells."""
    result = values
    for axis, cut in enumerate(cuts):
        result = np.repeat(result, cut, axis=axis)
    return result


@lru_cache(maxsize=128)
def _interpolation(count: int, cut: int, order: int) -> Array:
    """The matrix (cells, voxels) that interpolates a line of `count` values at the centres of its cells."""
    centres = (np.arange(count * cut) + 0.5) / cut - 0.5
    rows = [ndimage.map_coordinates(line, centres[None], order=order, mode="nearest") for line in np.eye(count)]
    return kept(np.stack(rows, axis=1))
