"""Patent vessels of the liver: what is much brighter than liver after contrast, and was not so before it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from service.regions.classical.liver import Liver
from service.regions.classical.tissue import resampled
from service.regions.region import Exam
from service.volumes.volume import Array, Volume, box_of, within

BRIGHT = 1.30  # of liver; a lumen that fills its voxel has 1.7, a hyperaemic rim 1.15
BEFORE = 1.15  # of liver before contrast: brighter is blood in tissue
SMALLEST = 0.02  # mL
FEWEST = 20  # voxels of full lumen, without which the signal of blood is not known


def vessel_mask(exam: Exam, liver: Liver, whole: Array) -> Array | None:
    """The fraction (0-1) of each voxel of the reference grid that is lumen, within the liver (`whole`); None without any."""
    if not (whole > 0.5).any():
        return None
    low, high = box_of(whole > 0.5)
    late, early = (exam.phases[role].crop(low, high) for role in (liver.late, liver.early))
    part = _lumen(late, early, liver, whole[within(low, high)])
    if part is None:
        return None
    found = np.zeros_like(whole)
    found[within(low, high)] = part
    return found


def _lumen(late: Volume, early: Volume, liver: Liver, whole: Array) -> Array | None:
    """The same on the part of the grid that holds liver."""
    signal = late.values / resampled(liver.levels[liver.late], late)
    signal = np.where(whole > 0.5, np.nan_to_num(signal), np.float32(0))
    before = np.nan_to_num(early.values) / resampled(liver.levels[liver.early], late)
    bright = (signal > BRIGHT) & (before < BEFORE)
    labels, count = ndimage.label(bright, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * late.voxel_volume
    sizes[0] = 0
    bright = np.asarray((sizes >= SMALLEST)[labels])
    if bright.sum() < FEWEST:
        return None
    full = float(np.percentile(signal[bright], 80))
    near = ndimage.binary_dilation(bright, structure=np.ones((3, 3, 3))) & (before < BEFORE)
    part = np.clip((signal - 1.0) / max(full - 1.0, 1e-3), 0.0, 1.0)
    return np.where(near, part, np.float32(0)).astype(np.float32)
