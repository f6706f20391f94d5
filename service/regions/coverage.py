"""Whether the liver mask holds all the liver around the zone: a missing lobe would fake a wide margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.region import Region
from service.volumes.volume import Volume, box_of, within

REACH = 10.0  # mm around the zone; beyond it a missing lobe cannot change a margin near 3 mm
LIKE = 2.5  # robust standard deviations around the liver's median signal
SMOOTHING = 0.7  # voxels
BEYOND = 4  # voxels beyond reach that smoothing looks at
LEAST = 0.3  # mL of tissue that looks like liver: less is partial volume along the capsule


def liver_left_out(liver: Region, zone: Region, image: Volume) -> Volume | None:
    """Tissue near the zone that looks like liver in `image` but that the liver mask leaves out (0 or 1); None when little.

    Spleen or muscle that touches the zone looks like liver too; then the margin is stated with more doubt than needed.
    """
    if not (zone.mask.values >= 0.5).any():
        return None
    reach = [int(np.ceil(REACH / size)) + BEYOND for size in image.spacing]
    low, high = box_of(zone.mask.values >= 0.5, (reach[0], reach[1], reach[2]))
    alike = _alike(liver.crop(low, high), zone.crop(low, high), image.crop(low, high))
    if alike is None or float(alike.sum()) * image.voxel_volume < LEAST:
        return None
    whole = np.zeros(image.shape, dtype=np.float32)
    whole[within(low, high)] = alike
    return image.with_values(whole)


def _alike(liver: Region, zone: Region, image: Volume) -> NDArray[np.bool_] | None:
    """What looks like liver near the zone but is not in its mask; None where too little liver is there to compare with."""
    known = np.isfinite(image.values)
    near = ndimage.distance_transform_edt(zone.mask.values < 0.5, sampling=zone.mask.spacing) <= REACH
    ring = near & (zone.mask.values < 0.05) & known
    inside = ring & (liver.mask.values > 0.95)
    if inside.sum() < 30:
        return None
    smooth = ndimage.gaussian_filter(np.nan_to_num(image.values), SMOOTHING)
    middle, spread = _robust(smooth[inside])
    alike = ring & (liver.mask.values < 0.05) & (np.abs(smooth - middle) <= LIKE * spread)
    return np.asarray(ndimage.binary_opening(alike, structure=np.ones((1, 3, 3), dtype=bool)), dtype=bool)


def _robust(values: NDArray[np.float32]) -> tuple[float, float]:
    """Median and standard deviation by the median of absolute deviations."""
    middle = float(np.median(values))
    return middle, float(np.median(np.abs(values - middle))) / 0.6745
