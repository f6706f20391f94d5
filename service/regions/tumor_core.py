"""The part of a tumor whose signal is its own: away from its edge, and without blood."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.region import Region
from service.volumes.volume import Volume

Where = NDArray[np.bool_]

PURE = 0.95  # of a voxel
BLOOD = 1.3  # times the liver before contrast; methaemoglobin has 1.85, a tumor .65 to 1.1
FEWEST = 30  # voxels of liver, to compare with
NEAR_EDGE = 3.0  # mm from untreated liver, where a hyperaemic rim would be taken for one of the tumor


def core_of(
    tumor: Region | None,
    phases: Iterable[Volume],
    before: Volume | None = None,
    liver: Region | None = None,
    zone: Region | None = None,
) -> Where:
    """The tumor eroded by one voxel, where all `phases` are known; with `before` (contrast), without what looks like blood."""
    if tumor is None:
        return np.zeros((0, 0, 0), dtype=bool)
    core = ndimage.binary_erosion(tumor.mask.values > PURE)
    for volume in phases:
        core &= np.isfinite(volume.values)
    return np.asarray(core if before is None else core & ~blood(before, liver, zone), dtype=bool)


def blood(before: Volume, liver: Region | None, zone: Region | None) -> Where:
    """What is much brighter than liver before contrast; nothing where too little liver is there to compare."""
    normal = np.isfinite(before.values)
    if zone is not None:
        normal &= zone.mask.values < 1.0 - PURE
    if liver is not None:
        normal &= liver.mask.values > PURE
    if int(normal.sum()) < FEWEST:
        return np.zeros(before.shape, dtype=bool)
    return np.asarray(np.nan_to_num(before.values) > BLOOD * float(np.median(before.values[normal])), dtype=bool)


def layers_of(core: Where, tumor: Region, zone: Region) -> tuple[Where, Where]:
    """The inner and the outer half of the core by volume, without what lies beside untreated liver."""
    spacing = tumor.mask.spacing
    own = core & (ndimage.distance_transform_edt(zone.mask.values >= 0.5, sampling=spacing) > NEAR_EDGE)
    if not own.any():
        return own, own
    depth = ndimage.distance_transform_edt(tumor.mask.values > 0.5, sampling=spacing)
    middle = float(np.median(depth[own]))
    return own & (depth > middle), own & (depth <= middle)
