"""A contour that was drawn on every second slice: what lies between, halfway from outline to outline."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.volumes.volume import Array, Volume

Mask = NDArray[np.bool_]


def left_out(mask: Volume) -> tuple[int, ...]:
    """Slices without contour between two that show the same part."""
    return tuple(n for a, b in _gaps(mask) for n in range(a + 1, b))


def every_second(mask: Volume) -> bool:
    """Whether no gap is longer than one slice."""
    return all(b - a == 2 for a, b in _gaps(mask))


def filled(mask: Volume) -> tuple[Volume, float]:
    """The mask with the slices that were left out, and the standard deviation that this adds to its surface, mm.

    Each one is the middle between its neighbours by the distance to their outlines (Raya and Udupa 1990). On a ball of radius
    r and slices d apart that lies d^2 / 2r too far inside at its equator: taken as the standard deviation.
    """
    values = mask.values.copy()
    for a, b in _gaps(mask):
        for n in range(a + 1, b):
            part = (n - a) / (b - a)
            depth = (1 - part) * _depth(mask.values[a], mask) + part * _depth(mask.values[b], mask)
            values[n] = _soft(depth, mask)
    whole = mask.with_values(values)
    return whole, _deviation(whole)


def _gaps(mask: Volume) -> list[tuple[int, int]]:
    drawn = mask.values > 0.5
    slices = np.flatnonzero(drawn.any(axis=(1, 2)))
    return [(a, b) for a, b in pairwise(slices.tolist()) if b - a > 1 and (drawn[a] & drawn[b]).any()]


def _depth(plane: Array, mask: Volume) -> NDArray[np.float64]:
    """Distance to the outline in the plane, mm, positive inside."""
    inside = plane > 0.5
    size = mask.spacing[1:]
    return np.asarray(ndimage.distance_transform_edt(inside, size) - ndimage.distance_transform_edt(~inside, size))


def _soft(depth: NDArray[np.float64], mask: Volume) -> Array:
    """Fractions where the others are fractions, whole voxels where they are whole."""
    if np.isin(mask.values, (0.0, 1.0)).all():
        return (depth > 0).astype(np.float32)
    return np.clip(0.5 + depth / max(mask.spacing[1:]), 0, 1).astype(np.float32)


def _deviation(whole: Volume) -> float:
    volume = float(whole.values.sum()) * whole.voxel_volume * 1000.0
    radius = max((3.0 * volume / (4.0 * np.pi)) ** (1 / 3), whole.spacing[0])
    return float(whole.spacing[0] ** 2 / (2.0 * radius))
