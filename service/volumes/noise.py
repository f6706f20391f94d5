"""The noise of an image, from the image alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.volumes.volume import Matrix, Volume

MAD_TO_SD = 0.6745  # of a normal distribution: median absolute deviation over SD
NEIGHBOURHOOD = 1.5  # windows' SD


def noise_sd(volume: Volume, where: NDArray[np.bool_]) -> float:
    """Noise SD of a voxel inside the even tissue `where`: from differences of neighbours in a row, by median.

    Robust to a slow bias field and to a few bright voxels (Immerkaer's idea with a median).
    """
    pair = where[:, :, 1:] & where[:, :, :-1]
    difference = (volume.values[:, :, 1:] - volume.values[:, :, :-1])[pair]
    difference = difference[np.isfinite(difference)]
    if difference.size < 8:
        return float(np.nanstd(volume.values[where]))
    return float(np.median(np.abs(difference)) / MAD_TO_SD / np.sqrt(2.0))


def standard_error_share(window: tuple[float, ...]) -> float:
    """Variance of a mean under a Gaussian window with these SDs (voxels) over the variance of one voxel.

    >>> round(standard_error_share((2.0, 2.0, 2.0)) ** -1)
    356
    """
    share = 1.0
    for width in window:
        reach = np.arange(-np.ceil(5 * width), np.ceil(5 * width) + 1)
        kernel = np.exp(-0.5 * (reach / width) ** 2)
        share *= float((kernel**2).sum() / kernel.sum() ** 2)
    return share


def local_sd(deviation: Volume, points: Matrix, window: tuple[float, ...]) -> Matrix:
    """SD (n,) near each of `points` (n, 3) from absolute deviations, NaN where unknown, by their median; 0 where none is known.

    The median changes over where half of the neighbourhood (1.5 windows' SD, voxels) does: no noise leaks from beside.
    """
    reach = [max(1, int(np.ceil(NEIGHBOURHOOD * width))) for width in window]
    offsets = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    near = offsets[np.linalg.norm(offsets / np.maximum(window, 1.0 / NEIGHBOURHOOD), axis=1) <= NEIGHBOURHOOD]
    index = np.round(deviation.to_index(points)).astype(np.int64)[:, None] + near
    inside = ((index >= 0) & (index < np.array(deviation.shape))).all(axis=-1)
    k, j, i = np.moveaxis(np.clip(index, 0, np.array(deviation.shape) - 1), -1, 0)
    values = np.sort(np.where(inside, deviation.values[k, j, i], np.nan), axis=1)  # NaN last
    count = np.isfinite(values).sum(axis=1)
    middle = values[np.arange(len(points)), np.maximum(count - 1, 0) // 2]
    return np.where(count > 0, middle, 0.0).astype(np.float64) / MAD_TO_SD
