"""Whether contours lie on what the images show: ablated tissue takes up no contrast, the liver around it does.

Contours of another patient, of a flipped stack or of another position of the table look perfect by themselves. The limits
are ours: on phantoms contours in their place reach 2 %, contours moved by 6 mm 12 % and more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.region import Region
from service.volumes.volume import Volume, box_of

NEAR, FAR = 3.0, 12.0  # mm from the zone: beyond the hyperaemic rim, and still its surroundings
ALIKE = 0.10  # of the ablated tissue; the widest bridging vessel fills half of that
FEWEST = 30  # voxels that a level needs
SMOOTHING = 0.7  # voxels
BRIGHTER = 75.0  # percentile where no liver contour keeps fat and air out


@dataclass(frozen=True, slots=True)
class Uptake:
    """Levels of ablated tissue and of the liver around it in one image, and the part (0-1) of ablated tissue like liver."""

    ablated: float
    liver: float
    alike: float


def disagreement(tumor: Region, zone: Region, liver: Region | None, image: Volume) -> str:
    """How contours and image contradict each other, one sentence; "" when they do not or when too little tissue can tell.

    `image` shows uptake: a phase after contrast, better that minus the one before; all lie on one grid.
    """
    found = uptake(tumor, zone, liver, image)
    if found is None:
        return ""
    if found.liver <= found.ablated:
        return "The liver takes up no more contrast than the ablation zone: contours or phases are not what they are taken for."
    if found.alike > ALIKE:
        return (
            f"{found.alike:.0%} of the ablated tissue takes up contrast like liver: the contours do not lie where the images "
            "show the zone, or the zone is drawn too large; check them."
        )
    return ""


def uptake(tumor: Region, zone: Region, liver: Region | None, image: Volume) -> Uptake | None:
    """What `image` shows of ablated tissue and liver, away from their edges; None where too little of either is there."""
    held = zone.mask.values >= 0.5
    if not held.any():
        return None
    reach = [int(np.ceil(FAR / size)) + 1 for size in image.spacing]
    box = box_of(held, (reach[0], reach[1], reach[2]))
    part, known = _smooth(image.crop(*box))
    inside = _ablated(tumor.crop(*box), zone.crop(*box)) & known
    outside = _around(zone.crop(*box), liver.crop(*box) if liver else None) & known
    if min(inside.sum(), outside.sum()) < FEWEST:
        return None
    ablated = float(np.median(part[inside]))
    normal = float(np.percentile(part[outside], 50.0 if liver else BRIGHTER))
    return Uptake(ablated, normal, float(np.mean(part[inside] > (ablated + normal) / 2.0)))


def _smooth(image: Volume) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The image without most of its noise, and where it is known."""
    known = np.isfinite(image.values)
    return ndimage.gaussian_filter(np.nan_to_num(image.values), SMOOTHING), known


def _ablated(tumor: Region, zone: Region) -> NDArray[np.bool_]:
    """The zone but for its edge and the tumor."""
    inner = ndimage.binary_erosion(zone.mask.values > 0.95)
    return np.asarray(inner & ~ndimage.binary_dilation(tumor.mask.values > 0.05), dtype=bool)


def _around(zone: Region, liver: Region | None) -> NDArray[np.bool_]:
    """What surrounds the zone, of liver where that is known."""
    distance = ndimage.distance_transform_edt(zone.mask.values < 0.5, sampling=zone.mask.spacing)
    ring = (distance > NEAR) & (distance < FAR)
    return np.asarray(ring if liver is None else ring & (liver.mask.values > 0.95), dtype=bool)
