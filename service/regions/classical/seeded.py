"""The place of an ablation zone around a point that a person gave: what is as dark as the tissue there, and connected to it."""

from __future__ import annotations

import numpy as np

from service.errors import Unusable
from service.regions.classical.liver import Liver
from service.regions.classical.tissue import Mask, closed, grown, largest, opened
from service.study.model import Vector
from service.volumes.volume import Array

AROUND = 4.0  # mm about the point that are taken for zone
DARKER = 0.9  # of liver; a point in brighter tissue lies in no zone
BEYOND = 15.0  # mm; how deep a notch in the liver's outline a zone at its edge may have left
SMALLEST = 0.3  # mL
LARGEST = 0.5  # of the liver
THREAD = 2.0  # mm, half the thickness of what is no zone


def place_at(liver: Liver, late: Array, point: Vector) -> Mask:
    """The zone's place on the working grid, where `late` is the signal after contrast relative to liver.

    The edge is halfway between the signal at the point and liver.

    Raises:
        Unusable: The point lies outside, in bright tissue, or in a dark place too small or too large to be a zone.
    """
    spot = _around(liver, point)
    where = closed(liver.hull, BEYOND, liver.grid.spacing)
    if not (spot & where).any():
        raise _refused("lies outside of the liver")
    level = float(np.median(late[spot]))
    if level > DARKER:
        raise _refused("does not lie in tissue that stays darker than liver after contrast")
    dark = where & (late < (1.0 + level) / 2.0)
    place = largest(opened(dark, THREAD, liver.grid.spacing) | (spot & dark), touching=spot)
    volume = float(place.sum()) * liver.grid.voxel_volume
    if volume < SMALLEST or place.sum() > LARGEST * liver.hull.sum():
        raise _refused(f"lies in a dark place of {volume:.1f} mL, which cannot be an ablation zone")
    return place


def _around(liver: Liver, point: Vector) -> Mask:
    index = np.rint(liver.grid.to_index(np.array(point, dtype=np.float64))).astype(int)
    spot = np.zeros(liver.grid.shape, dtype=bool)
    if np.all(index >= 0) and np.all(index < np.array(liver.grid.shape)):
        spot[tuple(index)] = True
        spot = grown(spot, AROUND, liver.grid.spacing)
    return spot


def _refused(why: str) -> Unusable:
    return Unusable("regions.seed", f"The point that was given for the ablation zone {why}; point at the middle of the zone.")
