"""Zones that merge: each probe may have its own contour, but what lies between them is treated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from scipy import ndimage

from service.regions.region import Region
from service.volumes.volume import Array


def zone_of(tumor: Region, zones: Sequence[Region]) -> Region:
    """The zone that holds most of the tumor, as one with those that touch it; all lie on one grid."""
    found = max(zones, key=lambda zone: float(np.minimum(zone.mask.values, tumor.mask.values).sum()))
    left = [zone for zone in zones if zone is not found]
    while touching := [zone for zone in left if _touch(found.mask.values, zone.mask.values)]:
        found = reduce(_joined, touching, found)
        left = [zone for zone in left if zone not in touching]
    return found


def _touch(one: Array, other: Array) -> bool:
    """Whether two masks share or adjoin a voxel."""
    return bool((ndimage.maximum_filter(one, 3) > 0.5)[other > 0.5].any())


def _joined(one: Region, other: Region) -> Region:
    """Both as one region, as uncertain as the worse of them."""
    return replace(
        one,
        mask=one.mask.with_values(np.maximum(one.mask.values, other.mask.values)),
        method=f"{one.method} with {other.method}",
        binary=one.binary or other.binary,
        edge_sd=max(one.edge_sd, other.edge_sd),
    )
