"""How soft the edge of a fractional mask is, and how noisy: measured on the mask itself, never assumed.

Across a plane edge that is blurred with standard deviation s, the integral of f (1 - f) is s / sqrt(pi), whatever the
voxels' phase. So the sum of f (1 - f) over the sum of |grad f| tells s for every direction of the edge, and with it the blur
along the slices and across them. Masks that were blurred by a scanner, a resampling or a network differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.volumes.volume import Array, Matrix, Volume, box_of

CORE_SMOOTHING = 0.5  # voxels, before it is asked what belongs to the body
EDGE_REACH = 3  # voxels around the edge in which anything can belong to it
FILL_REACH = 2  # the same for a volume, into which noise farther out would add up
BESIDE = 6  # voxels beside the last one that holds anything: farther out neither edge nor smoothing reaches
GRADIENT = 0.8  # voxels
POOLING = 1.0  # voxels
STRONG = 0.3  # of the strongest gradient: less is no edge
MOST_BLUR = 0.85  # voxels; a wider edge is doubt about the contour, and sharpening it would invent a surface
QUIET = 0.005  # noise of a fraction that needs no correction
FEWEST = 50  # voxels from which noise can be told
LEVELS = np.linspace(0.0, 1.0, 101)
DRAWS = np.linspace(-4.0, 4.0, 161)


@dataclass(frozen=True, slots=True, eq=False)
class Softness:
    """`mask` without specks far from its edge, the noise SD of its fractions, and `blur` (slice, row, column; mm).

    `blur` is the standard deviation beyond that of the voxel itself.
    """

    mask: Volume
    noise: float
    blur: tuple[float, float, float]

    @property
    def width(self) -> float:
        """Standard deviation (mm) of the whole edge, the voxel's own width included, along the worst axis."""
        return max(float(np.hypot(blur, size / np.sqrt(12.0))) for blur, size in zip(self.blur, self.mask.spacing, strict=True))


def softness(masks: Sequence[Volume]) -> tuple[Softness, ...]:
    """The softness of masks on one grid that were made alike: their blur is estimated from all of them together."""
    cleaned = [_clean(mask) for mask in masks]
    sums = [_moments(one) for one in cleaned]
    left, right = (np.sum([one[side] for one in sums], axis=0) for side in (0, 1))
    blur = _blur(left, right, masks[0].spacing)
    return tuple(Softness(one.mask, one.noise, blur) for one in cleaned)


def filled(mask: Volume) -> float:
    """How many voxels the body of a mask of fractions fills.

    Noise that was clipped to 0-1 adds to empty voxels and takes from full ones, and a small body has more empty ones around
    it than it has of its own: so each mean is turned back into the fraction that has it.
    """
    mask, empty = _cropped(mask)
    one = _clean(mask, FILL_REACH, empty)
    if one.noise < QUIET:
        return float(_clean(mask).mask.values.sum(dtype=np.float64))
    density = np.exp(-0.5 * DRAWS**2)
    means = np.clip(LEVELS[:, None] + one.noise * DRAWS, 0.0, 1.0) @ (density / density.sum())
    smooth = ndimage.gaussian_filter(mask.values, CORE_SMOOTHING).astype(np.float64)
    beyond = (smooth - np.clip(smooth, means[0], means[-1])) * (LEVELS[3] / (means[3] - means[0]))  # so that they cancel out
    fractions = np.interp(smooth, means, LEVELS) + beyond
    return float(np.where(one.edge, fractions, one.mask.values).sum())


@dataclass(frozen=True, slots=True, eq=False)
class _Clean:
    """A mask with nothing but itself, where its edge is, and its noise."""

    mask: Volume
    edge: NDArray[np.bool_]
    noise: float


def _cropped(mask: Volume) -> tuple[Volume, int]:
    """The mask where anything of it can be, and how many voxels of nothing were left out."""
    some = mask.values > 0
    if not some.any():
        return mask, 0
    part = mask.crop(*box_of(some, (BESIDE, BESIDE, BESIDE)))
    return part, mask.values.size - part.values.size


