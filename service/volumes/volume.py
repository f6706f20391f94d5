"""The volume: an array that knows where in the patient it is.

Source of the convention: DICOM PS3.3 C.7.6.2 (Image Plane); LPS, mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Matrix = NDArray[np.float64]
Index = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Values on a regular grid.

    `values` has axes (slice k, row j, column i). `affine` is 4x4 and maps the index column vector (k, j, i, 1) of a voxel
    CENTRE to (x, y, z, 1) in LPS mm. Axes are orthogonal; slices may run in either direction.
    """

    values: Array
    affine: Matrix
    frame_of_reference_uid: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of slices, rows, columns."""
        k, j, i = self.values.shape
        return k, j, i

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring centres along (k, j, i), mm."""
        k, j, i = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(k), float(j), float(i)

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel, mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def to_mm(self, index: NDArray[np.floating]) -> Matrix:
        """LPS positions (..., 3) of fractional indices (..., 3) given as (k, j, i)."""
        places = np.asarray(index, dtype=np.float64)
        return (places.reshape(-1, 3) @ self.affine[:3, :3].T + self.affine[:3, 3]).reshape(places.shape)

    def to_index(self, points: NDArray[np.floating]) -> Matrix:
        """Fractional indices (k, j, i), (..., 3), of LPS positions (..., 3)."""
        inverse = np.linalg.inv(self.affine[:3, :3])
        places = np.asarray(points, dtype=np.float64)
        return ((places.reshape(-1, 3) - self.affine[:3, 3]) @ inverse.T).reshape(places.shape)

    def with_values(self, values: Array) -> Volume:
        """The same grid with other values of the same shape."""
        return replace(self, values=values)

    def same_grid(self, other: Volume, tolerance: float = 1e-3) -> bool:
        """Whether both grids have the same voxels within `tolerance` mm."""
        return self.shape == other.shape and bool(np.allclose(self.affine, other.affine, atol=tolerance))

    def crop(self, low: Index, high: Index) -> Volume:
        """The voxels low <= index < high (k, j, i), clipped to the grid; the affine follows."""
        start = np.clip(low, 0, np.array(self.shape) - 1)
        stop = np.clip(high, start + 1, self.shape)
        values = self.values[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
        affine = self.affine.copy()
        affine[:3, 3] = self.to_mm(start)
        return replace(self, values=values, affine=affine)


def box_of(inside: NDArray[np.bool_], pad: Index = (0, 0, 0)) -> tuple[Index, Index]:
    """Lowest and (exclusive) highest index (k, j, i) of what is True, `pad` voxels wider, clipped to the array.

    >>> box_of(np.eye(5, dtype=bool)[None, 1:3], pad=(1, 1, 1))
    ((0, 0, 0), (1, 2, 4))

    Raises:
        ValueError: Nothing is True.
    """
    spans = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    if not spans[0].size:
        raise ValueError("an empty mask has no box")
    low = tuple(max(0, int(span[0]) - more) for span, more in zip(spans, pad, strict=True))
    high = tuple(min(n, int(span[-1]) + 1 + more) for span, more, n in zip(spans, pad, inside.shape, strict=True))
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def within(low: Index, high: Index) -> tuple[slice, slice, slice]:
    """The slices (k, j, i) of a box, to cut it out of an array or to put it back."""
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])
