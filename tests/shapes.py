"""Bodies with closed formulas, sampled to fractions: truth that shares no code with what it tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.region import Kind, Region
from service.volumes.volume import Volume

Points = NDArray[np.float64]
Inside = Callable[[Points], NDArray[np.bool_]]
CUTS, SOME = 6, 3  # points along each side of a voxel


def ball(radius: float, center: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Inside:
    """Points (..., 3) within `radius` mm of `center`."""
    return lambda points: np.linalg.norm(points - np.array(center), axis=-1) <= radius


def grid(half: float = 30.0, spacing: tuple[float, float, float] = (3.0, 1.2, 1.2)) -> Volume:
    """An empty axial grid around the origin, at least `half` mm to each side; spacing is (z, y, x)."""
    shape = tuple(int(np.ceil(2 * half / size)) for size in spacing)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, spacing[2]], [0, spacing[1], 0], [spacing[0], 0, 0]])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2.0)
    return Volume(np.zeros(shape, np.float32), affine, "1.2.3")


def fractions(inside: Inside, onto: Volume) -> Volume:
    """How much of each voxel of `onto` lies inside, by counting 216 points of it.

    First 27 points tell the voxels that are full or empty, as all voxels beside them are too; the others are counted.
    """
    first = _counted(inside, onto, _voxels(onto), SOME) / SOME**3
    mixed = ndimage.maximum_filter(first, 3) != ndimage.minimum_filter(first, 3)
    mixed |= (first > 0) & (first < 1)
    values = np.asarray(first, dtype=np.float32)
    values[mixed] = _counted(inside, onto, _voxels(onto)[mixed], CUTS) / CUTS**3
    return onto.with_values(values)


def _voxels(onto: Volume) -> Points:
    return np.stack(np.meshgrid(*[np.arange(size) for size in onto.shape], indexing="ij"), axis=-1).astype(np.float64)


def _counted(inside: Inside, onto: Volume, index: Points, cuts: int) -> Points:
    """How many of `cuts` points along each axis of these voxels (..., 3) lie inside."""
    steps = (np.arange(cuts) + 0.5) / cuts - 0.5
    total, middles, turned = np.zeros(index.shape[:-1]), onto.to_mm(index), onto.affine[:3, :3]
    for step in np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3):
        total += inside(middles + turned @ step)
    return total


def region(kind: Kind, inside: Inside, onto: Volume, *, binary: bool = False) -> Region:
    """A region as somebody who knows the truth would draw it, in fractions or in whole voxels."""
    mask = fractions(inside, onto)
    if binary:
        mask = mask.with_values((mask.values > 0.5).astype(np.float32))
    return Region(kind, mask, "truth", binary=binary)
