"""Vessels near the tumor and near the ablation zone, by the largest ball that fits into their lumen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from service.regions.region import Region
from service.regions.vessel_scene import CELL, Surroundings, on_known_cells, uptake_of
from service.volumes.cells import interpolate
from service.volumes.volume import Array, Volume

REACH = 12.0  # mm outside the zone: a vessel of 14 mm whose wall is 5 mm away
LUMEN = 0.6  # of a full lumen, above liver (.35) and a hyperaemic rim (.48)
LEAST = 2.0  # mm, diameter below which a bright spot is no vessel


@dataclass(frozen=True, slots=True)
class NearVessels:
    """`largest`: the diameter (mm) of the largest vessel whose lumen comes within a distance (mm) of "tumor" and "zone".

    None without one. `to_large` (mm): how far the zone is from the nearest vessel that is large, None when none is as near as
    `looked_at`.
    """

    largest: Mapping[tuple[str, float], float | None]
    to_large: float | None
    looked_at: float


def near_vessels(around: Surroundings, image: Volume, distances: Sequence[float], large: float) -> NearVessels:
    """The vessels around; `image` as for `scene_of`. A diameter is known to about a cell, 1 mm.

    Raises:
        Unusable: As `uptake_of`.
    """
    found = uptake_of(around, image, REACH)
    uptake, known = on_known_cells(found.image)
    away = {name: _away(region.crop(*found.box), uptake) for name, region in _named(around)}
    bright = known & (uptake.values >= LUMEN) & (away["tumor"] > 0)
    radius = ndimage.distance_transform_edt(bright, sampling=uptake.spacing) - CELL / 2.0
    radius[~bright] = 0.0
    wall = (away["zone"] - radius)[radius >= large / 2.0]
    looked_at = REACH - large / 2.0
    nearest = max(0.0, float(wall.min())) if wall.size and float(wall.min()) <= looked_at else None
    largest = {(name, limit): _largest(radius, away[name], limit) for name in away for limit in distances}
    return NearVessels(largest, nearest, looked_at)


def _named(around: Surroundings) -> tuple[tuple[str, Region], tuple[str, Region]]:
    return ("tumor", around.tumor), ("zone", around.zone)


def _away(region: Region, cells: Volume) -> Array:
    """Distance (mm) of each cell to the region, 0 inside."""
    outside = interpolate(region.mask, CELL).values < 0.5
    return np.asarray(ndimage.distance_transform_edt(outside, sampling=cells.spacing), dtype=np.float32)


def _largest(radius: Array, away: Array, limit: float) -> float | None:
    near = radius[(radius >= LEAST / 2.0) & (away - radius <= limit)]
    return 2.0 * float(near.max()) if near.size else None
