"""The reference phase as a stack of planes, and masks laid on it voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from service.errors import Unusable
from service.study.model import Phase, Plane
from service.volumes.volume import Matrix, Volume

Mask = NDArray[np.bool_]

_HALF = 0.5 - 1e-6  # what is exactly half full counts as inside, whatever the last digit of the arithmetic


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The planes of a phase in the order of their position along the normal, and where their voxels are.

    `affine` maps (plane k, row j, column i, 1) of a voxel centre to LPS mm, as in `Volume`; `shape` is (planes, rows,
    columns); `spacing` the distance of neighbouring planes, mm (the slice thickness when there is one plane).
    """

    planes: tuple[Plane, ...]
    affine: Matrix
    shape: tuple[int, int, int]
    spacing: float

    def to_index(self, points: Matrix) -> Matrix:
        """Fractional indices (k, j, i), (..., 3), of LPS positions (..., 3)."""
        return np.asarray((points - self.affine[:3, 3]) @ np.linalg.inv(self.affine[:3, :3]).T)

    def to_mm(self, index: Matrix) -> Matrix:
        """LPS positions (..., 3) of fractional indices (..., 3) given as (k, j, i)."""
        return np.asarray(index @ self.affine[:3, :3].T + self.affine[:3, 3])

    def nearest(self, points: Matrix) -> int:
        """The plane (k) that lies nearest to a position (3,)."""
        return int(np.clip(np.rint(self.to_index(points)[0]), 0, len(self.planes) - 1))


def stack(phase: Phase) -> Grid:
    """The grid of a phase.

    Raises:
        Unusable: a plane does not say where it is.
    """
    normal = _normal(phase.planes[0])
    planes = tuple(sorted(phase.planes, key=lambda plane: float(np.dot(_position(plane), normal))))
    rows, columns = planes[0].instance.rows, planes[0].instance.columns
    affine = np.eye(4)
    affine[:3, 0] = _step(planes, normal)
    affine[:3, 1:3] = _in_plane(planes[0])
    affine[:3, 3] = _position(planes[0])
    return Grid(planes, affine, (len(planes), rows, columns), float(np.linalg.norm(affine[:3, 0])))


def lay(mask: Volume, grid: Grid) -> Mask:
    """Which voxels of the grid are inside a soft mask (at least half full), shape (planes, rows, columns).

    A mask on a grid of its own is interpolated linearly; outside its own grid it is empty.
    """
    if mask.shape == grid.shape and np.allclose(mask.affine, grid.affine, atol=1e-3):
        return np.asarray(mask.values >= _HALF)
    laid = np.zeros(grid.shape, dtype=bool)
    window = _window(mask, grid)
    if window is None:
        return laid
    to_mask = np.linalg.inv(mask.affine) @ grid.affine
    start = np.array([part.start for part in window])
    values = affine_transform(
        np.asarray(mask.values, dtype=np.float32),
        np.round(to_mask[:3, :3], 6),
        offset=np.round(to_mask[:3, :3] @ start + to_mask[:3, 3], 6),
        output_shape=tuple(part.stop - part.start for part in window),
        order=1,
        mode="constant",
        cval=0.0,
    )
    laid[window] = values >= _HALF
    return laid


def _window(mask: Volume, grid: Grid) -> tuple[slice, slice, slice] | None:
    """The part of the grid that a mask can reach, None when that is nothing."""
    inside = mask.values >= _HALF
    if not inside.any():
        return None
    ends = [np.flatnonzero(inside.any(axis=axes))[[0, -1]] + (-1, 1) for axes in ((1, 2), (0, 2), (0, 1))]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.float64)
    to_grid = np.linalg.inv(grid.affine) @ mask.affine
    index = corners @ to_grid[:3, :3].T + to_grid[:3, 3]
    low = np.clip(np.floor(index.min(axis=0)), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, grid.shape).astype(int)
    k, j, i = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return (k, j, i) if bool(np.all(high > low)) else None


def _step(planes: tuple[Plane, ...], normal: Matrix) -> Matrix:
    """From one plane to the next, mm (x, y, z)."""
    if len(planes) == 1:
        return normal * float(planes[0].instance.slice_thickness or 1.0)
    return (_position(planes[-1]) - _position(planes[0])) / (len(planes) - 1)


def _in_plane(plane: Plane) -> Matrix:
    """From one row to the next and from one column to the next, mm, as the columns of a 3 x 2 matrix."""
    along_row, along_column = _directions(plane)
    between_rows, between_columns = plane.frame.spacing or (1.0, 1.0)
    return np.stack([along_column * between_rows, along_row * between_columns], axis=1)


def _normal(plane: Plane) -> Matrix:
    return np.asarray(np.cross(*_directions(plane)))


def _directions(plane: Plane) -> tuple[Matrix, Matrix]:
    if plane.frame.orientation is None or plane.frame.spacing is None:
        raise Unusable("report.geometry", "A plane of the reference phase has no orientation or pixel spacing.")
    orientation = np.asarray(plane.frame.orientation, dtype=np.float64)
    return orientation[:3], orientation[3:]


def _position(plane: Plane) -> Matrix:
    if plane.frame.position is None:
        raise Unusable("report.geometry", "A plane of the reference phase has no position.")
    return np.asarray(plane.frame.position, dtype=np.float64)
