"""The noise of an image, from the image alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.volumes.volume import Volume


def noise_sd(volume: Volume, where: NDArray[np.bool_]) -> float:
    """Noise SD of a voxel inside the even tissue `where`: from differences of neighbours in a row, by median.

    Robust to a slow bias field and to a few bright voxels (Immerkaer's idea with a median).
    """
    pair = where[:, :, 1:] & where[:, :, :-1]
    difference = (volume.values[:, :, 1:] - volume.values[:, :, :-1])[pair]
    difference = difference[np.isfinite(difference)]
    if difference.size < 8:
        return float(np.nanstd(volume.values[where]))
    return float(np.median(np.abs(difference)) / 0.6745 / np.sqrt(2.0))


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
