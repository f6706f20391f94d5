"""The sub-voxel surface of a mask: a field in mm, positive inside, whose zero level is the surface.

A voxel of 1.2x1.2x3 mm that is half full says nothing about where in it the surface runs, but its neighbours do. The field
starts with an interpolation; then, round by round, what it predicts for the voxels (blurred as the mask's own edge is, and
averaged over each) is compared with what was seen, and the difference is given back (Irani and Peleg 1991). Between the
rounds the field is smoothed and kept a distance. Smoothing is twicing (Tukey 1977), which leaves curvature as it is: a plain
Gaussian makes every tumor smaller and every margin wider.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.volumes.cells import TARGET, cell_size, cuts_of, gather, on_cells, spread
from service.volumes.point_spread import Softness
from service.volumes.products import smooth, twicing
from service.volumes.volume import Array, Index, Volume

REACH = 4.0  # mm to either side of the surface in which the field is kept
RAMP = 1.0  # mm over which a cell fills, about as wide as a cell
STEEP = 1.5  # mm of field for a fraction, per mm of voxel, at the start
NOISY = 0.02  # noise from which the start is smoothed
BLURRED = 0.1  # cells of blur that are worth a filter
ROUNDS = 12
GAIN = 1.2
SMOOTH = 0.8  # mm; .5 follows the noise, 1.2 rounds creases
SMOOTH_NOISE = 0.5  # more of it for each unit of noise; 3 is smoother on average and misses a notch of two voxels by 1.5 mm
WITHIN_NOISE = 0.25  # of the noise: a difference that is no evidence
ROUNDS_WHOLE = 20
SMOOTH_WHOLE = 0.9
START_WHOLE = 0.7  # voxels

Step = Callable[[Array], Array]


def level_field(of: Softness, target: float = TARGET) -> Volume:
    """The field of a mask of fractions, on cells of about `target` mm."""
    mask = of.mask
    cuts = cuts_of(mask, target)
    size = cell_size(mask, cuts)
    blur = [width / side for width, side in zip(of.blur, size, strict=True)]
    gain = float(np.mean(mask.spacing))
    quiet, strength = np.float32(WITHIN_NOISE * of.noise), np.float32(gain * GAIN)

    def explain(field: Array) -> Array:
        filled = _filled(field)
        seen = smooth(filled, blur) if max(blur) > BLURRED else filled
        missing = mask.values - gather(seen, cuts)
        missing -= np.clip(missing, -quiet, quiet)
        return field + spread(missing * strength, cuts, order=1)

    start = ndimage.gaussian_filter(mask.values, 0.5) if of.noise > NOISY else mask.values
    field = np.clip((spread(start, cuts, order=3) - 0.5) * gain * STEEP, -REACH, REACH)
    width = SMOOTH * (1.0 + SMOOTH_NOISE * of.noise)
    return on_cells(_rounds(field, explain, width, size, ROUNDS), mask, cuts)


def level_field_of_voxels(mask: Volume, target: float = TARGET) -> Volume:
    """The field of a mask of whole voxels, as a reader's SEG gives it.

    Nothing is known within a voxel, so the surface is the smooth one that every voxel agrees with: wherever the field fills
    less than half of a voxel that is inside (or more than half of one that is outside), the difference is given back.
    Staircases between slices vanish, and a small tumor does not shrink.
    """
    inside = mask.values > 0.5
    cuts = cuts_of(mask, target)
    if not inside.any() or inside.all():
        return on_cells(np.where(spread(inside.astype(np.float32), cuts, order=1) > 0.5, REACH, -REACH), mask, cuts)
    reach, zero = np.float32(max(mask.spacing)), np.float32(0.0)

    def agree(field: Array) -> Array:
        short = np.float32(0.5) - gather(_filled(field), cuts)
        wrong = np.where(inside, np.maximum(short, zero), np.minimum(short, zero))
        return field + spread(wrong * reach, cuts, order=1)

    start = ndimage.gaussian_filter(_signed_distance(inside, mask.spacing), START_WHOLE)
    field = np.clip(spread(start, cuts, order=3), -REACH, REACH)
    return on_cells(_rounds(field, agree, SMOOTH_WHOLE, cell_size(mask, cuts), ROUNDS_WHOLE), mask, cuts)


def _filled(field: Array) -> Array:
    """The share of each cell that lies inside."""
    return np.asarray(np.clip(field * np.float32(1.0 / RAMP) + np.float32(0.5), np.float32(0.0), np.float32(1.0)))


def _rounds(field: Array, step: Step, width: float, size: tuple[float, float, float], rounds: int) -> Array:
    """Give back and smooth by `width` mm, in turn; every second time make it a distance again."""
    widths = [width / side for side in size]
    for number in range(rounds):
        field = twicing(step(field), widths, "nearest")
        if number % 2:
            field = _as_distance(field, size)
    return field


def _as_distance(field: Array, size: tuple[float, float, float]) -> Array:
    """The field with a slope of 1 at its zero level, which stays where it is."""
    square = np.zeros_like(field)
    for axis, side in enumerate(size):
        slope = np.gradient(field, side, axis=axis)
        square += slope * slope
    steep = np.maximum(np.sqrt(square, out=square), np.float32(0.3), out=square)
    return np.clip(field / steep, np.float32(-REACH), np.float32(REACH))


def _signed_distance(inside: NDArray[np.bool_], spacing: tuple[float, float, float]) -> Array:
    """Distance (mm, positive inside) whose zero lies halfway between a voxel inside and its neighbour outside."""
    inward = ndimage.distance_transform_edt(inside, sampling=spacing)
    outward = ndimage.distance_transform_edt(~inside, sampling=spacing)
    return np.asarray(inward - outward, dtype=np.float32)


def cells_of(field: Volume, mask: Volume) -> Index:
    """How many cells of `field` a voxel of `mask` has along each axis."""
    k, j, i = (many // one for many, one in zip(field.shape, mask.shape, strict=True))
    return k, j, i