def _clean(mask: Volume, reach: int = EDGE_REACH, empty: int = 0) -> _Clean:
    """Beyond a few voxels (`reach`) from the body there is none of it, and deep inside nothing else.

    `empty` more voxels without any of it lie outside the grid.
    """
    inside = ndimage.gaussian_filter(mask.values, CORE_SMOOTHING) > 0.5
    near = ndimage.binary_dilation(inside, iterations=reach + 1)
    deep = ndimage.binary_erosion(inside, iterations=reach, border_value=1)
    values = np.where(deep, np.float32(1.0), np.where(near, mask.values, np.float32(0.0)))
    return _Clean(mask.with_values(values), near & ~deep, _noise(mask.values, near, deep, empty))


def _noise(values: Array, near: NDArray[np.bool_], deep: NDArray[np.bool_], empty: int) -> float:
    """SD of the fractions far from the edge, of which clipping to 0-1 left one side; `empty` more of them are 0."""
    far = np.concatenate([values[~near], 1.0 - values[deep]]).astype(np.float64)
    count = far.size + empty
    return float(np.sqrt(2.0 * np.sum(far**2) / count)) if count >= FEWEST else 0.0


def _moments(one: _Clean) -> tuple[Matrix, Matrix]:
    """Normal equations (2, 2), (2,) of the edge's variance by the share of its normal along the slice axis and in plane."""
    values, spacing = one.mask.values, one.mask.spacing
    smooth = ndimage.gaussian_filter(values, GRADIENT)
    slopes = [np.gradient(smooth, axis=axis) / size for axis, size in enumerate(spacing)]
    squares = [slope.astype(np.float64) ** 2 for slope in slopes]
    steep = np.sqrt(sum(squares))
    softened = values * (1.0 - values) - _noise_share(np.clip(smooth, 0.0, 1.0), one.noise)
    area = ndimage.gaussian_filter(steep, POOLING)
    mixed = ndimage.gaussian_filter(np.where(one.edge, softened, 0.0), POOLING)
    if not one.edge.any():
        return np.zeros((2, 2)), np.zeros(2)
    used = one.edge & (area > STRONG * np.percentile(area[one.edge], 99))
    variance = np.pi * (np.clip(mixed[used], 0.0, None) / area[used]) ** 2
    along = squares[0][used] / np.maximum(steep[used] ** 2, 1e-12)
    normal, weight = np.stack([along, 1.0 - along], axis=1), area[used][:, None]
    return (normal * weight).T @ normal, (normal * weight).T @ variance


def _noise_share(fractions: Array, noise: float) -> Array:
    """What noise, clipped to 0-1, adds to f (1 - f) on average."""
    if noise < QUIET:
        return np.zeros_like(fractions)
    density = np.exp(-0.5 * DRAWS**2)
    drawn = np.clip(LEVELS[:, None] + noise * DRAWS, 0.0, 1.0)
    added = (drawn * (1.0 - drawn)) @ (density / density.sum()) - LEVELS * (1.0 - LEVELS)
    return np.asarray(np.interp(fractions, LEVELS, added), dtype=np.float32)


def _blur(left: Matrix, right: Matrix, spacing: tuple[float, float, float]) -> tuple[float, float, float]:
    """Standard deviations (mm) beyond the voxels' own, from the normal equations."""
    variances = np.linalg.solve(left + 1e-9 * np.eye(2), right)[[0, 1, 1]]
    k, j, i = (
        float(np.clip(np.sqrt(max(variance - size**2 / 12.0, 0.0)), 0.0, MOST_BLUR * size))
        for variance, size in zip(variances, (spacing[0], *(2 * [np.sqrt(spacing[1] * spacing[2])])), strict=True)
    )
    return k, j, i
