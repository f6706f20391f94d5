"""Which segments a result has: the one list that the segmentation is written from and the report refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from service import codes
from service.codes import Code
from service.regions.region import Region
from service.report import uids
from service.report import vocabulary as words
from service.report.grid import Grid, Mask, lay, stack
from service.report.result import Result, TumorResult
from service.report.wording import clip


class Part(StrEnum):
    """What a segment shows."""

    TUMOR = "tumor"
    ZONE = "ablation_zone"
    OUTSIDE = "tumor_outside_zone"
    VESSEL = "vessel"


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of segment is coded and coloured.

    `color` is CIELab as DICOM encodes it (PS3.3 C.10.7.1.1), of four colours that people with any colour vision can tell
    apart on grey images. Source: Okabe and Ito, Color Universal Design (2008): vermillion, sky blue, yellow, blue.
    """

    category: Code
    kind: Code
    color: tuple[int, int, int]


LOOKS = {
    Part.TUMOR: Look(words.ABNORMAL_STRUCTURE, codes.TUMOR, (35512, 44018, 49160)),
    Part.ZONE: Look(words.ABNORMAL_STRUCTURE, codes.ABLATION_ZONE, (45761, 29808, 23959)),
    Part.OUTSIDE: Look(words.ABNORMAL_STRUCTURE, words.TUMOR_OUTSIDE_ZONE, (58401, 29471, 52288)),
    Part.VESSEL: Look(words.ANATOMICAL_STRUCTURE, codes.BLOOD_VESSEL, (30129, 32193, 22263)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One segment: its number, what it shows, of which tumors (indices in the result), and its voxels."""

    part: Part
    label: str
    tracking_id: str
    tracking_uid: str
    method: str
    tumors: tuple[int, ...]
    mask: Mask
    number: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The segments of a result and the grid they lie on; without any region there is neither."""

    grid: Grid | None
    all: tuple[Segment, ...]

    def of(self, tumor: int) -> Segment | None:
        """The segment that stands for a tumor in the report: its own, else its ablation zone, else the vessels."""
        parts = (Part.TUMOR, Part.ZONE, Part.VESSEL)
        here = [segment for segment in self.all if tumor in segment.tumors and segment.part in parts]
        return min(here, key=lambda segment: parts.index(segment.part), default=None)


def plan(result: Result) -> Segments:
    """The segments of a result, numbered from 1 in report order; what is empty on the image grid has no segment."""
    if result.vessels is None and not any(tumor.tumor or tumor.zone for tumor in result.tumors):
        return Segments(None, ())
    grid = stack(result.reference.phase)
    filled = (segment for segment in _segments(result, grid) if segment.mask.any())
    return Segments(grid, tuple(replace(segment, number=number) for number, segment in enumerate(filled, start=1)))


def _segments(result: Result, grid: Grid) -> Iterator[Segment]:
    for index, tumor in enumerate(result.tumors):
        if tumor.tumor is not None:
            mask = lay(tumor.tumor.mask, grid)
            yield Segment(
                Part.TUMOR, clip(tumor.label, 64), tumor.tracking_id, tumor.tracking_uid, tumor.tumor.method, (index,), mask
            )
        sharing = tuple(other for other, its in enumerate(result.tumors) if its.zone is tumor.zone)
        if tumor.zone is not None and sharing[0] == index:
            yield _zone(tumor, tumor.zone, sharing, grid)
        if tumor.tumor is not None and tumor.zone is not None:
            yield _outside(tumor, tumor.tumor, tumor.zone, index, grid)
    if result.vessels is not None:
        yield _vessels(result, result.vessels, grid)


def _zone(tumor: TumorResult, zone: Region, sharing: tuple[int, ...], grid: Grid) -> Segment:
    label, name, uid = _named(tumor, Part.ZONE, "Ablation zone")
    return Segment(Part.ZONE, label, name, uid, zone.method, sharing, lay(zone.mask, grid))


def _outside(tumor: TumorResult, inside: Region, zone: Region, index: int, grid: Grid) -> Segment:
    """The part of the tumor that the ablation zone does not cover, where there is any."""
    label, name, uid = _named(tumor, Part.OUTSIDE, "Outside the ablation zone")
    mask = np.logical_and(lay(inside.mask, grid), np.logical_not(lay(zone.mask, grid)))
    return Segment(Part.OUTSIDE, label, name, uid, f"{inside.method} without {zone.method}", (index,), mask)


def _vessels(result: Result, vessels: Region, grid: Grid) -> Segment:
    uid = uids.derive(result.study_instance_uid, Part.VESSEL)
    everyone = tuple(range(len(result.tumors)))
    return Segment(Part.VESSEL, "Vessels", "Vessels", uid, vessels.method, everyone, lay(vessels.mask, grid))


def _named(tumor: TumorResult, part: Part, words: str) -> tuple[str, str, str]:
    """Label, tracking identifier and tracking UID of what belongs to a tumor."""
    label = clip(f"{words}: {tumor.label}", 64)
    return label, f"{tumor.tracking_id} {part}", uids.derive(tumor.tracking_uid, part)
