"""The tumor surface as seen from its middle: the margin in every direction, on the raster of the map.

A tumor may bulge so that one direction meets its surface several times. There the smallest margin is kept, and the direction
counts as assessable only when all of it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.margin_surface import MarginSurface
from service.regions.visibility import Visibility
from service.report.pictures.projection import HIGH, WIDE, on_map, project
from service.volumes.volume import Matrix

COLUMNS, ROWS = 480, 240
PIXEL = 2.0 * WIDE / COLUMNS  # about .7 degrees
STEP = 0.8 * PIXEL  # radian between samples of the surface
FINEST = 60  # cuts of the edge of a triangle: one that passes the middle itself covers half of all directions
GAP = 3.0  # pixels between samples that are closed; what is wider has no surface


@dataclass(frozen=True, slots=True, eq=False)
class Unrolled:
    """The raster of the map.

    `x` (columns,) and `y` (rows,): map positions of the pixels, upwards. `margin` (rows, columns) mm, NaN where no surface
    lies in that direction; `hidden` (rows, columns) where the margin cannot be judged. Both go on a few pixels beyond the
    ellipse, so that a picture can be cut at its edge.
    """

    x: Matrix
    y: Matrix
    margin: Matrix
    hidden: NDArray[np.bool_]

    @property
    def incomplete(self) -> bool:
        """Whether some direction meets no surface."""
        positions = np.stack(np.meshgrid(self.x, self.y), axis=-1)
        return bool(np.isnan(self.margin[on_map(positions)]).any())


def middle(surface: MarginSurface) -> Matrix:
    """The centroid (3,) of the surface, LPS mm."""
    return np.asarray(np.average(surface.points, axis=0, weights=surface.areas))


def unroll(surface: MarginSurface, visibility: Visibility) -> Unrolled:
    """The margin in all directions from the middle of the surface."""
    lowest = np.full(ROWS * COLUMNS, np.inf)
    hidden = np.zeros(ROWS * COLUMNS, dtype=bool)
    for pixels, margin, seen in _samples(surface, visibility.assessable):
        np.minimum.at(lowest, pixels, margin)
        hidden[pixels[~seen]] = True
    margin, hidden = _closed(lowest.reshape(ROWS, COLUMNS), hidden.reshape(ROWS, COLUMNS))
    x = (np.arange(COLUMNS) + 0.5) * PIXEL - WIDE
    return Unrolled(x, (np.arange(ROWS) + 0.5) * PIXEL - HIGH, margin, hidden)


def _samples(
    surface: MarginSurface, assessable: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.int64], Matrix, NDArray[np.bool_]]]:
    """Pixel, margin and assessability of points that lie denser on every triangle than the pixels do."""
    rays = surface.points - middle(surface)
    cuts = _cuts(rays[surface.faces])
    for count in np.unique(cuts):
        faces = surface.faces[cuts == count]
        weights = _barycentric(int(count))
        points = np.einsum("wc,mcd->mwd", weights, rays[faces]).reshape(-1, 3)
        margin = (surface.margin[faces] @ weights.T).ravel()
        yield _pixels(points), margin, assessable[faces][:, np.argmax(weights, axis=1)].ravel()


def _cuts(corners: Matrix) -> NDArray[np.int64]:
    """Into how many parts the edges of each triangle, corners (m, 3, 3) from the middle, are cut."""
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    nearest = np.linalg.norm(corners, axis=2).min(axis=1)
    cuts = np.ceil(longest / np.maximum(nearest, 1e-6) / STEP)
    return np.asarray(np.clip(cuts, 1, FINEST), dtype=np.int64)


def _barycentric(count: int) -> Matrix:
    """Weights (w, 3) of the three corners at the points that cut each edge into `count` parts."""
    first, second = (part.ravel() for part in np.meshgrid(np.arange(count + 1), np.arange(count + 1)))
    inside = first + second <= count
    first, second = first[inside], second[inside]
    return np.stack([first, second, count - first - second], axis=1) / count


def pixel_of(positions: Matrix) -> NDArray[np.int64]:
    """Column and row (..., 2) of the pixel at map positions (..., 2)."""
    pixel = ((positions + np.array([WIDE, HIGH])) / PIXEL).astype(np.int64)
    return np.asarray(np.clip(pixel, 0, (COLUMNS - 1, ROWS - 1)), dtype=np.int64)


def _pixels(rays: Matrix) -> NDArray[np.int64]:
    """The flat index of the pixel that each ray (n, 3) meets."""
    length = np.linalg.norm(rays, axis=1, keepdims=True)
    column, row = pixel_of(project(np.where(length > 1e-9, rays, np.array([0.0, -1.0, 0.0])))).T
    return np.asarray(row * COLUMNS + column)


def _closed(lowest: Matrix, hidden: NDArray[np.bool_]) -> tuple[Matrix, NDArray[np.bool_]]:
    """The raster with gaps between samples closed by the nearest one, and NaN where no surface is near."""
    distance, (row, column) = ndimage.distance_transform_edt(np.isinf(lowest), return_indices=True)
    near = distance <= GAP
    return np.where(near, lowest[row, column], np.nan), hidden[row, column] & near
