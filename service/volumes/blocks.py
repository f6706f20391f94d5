"""Where small blocks of one image are found in another, whatever the contrast of the two.

Two phases show the same edges with other brightness, even reversed (a vessel is dark before contrast and bright after it).
So blocks are compared by the direction of their edges, up to sign: the products n n' of the saturated gradient
n = g / sqrt(g.g + eta^2), a form of the normalised gradient field (Haber and Modersitzki 2006). The similarity of a block
over all shifts within reach is a small volume; its peak and curvature say where the block went and how surely, in each
direction: a flat edge says nothing along itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from service.volumes.resampling import extended
from service.volumes.volume import Array, Matrix, Volume

HALF_BLOCK = 14.0  # mm; holds part of an organ's edge and some vessels
BLOCKS = 80
SMOOTH = 0.7  # voxels of the coarser of two grids, standard deviation
MOST = 0.8  # of a block; beyond the edge of an image there is nothing to match
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_Kind = TypeVar("_Kind", bound=np.generic)
DOUBLE = np.sqrt(np.array([1, 1, 1, 2, 2, 2], dtype=np.float32))  # off-diagonal products count twice


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Blocks of a reference: `centres` (n, 3) indices (k, j, i) into `grid`, `half` their half side in voxels.

    They are looked for within `reach` voxels. `spectrum` (n, 6, k, j, i) is the conjugate Fourier transform of their edge
    products on a window of that size, `energy` (n) the sum of the squares of these.
    """

    grid: Volume
    centres: NDArray[np.int64]
    half: NDArray[np.int64]
    reach: int
    spectrum: NDArray[np.complexfloating]
    energy: Array

    @property
    def window(self) -> NDArray[np.int64]:
        """Half the side of what is looked at, voxels."""
        return np.asarray(self.half + self.reach)

    @property
    def points(self) -> Matrix:
        """Centres in LPS mm, (n, 3)."""
        return self.grid.to_mm(self.centres.astype(np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """For each block how similarity falls off around its best shift.

    `shift` (n, 3) LPS mm is the best shift on the grid of shifts; `slope` (n, 3) and `curvature` (n, 3, 3) describe the
    similarity near it as S(u) = peak + slope.(u - shift) - (u - shift).curvature.(u - shift) / 2, curvature >= 0.
    """

    shift: Matrix
    slope: Matrix
    curvature: Matrix
    peak: Matrix


def coarser(volume: Volume, target: float, other: Volume) -> Volume:
    """Means over whole voxels, so that the spacing comes near `target` mm, smoothed to show no more than `other` will.

    The Gaussian of .7 voxels tames noise and aliasing; where the coarser grid of `other` has larger voxels, it grows to them.
    """
    small = shrunk(volume, target)
    spacing = np.array(small.spacing)
    width = SMOOTH * np.maximum(spacing, _extent(volume, other, np.array(other.spacing) * _factor(other, target)))
    return small.with_values(ndimage.gaussian_filter(small.values, width / spacing, truncate=3.0))


def shrunk(volume: Volume, target: float) -> Volume:
    """Means over whole voxels, so that the spacing comes near `target` mm; voxels that fill no whole cell are left out."""
    factor = _factor(volume, target)
    count = np.array(volume.shape) // factor
    inner = volume.values[tuple(slice(0, int(n * f)) for n, f in zip(count, factor, strict=True))]
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] * factor
    affine[:3, 3] = volume.to_mm((factor - 1) / 2.0)
    return Volume(_means(inner, factor), affine, volume.frame_of_reference_uid)


def _factor(volume: Volume, target: float) -> NDArray[np.int64]:
    """How many voxels become one along each axis."""
    wished = np.array([max(1, round(target / size)) for size in volume.spacing])
    return np.asarray(np.minimum(wished, volume.shape))


def _extent(volume: Volume, other: Volume, spacing: Matrix) -> Matrix:
    """How large a voxel of `other` (of `spacing`, mm) is along the axes of `volume`, mm."""
    own = volume.affine[:3, :3] / np.array(volume.spacing)
    theirs = other.affine[:3, :3] / np.array(other.spacing) * spacing
    return np.asarray(np.linalg.norm(own.T @ theirs, axis=1))


def _means(values: Array, factor: NDArray[np.int64]) -> Array:
    """Means of blocks of `factor` voxels, axis by axis: much faster than all at once."""
    for axis in (0, 1, 2):
        f = int(factor[axis])
        parts = [values[(*[slice(None)] * axis, slice(n, None, f))] for n in range(f)]
        values = parts[0] if f == 1 else np.asarray(sum(parts) / np.float32(f), dtype=np.float32)
    return values


def edge_scale(volume: Volume) -> float:
    """The gradient (per mm) below which an edge cannot be told from noise: twice the usual one inside the body.

    Every third slice and the gradients within it are enough to tell.
    """
    values = volume.values[::3]
    _, rows, columns = volume.spacing
    flat = min(values.shape[1:]) < 2
    size = np.zeros_like(values) if flat else np.hypot(np.gradient(values, rows, axis=1), np.gradient(values, columns, axis=2))
    body = size[values > 0.3 * float(values.mean())]
    if not body.size:
        return 0.0
    return 1.22 * max(2.0 * float(np.median(body)), 0.05 * float(np.percentile(body, 99)))


def choose_points(grid: Volume, region: Volume | None) -> Matrix:
    """Centres (n, 3; LPS mm) of the blocks that best fix a place in all three directions; only in `region` (mask) if given.

    The smallest eigenvalue of the summed edge products ranks them, or the edge of the body, long and smooth, would win.
    """
    half = _half(grid)
    features = _features(grid.values[None], grid, edge_scale(grid))[0]
    centres = _cell_centres(grid.shape, half)
    points = grid.to_mm(centres.astype(np.float64))
    if region is not None:
        inside = _inside(region, points)
        centres, points = centres[inside], points[inside]
    k, j, i = (centres - half).T
    sums = _sliding_sum(features, 2 * half + 1)[:, k, j, i].T
    strength = np.linalg.eigvalsh(_symmetric(sums / DOUBLE))[:, 0]
    order = np.argsort(-strength, kind="stable")[:BLOCKS]
    return points[order][strength[order] > 0]


def cut_blocks(grid: Volume, points: Matrix, reach: int, side: float = HALF_BLOCK) -> Blocks:
    """Blocks of `grid`, `side` mm to each side of `points` (n, 3; LPS mm), moved to the nearest voxel where one lies inside."""
    half = _half(grid, side)
    centres = np.clip(np.rint(grid.to_index(points)), half, np.array(grid.shape) - 1 - half).astype(np.int64)
    features = _features(_gather(grid.values, centres, half + 1), grid, edge_scale(grid))[:, :, 1:-1, 1:-1, 1:-1]
    spectrum = np.conj(fft.rfftn(features, _padded(half + reach), axes=(2, 3, 4)))
    return Blocks(grid, centres, half, reach, spectrum, np.sum(features**2, axis=(1, 2, 3, 4)))


def _padded(window: NDArray[np.int64]) -> tuple[int, ...]:
    """The side of a Fourier transform that holds a window, voxels."""
    return tuple(fft.next_fast_len(int(2 * n + 1), real=True) for n in window)


def _half(grid: Volume, side: float = HALF_BLOCK) -> NDArray[np.int64]:
    """Half the side of a block in voxels."""
    wished = np.array([max(2, round(side / size)) for size in grid.spacing])
    return np.asarray(np.minimum(wished, np.maximum((np.array(grid.shape) - 1) // 2, 1)))


def _gather(values: NDArray[_Kind], centres: NDArray[np.int64], half: NDArray[np.int64]) -> NDArray[_Kind]:
    """Windows of `values` around `centres`, (n, k, j, i); beyond the edge the last voxel is repeated."""
    k, j, i = (
        np.clip(centres[:, axis, None] + np.arange(-int(h), int(h) + 1), 0, values.shape[axis] - 1)
        for axis, h in enumerate(half)
    )
    return np.asarray(values[k[:, :, None, None], j[:, None, :, None], i[:, None, None, :]])


def match(blocks: Blocks, moving: Volume, scale: float, motion: Matrix) -> tuple[Array, NDArray[np.bool_]]:
    """Similarity (n, 2 reach + 1, same, same), 0-1, of each block at each whole-voxel shift of the reference grid.

    `motion` (4x4) takes a reference point to where it is expected in `moving`; `scale` is `edge_scale(moving)`. The second
    array (n) is False where most of a block lies outside the moving image.
    """
    values, seen = _windows(blocks, moving, motion)
    features = _features(values, blocks.grid, scale)[:, :, 1:-1, 1:-1, 1:-1]
    size, shifts = _padded(blocks.window), 2 * blocks.reach + 1
    product = (blocks.spectrum * fft.rfftn(features, size, axes=(2, 3, 4))).sum(axis=1)
    overlap = fft.irfftn(product, size, axes=(1, 2, 3))[:, :shifts, :shifts, :shifts]
    energy = _sliding_sum(np.sum(features**2, axis=1), 2 * blocks.half + 1)
    similarity = overlap / np.sqrt(np.maximum(blocks.energy[:, None, None, None] * energy, 1e-12))
    return similarity.astype(np.float32), seen


def describe(similarity: Array, grid: Volume) -> Matches:
    """Peak, slope and curvature of each block's similarity, shifts in LPS mm."""
    reach = similarity.shape[1] // 2
    best = np.stack(np.unravel_index(similarity.reshape(len(similarity), -1).argmax(axis=1), similarity.shape[1:]), axis=1)
    middle = np.clip(best, 1, 2 * reach - 1)
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    at = middle[:, None, :] + steps[None]
    near = similarity[np.arange(len(similarity))[:, None], at[..., 0], at[..., 1], at[..., 2]]
    terms = near @ np.linalg.pinv(_quadratic(steps.astype(np.float64))).T
    to_voxels = np.linalg.inv(grid.affine[:3, :3])
    slope = terms[:, 1:4] @ to_voxels
    curvature = to_voxels.T @ _psd(-_symmetric(terms[:, 4:])) @ to_voxels
    return Matches(
        (middle - reach) @ grid.affine[:3, :3].T, slope, curvature, similarity.max(axis=(1, 2, 3)).astype(np.float64)
    )


def _quadratic(at: Matrix) -> Matrix:
    k, j, i = at.T
    return np.stack([np.ones(len(at)), k, j, i, k * k / 2, j * j / 2, i * i / 2, k * j, k * i, j * i], axis=1)


def _symmetric(six: Matrix) -> Matrix:
    full = np.empty((len(six), 3, 3))
    for column, (row, other) in enumerate(PAIRS):
        full[:, row, other] = full[:, other, row] = six[:, column]
    return full


def _psd(matrices: Matrix) -> Matrix:
    """The nearest matrices that curve nowhere upwards."""
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * np.maximum(values, 0.0)[:, None, :]) @ np.swapaxes(vectors, 1, 2))


def _gradient(values: Array, grid: Volume) -> list[Array]:
    """Differences per mm along the last three axes."""
    return [
        np.gradient(values, size, axis=axis - 3).astype(np.float32, copy=False)
        if values.shape[axis - 3] > 1
        else np.zeros_like(values)
        for axis, size in enumerate(grid.spacing)
    ]


def _features(values: Array, grid: Volume, scale: float) -> Array:
    """Products of saturated gradient components, (n, 6, k, j, i), of `values` (n, k, j, i)."""
    parts = _gradient(values, grid)
    size = np.sqrt(sum(part * part for part in parts) + np.float32(scale**2 + 1e-20))
    parts = [np.asarray(part / size, dtype=np.float32) for part in parts]
    products = np.empty((len(values), len(PAIRS), *values.shape[1:]), dtype=np.float32)
    for channel, (weight, (a, b)) in enumerate(zip(DOUBLE, PAIRS, strict=True)):
        np.multiply(parts[a] if a == b else weight * parts[a], parts[b], out=products[:, channel])
    return products


def _cell_centres(shape: tuple[int, int, int], half: NDArray[np.int64]) -> NDArray[np.int64]:
    """Centres of blocks that overlap by half and lie wholly inside."""
    axes = [np.arange(h, n - h, max(1, h)) for n, h in zip(shape, half, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _inside(region: Volume, points: Matrix) -> NDArray[np.bool_]:
    index = region.to_index(points)
    return np.asarray(ndimage.map_coordinates(region.values, index.T, order=1, mode="constant") > 0.1)


def _windows(blocks: Blocks, moving: Volume, motion: Matrix) -> tuple[Array, NDArray[np.bool_]]:
    """Values of `moving` on the reference grid around each centre, (n, k, j, i), and whether most of each was seen."""
    wide = blocks.window + 1
    low, high = blocks.centres.min(axis=0) - wide, blocks.centres.max(axis=0) + wide + 1
    affine = blocks.grid.affine.copy()
    affine[:3, 3] = blocks.grid.to_mm(low)
    box = Volume(np.empty(tuple(high - low), dtype=np.float32), affine)
    centres = blocks.centres - low
    covered = _gather(_covered(moving, box, motion), centres, blocks.half).mean(axis=(1, 2, 3))
    return _gather(extended(moving, box, motion).values, centres, wide), covered > MOST


def _covered(moving: Volume, box: Volume, motion: Matrix) -> NDArray[np.bool_]:
    """The voxels of `box` that lie in `moving`."""
    back = np.linalg.inv(moving.affine) @ motion @ box.affine
    k, j, i = np.ogrid[tuple(slice(0, n) for n in box.shape)]
    inside = np.ones(box.shape, dtype=bool)
    for row, count in zip(back, moving.shape, strict=False):
        at = row[0] * k + row[1] * j + row[2] * i + row[3]
        inside &= (at >= -0.5) & (at <= count - 0.5)
    return inside


def _sliding_sum(values: Array, size: NDArray[np.int64]) -> Array:
    """Sums over boxes of `size` at every place where the box fits, over the last three axes of (n, k, j, i)."""
    total = values.astype(np.float64)
    for axis, width in enumerate(size, start=1):
        summed = np.cumsum(total, axis=axis)
        zero = np.zeros_like(np.take(summed, [0], axis=axis))
        summed = np.concatenate([zero, summed], axis=axis)
        count = summed.shape[axis] - int(width)
        total = np.take(summed, np.arange(count) + int(width), axis=axis) - np.take(summed, np.arange(count), axis=axis)
    return total.astype(np.float32)
