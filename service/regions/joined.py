"""Zones that merge: each probe may have its own contour, but what lies between them is treated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from scipy import ndimage

from service.regions.region import Region
from service.volumes.volume import Array


def pairs_of(tumors: Sequence[Region], zones: Sequence[Region]) -> tuple[tuple[Region | None, Region | None], ...]:
    """Each tumor with its zone (None when it lies in none), then each zone in which no tumor is known.

    A tumor is never paired with a zone elsewhere: that would be the margin of another lesion.
    """
    pairs: list[tuple[Region | None, Region | None]] = [(tumor, zone_of(tumor, zones)) for tumor in tumors]
    used = [zone.mask.values for _, zone in pairs if zone is not None]
    free = [zone for zone in zones if not any(_shared(zone.mask.values, mask) for mask in used)]
    return (*pairs, *((None, zone) for zone in free))


def zone_of(tumor: Region, zones: Sequence[Region]) -> Region | None:
    """The zone that holds most of the tumor, as one with those that touch it; None when no zone holds any of it."""
    holding = [zone for zone in zones if _shared(zone.mask.values, tumor.mask.values)]
    if not holding:
        return None
    found = max(holding, key=lambda zone: float(np.minimum(zone.mask.values, tumor.mask.values).sum()))
    left = [zone for zone in zones if zone is not found]
    while touching := [zone for zone in left if _touch(found.mask.values, zone.mask.values)]:
        found = reduce(_joined, touching, found)
        left = [zone for zone in left if zone not in touching]
    return found


def said_of_zones(named: Sequence[tuple[str, Region | None]]) -> list[str]:
    """What a reader must know of the zones of tumors (name, zone): which are made of several, and which tumors share one."""
    zones = [(name, zone) for name, zone in named if zone is not None]
    said = [f"{name}: {zone.merged} ablation zones merge and are measured as one." for name, zone in zones if zone.merged > 1]
    for _, zone in zones:
        names = [name for name, other in zones if _same(zone.mask.values, other.mask.values)]
        if len(names) > 1:
            said.append(f"{' and '.join(names)} lie in the same ablation zone: its size is given with each.")
    return list(dict.fromkeys(said))


def _same(one: Array, other: Array) -> bool:
    return bool(((one > 0.5) == (other > 0.5)).all())


def _shared(one: Array, other: Array) -> bool:
    """Whether two masks have a voxel in common that is mostly of both."""
    return bool(((one > 0.5) & (other > 0.5)).any())


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
        merged=one.merged + other.merged,
        drawn_on=one.drawn_on if one.drawn_on == other.drawn_on else f"{one.drawn_on} and {other.drawn_on}",
        place_sd=max(one.place_sd, other.place_sd),
    )
