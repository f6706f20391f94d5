"""Contours of the same tumor by several readers: those of one are used, those of the others only compared.

Each SEG or RTSTRUCT object is taken for one reader's. Two objects that draw the same tumor or zone are two readings; mixed
they would be a patient with two tumors, or a zone that nobody drew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.regions.region import Kind, Region

SAME = 0.3  # Dice from which two contours are of the same thing
LESION = frozenset({Kind.TUMOR, Kind.ABLATION_ZONE})


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """The regions that are used, and sentences about those that are not."""

    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()


def one_reading(regions: Sequence[Region]) -> Reading:
    """What the most complete of several readers drew, of equals the latest object; others only where it has nothing.

    `regions` come in the order of their objects, the latest last.
    """
    preferred = _preferred(regions)
    used: list[Region] = []
    for source in preferred:
        mine = [region for region in regions if region.source_uid == source]
        kept = [region for region in mine if not _is_second(region, used)]
        used += kept
    left = [region for region in regions if not any(region is one for one in used)]
    return Reading(tuple(region for region in regions if not any(region is one for one in left)), _notes(left, used))


def dice(one: Region, other: Region) -> float:
    """Overlap of two soft masks on one grid, 0-1."""
    both = float(np.minimum(one.mask.values, other.mask.values).sum())
    total = float(one.mask.values.sum() + other.mask.values.sum())
    return 2.0 * both / total if total > 0 else 0.0


def _preferred(regions: Sequence[Region]) -> list[str]:
    """The objects, most kinds first, then the latest."""
    sources = list(dict.fromkeys(region.source_uid for region in regions))
    kinds = {source: len({region.kind for region in regions if region.source_uid == source}) for source in sources}
    return sorted(sources, key=lambda source: (-kinds[source], -sources.index(source)))


def _is_second(region: Region, used: Sequence[Region]) -> bool:
    """Whether another reader, who is used, drew this too; of one kind of lesion the same reader drew all."""
    others = [one for one in used if one.kind is region.kind and one.source_uid != region.source_uid]
    if region.kind not in LESION:
        return bool(others)
    return any(dice(one, region) >= SAME for one in others) or (bool(others) and _reads_the_same(region, used))


def _reads_the_same(region: Region, used: Sequence[Region]) -> bool:
    """Whether a contour lies in the same treated place as one that is used."""
    return any(one.kind in LESION and one.source_uid != region.source_uid and _touches(one, region) for one in used)


def _touches(one: Region, other: Region) -> bool:
    return bool(((one.mask.values > 0.5) & (other.mask.values > 0.5)).any())


def _notes(left: Sequence[Region], used: Sequence[Region]) -> tuple[str, ...]:
    """How well each contour that is not used agrees with the one that is."""
    notes = []
    for region in left:
        alike = max((dice(region, one) for one in used if one.kind is region.kind), default=0.0)
        kind = region.kind.value.replace("_", " ")
        notes.append(
            f"More than one reader drew the {kind}: '{region.label}' of another object is not used; its overlap with the one "
            f"that is used (Dice) is {alike:.2f}."
        )
    return tuple(notes)
