"""What lies around an ablation zone and is neither liver nor vessel: perfusion anomalies, fluid, blood. Volumes in mL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.region import Region
from service.volumes.volume import Volume, box_of

Where = NDArray[np.bool_]

SMOOTHING = 1.5  # mm
PURE = 0.95
FEWEST = 200  # voxels of liver
RIM = 6.0  # mm from the zone: no normal liver
BEYOND_RIM = 8.0  # mm from the zone: what is bright nearer may be its rim, blurred
FAR = 40.0  # mm from the zone up to which a perfusion anomaly is followed
TOUCHES = 12.0  # mm from the zone that an anomaly must reach
PERFUSED = 1.5  # times the liver's arterial uptake
SMALLEST_ANOMALY = 1.0  # mL
VESSEL = 1.7  # times the liver's portal-venous uptake; twice that of liver is a full lumen
NEAR = 5.0  # mm around the zone in which fluid or blood belongs to it
FLUID = 2.2  # times the liver on T2
BLOOD = 1.5  # times the liver before contrast
SMALLEST = 0.5  # mL


def perfusion_anomaly(zone: Region, liver: Region, arterial: Volume, portal: Volume | None) -> float | None:
    """Liver beside the zone, beyond its rim, that takes up more in the arterial phase; both are minus before contrast.

    None with too little liver around the zone.
    """
    low, high = _box(zone, FAR)
    image, mask = arterial.crop(low, high), liver.mask.crop(low, high).values
    away = _away(zone.crop(low, high))
    normal = (mask > PURE) & (away > BEYOND_RIM) & np.isfinite(image.values)
    if int(normal.sum()) < FEWEST:
        return None
    liver_only = (mask > 0.5) & (away > 0)
    even = _smooth(image, liver_only)
    bright = normal & (away <= FAR) & (even > PERFUSED * float(np.median(even[normal])))
    if portal is not None:
        late = _smooth(portal.crop(low, high), liver_only)
        bright &= late < VESSEL * float(np.median(late[normal]))
    return _volume(bright, image.voxel_volume, SMALLEST_ANOMALY, (away <= TOUCHES) & bright)


def fluid(zone: Region, tumor: Region | None, liver: Region | None, t2: Volume) -> float | None:
    """What is as bright as fluid on T2 in the zone and within 5 mm of it, but for the tumor; None with too little liver."""
    return _bright(zone, tumor, liver, t2, FLUID)


def haematoma(zone: Region, tumor: Region | None, liver: Region | None, before: Volume) -> float | None:
    """What is as bright as blood before contrast, in the same places; None with too little liver."""
    return _bright(zone, tumor, liver, before, BLOOD)


def _bright(zone: Region, tumor: Region | None, liver: Region | None, image: Volume, times: float) -> float | None:
    box = _box(zone, RIM + 19.0)
    part, away = image.crop(*box), _away(zone.crop(*box))
    known = np.isfinite(part.values)
    normal = known & (away > RIM)
    if liver is not None:
        normal &= liver.mask.crop(*box).values > PURE
    if int(normal.sum()) < FEWEST:
        return None
    even = _smooth(part)
    found = known & (away <= NEAR) & (even > times * float(np.median(even[normal])))
    if tumor is not None:
        found &= tumor.mask.crop(*box).values < 1.0 - PURE
    return _volume(found, part.voxel_volume, SMALLEST, found)


def _volume(found: Where, voxel: float, smallest: float, begins: Where) -> float:
    """The volume (mL) of the connected parts of `found` that are large enough and have a voxel in `begins`."""
    labels, count = ndimage.label(found, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * voxel
    kept = np.zeros(count + 1, dtype=bool)
    kept[np.unique(labels[begins])] = True
    kept[0] = False
    return float(sizes[kept & (sizes >= smallest)].sum())


def _box(zone: Region, reach: float) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    k, j, i = (int(np.ceil(reach / size)) + 1 for size in zone.mask.spacing)
    return box_of(zone.mask.values > 0.5, (k, j, i))


def _away(zone: Region) -> NDArray[np.float64]:
    """Distance to the zone, mm, 0 inside."""
    return np.asarray(ndimage.distance_transform_edt(zone.mask.values < 0.5, sampling=zone.mask.spacing))


def _smooth(image: Volume, where: Where | None = None) -> NDArray[np.float32]:
    """Without most of its noise, of what is known and lies in `where`; what does not says nothing."""
    width = [SMOOTHING / size for size in image.spacing]
    used = np.isfinite(image.values) if where is None else where & np.isfinite(image.values)
    values = np.where(used, image.values, 0.0).astype(np.float32)
    share = ndimage.gaussian_filter(used.astype(np.float32), width)
    return np.asarray(ndimage.gaussian_filter(values, width) / np.maximum(share, 1e-3))
