"""Signals of tissues: noise, levels that follow the coil's bias, and fractions between two of them.

Nothing here knows an absolute brightness: every signal is a ratio to that of liver at the same place in the same phase.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.study.model import Role
from service.volumes.volume import Array, Index, Volume, box_of, within

Mask = NDArray[np.bool_]


def shrink(volume: Volume, target: float) -> Volume:
    """Means over whole voxels, spacing near `target` mm; NaN where more than half is unknown."""
    factor = np.array(
        [max(1, min(round(target / size), count)) for size, count in zip(volume.spacing, volume.shape, strict=True)]
    )
    count = np.array(volume.shape) // factor
    inner = volume.values[tuple(slice(0, int(n * f)) for n, f in zip(count, factor, strict=True))]
    known = np.isfinite(inner)
    share = _means(known.astype(np.float32), factor)
    total = _means(np.where(known, inner, np.float32(0)), factor)
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, :3] * factor
    affine[:3, 3] = volume.to_mm((factor - 1) / 2.0)
    values = np.where(share > 0.5, total / np.maximum(share, 0.5), np.float32(np.nan))
    return Volume(values.astype(np.float32), affine, volume.frame_of_reference_uid)


def _means(values: Array, factor: NDArray[np.int64]) -> Array:
    for axis in (0, 1, 2):
        f = int(factor[axis])
        parts = [values[(*[slice(None)] * axis, slice(n, None, f))] for n in range(f)]
        values = parts[0] if f == 1 else np.asarray(sum(parts) / np.float32(f), dtype=np.float32)
    return values


def noise_of(values: Array, where: Mask) -> float:
    """Standard deviation of the noise of a voxel, from neighbours along the rows; edges and slow changes do not count."""
    pair = where[:, :, 1:] & where[:, :, :-1]
    steps = (values[:, :, 1:] - values[:, :, :-1])[pair]
    steps = steps[np.isfinite(steps)]
    return float(np.median(np.abs(steps)) / 0.6745 / np.sqrt(2.0)) if steps.size else float("nan")


def local_mean(values: Array, where: Mask, width: float, spacing: tuple[float, float, float]) -> Array:
    """At each voxel the mean of `values` over `where` nearby (Gaussian, `width` mm); far from all of them, of all of them.

    Raises:
        ValueError: `where` is empty.
    """
    where = where & np.isfinite(values)
    if not where.any():
        raise ValueError("no voxel to take the mean of")
    sigma = [width / size for size in spacing]
    weight = ndimage.gaussian_filter(where.astype(np.float32), sigma, mode="constant", truncate=3.0)
    total = ndimage.gaussian_filter(np.where(where, values, np.float32(0)), sigma, mode="constant", truncate=3.0)
    whole = float(values[where].mean(dtype=np.float64))
    few = np.float32(1e-3)
    return np.asarray((total + few * np.float32(whole)) / (weight + few), dtype=np.float32)


def fraction(
    signals: Mapping[Role, Array], of: Mapping[Role, Array], other: Mapping[Role, Array], noise: Mapping[Role, float]
) -> Array:
    """The most likely fraction of tissue `of` in each voxel, the rest being `other`: about 0-1, not clipped, with noise.

    All phases speak together, each by its contrast over its noise; an unknown voxel of a phase says nothing.
    """
    above = np.zeros(next(iter(signals.values())).shape, dtype=np.float32)
    below = np.full_like(above, 1e-6)
    for role, signal in signals.items():
        contrast = of[role] - other[role]
        known = np.isfinite(signal)
        weight = np.float32(1.0 / noise[role] ** 2)
        above += np.where(known, weight * contrast * (np.nan_to_num(signal) - other[role]), np.float32(0))
        below += np.where(known, weight * contrast**2, np.float32(0))
    return np.asarray(above / below, dtype=np.float32)


def resampled(coarse: Volume, onto: Volume, order: int = 1) -> Array:
    """`coarse` at the voxels of `onto`, whose axes are parallel; beyond its edge the last voxel counts."""
    step = np.linalg.inv(coarse.affine[:3, :3]) @ onto.affine[:3, :3]
    start = coarse.to_index(onto.affine[:3, 3])
    values = ndimage.affine_transform(
        coarse.values.astype(np.float32),
        np.diag(step).copy(),
        offset=start,
        output_shape=onto.shape,
        order=order,
        mode="nearest",
    )
    return np.asarray(values, dtype=np.float32)


def grown(mask: Mask, distance: float, spacing: tuple[float, float, float]) -> Mask:
    """All voxels within `distance` mm of the mask."""
    if not mask.any():
        return mask
    box = within(*box_about(mask, distance, spacing))  # nothing beyond it can be that near
    near = np.zeros_like(mask)
    near[box] = ndimage.distance_transform_edt(~mask[box], sampling=spacing) <= distance
    return near


def shrunk(mask: Mask, distance: float, spacing: tuple[float, float, float]) -> Mask:
    """The voxels of the mask farther than `distance` mm from what is not in it; the border of the image is no end."""
    if not mask.any() or mask.all():
        return mask
    box = within(*box_about(mask, min(spacing), spacing))  # what is nearest of the rest lies within a voxel of it
    core = np.zeros_like(mask)
    core[box] = ndimage.distance_transform_edt(mask[box], sampling=spacing) > distance
    return core


def closed(mask: Mask, distance: float, spacing: tuple[float, float, float]) -> Mask:
    """The mask with its gaps narrower than twice `distance` mm closed."""
    return shrunk(grown(mask, distance, spacing), distance, spacing) | mask


def opened(mask: Mask, distance: float, spacing: tuple[float, float, float]) -> Mask:
    """The mask without what is thinner than twice `distance` mm."""
    return grown(shrunk(mask, distance, spacing), distance, spacing) & mask


def box_about(mask: Mask, pad: float, spacing: tuple[float, float, float]) -> tuple[Index, Index]:
    """Lowest and (exclusive) highest index of the mask, `pad` mm wider, clipped to the image."""
    more = [int(np.ceil(pad / size)) for size in spacing]
    return box_of(mask, (more[0], more[1], more[2]))


def largest(mask: Mask, touching: Mask | None = None) -> Mask:
    """The connected part with most voxels, or with most voxels in `touching`."""
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    votes = np.bincount(labels[touching & mask] if touching is not None else labels.ravel(), minlength=count + 1)
    votes[0] = 0
    return np.asarray(labels == int(votes.argmax())) if votes.any() else np.zeros_like(mask)
