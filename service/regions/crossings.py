"""A second measurement of the minimum margin, by other means, to check the first.

Where a line across a mask passes its half, a point lies on its surface: no field is fitted and no mesh is made. The
smallest distance between such points of the tumor and of untreated liver is the margin, a little too wide by the points'
spacing. What both measurements share is the masks alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.region import Region
from service.volumes.cells import cuts_of, on_cells, spread
from service.volumes.products import twicing
from service.volumes.surface import sample, tree_of
from service.volumes.volume import Array, Matrix, Volume, box_of

SMOOTHING = 0.6  # voxels, of the signed distance of whole voxels
QUIET, LOUD = 0.4, 3.5  # voxels, of fractions; more for each unit of noise
SOME = 16  # a crossing of so many is looked at first
BESIDE = 4  # voxels around a tumor beyond the reach of its distance, so that no filter meets the border
SCALE = 4.0  # mm of distance that count as wholly inside


def minimum_by_crossings(tumor: Region, zone: Region, liver: Region | None, noise: float = 0.0) -> float:
    """The minimum margin, mm, negative where tumor lies in untreated liver; infinite when either surface is not found.

    `noise` is the standard deviation of the fractions.
    """
    tumor = _around(tumor)
    treated = _levels(zone, noise)
    left = 1.0 - treated
    if liver is not None:
        present = liver.mask.values - zone.mask.values >= 0.5
        left = np.where(ndimage.binary_dilation(present), np.minimum(left, _levels(liver, noise)), 0.0).astype(np.float32)
    ours, theirs = _crossings(tumor.mask, _levels(tumor, noise)), _crossings(zone.mask, left)
    if not len(ours) or not len(theirs):
        return float("inf")
    sunk = sample(zone.mask.with_values(left), ours) > 0.5
    return -_farthest(ours[sunk], theirs) if sunk.any() else _nearest(ours, theirs)


def _around(tumor: Region) -> Region:
    """The tumor in the voxels around it: farther out there is none, and the zone's part of the grid is larger."""
    inside = tumor.mask.values > 0.5
    if not inside.any():
        return tumor
    k, j, i = (BESIDE + int(np.ceil(SCALE / size)) for size in tumor.mask.spacing)
    return tumor.crop(*box_of(inside, (k, j, i)))


def _nearest(ours: Matrix, theirs: Matrix) -> float:
    """The smallest distance between two sets of points; from some of them follows how far none need look."""
    tree = tree_of(theirs)
    some = float(tree.query(ours[::SOME])[0].min())
    return min(some, float(tree.query(ours, distance_upper_bound=some)[0].min()))


def _farthest(ours: Matrix, theirs: Matrix) -> float:
    """How far that one of ours is whose nearest is farthest."""
    return float(tree_of(theirs).query(ours)[0].max())


def _levels(region: Region, noise: float) -> Array:
    """A field that is 0.5 on the surface."""
    if not region.binary:
        return twicing(region.mask.values, (QUIET + LOUD * noise,) * 3)
    inside = region.mask.values > 0.5
    inward = ndimage.distance_transform_edt(inside, sampling=region.mask.spacing)
    outward = ndimage.distance_transform_edt(~inside, sampling=region.mask.spacing)
    smooth = twicing(np.clip(inward - outward, -SCALE, SCALE), (SMOOTHING,) * 3)
    return np.asarray(0.5 + smooth / (2.0 * SCALE), dtype=np.float32)


def _crossings(grid: Volume, values: Array) -> Matrix:
    """Where lines of cells cross 0.5, LPS mm (n, 3); between slices the values are interpolated (cubic spline)."""
    cuts = cuts_of(grid)
    cells = on_cells(spread(values, cuts, order=3), grid, cuts)
    return cells.to_mm(np.concatenate([_along(cells.values, axis) for axis in range(3)]))


def _along(values: Array, axis: int) -> Matrix:
    first = np.moveaxis(values, axis, 0)
    here, there = first[:-1], first[1:]
    index: NDArray[np.intp] = np.argwhere((here > 0.5) != (there > 0.5))
    a, b = (part[tuple(index.T)].astype(np.float64) for part in (here, there))
    places = index.astype(np.float64)
    places[:, 0] += (0.5 - a) / (b - a)
    return places[:, _back(axis)]


def _back(axis: int) -> list[int]:
    """Which of the moved axes is slice, row and column."""
    order = [axis, *(other for other in range(3) if other != axis)]
    return [order.index(wanted) for wanted in range(3)]
