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
from service.report.margin_bands import line_mask, margin_bands
from service.report.result import Result, TumorResult
from service.report.wording import clip


class Part(StrEnum):
    """What a segment shows."""

    TUMOR = "tumor"
    ZONE = "ablation_zone"
    OUTSIDE = "tumor_outside_zone"
    MARGIN_0 = "margin_0"
    MARGIN_3 = "margin_3"
    MARGIN_5 = "margin_5"
    MARGIN_10 = "margin_10"
    PATH = "vessel_path"
    VESSEL = "vessel"


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of segment is coded and coloured.

    `color` is CIELab as DICOM encodes it (PS3.3 C.10.7.1.1). People with any colour vision can tell any two apart on grey
    images: four are by Okabe and Ito, Color Universal Design (2008): vermillion, sky blue, yellow, blue. Those of the
    margin, searched to lie far from them, rise in lightness: red to 3 mm, teal and cream above; the path is cyan.
    """

    category: Code
    kind: Code
    color: tuple[int, int, int]


LOOKS = {
    Part.TUMOR: Look(words.ABNORMAL_STRUCTURE, codes.TUMOR, (35512, 44018, 49160)),
    Part.ZONE: Look(words.ABNORMAL_STRUCTURE, codes.ABLATION_ZONE, (45761, 29808, 23959)),
    Part.OUTSIDE: Look(words.ABNORMAL_STRUCTURE, words.TUMOR_OUTSIDE_ZONE, (58401, 29471, 52288)),
    Part.MARGIN_0: Look(words.SPATIAL_CONCEPT, words.MARGIN_0, (20734, 45754, 44454)),
    Part.MARGIN_3: Look(words.SPATIAL_CONCEPT, words.MARGIN_3, (31373, 50194, 34507)),
    Part.MARGIN_5: Look(words.SPATIAL_CONCEPT, words.MARGIN_5, (36860, 25447, 30665)),
    Part.MARGIN_10: Look(words.SPATIAL_CONCEPT, words.MARGIN_10, (60115, 31106, 38278)),
    Part.PATH: Look(words.ANATOMICAL_STRUCTURE, words.VESSEL_PATH, (59713, 20540, 29263)),
    Part.VESSEL: Look(words.ANATOMICAL_STRUCTURE, codes.BLOOD_VESSEL, (30129, 32193, 22263)),
}


# In the order of the bands of `margin_bands`.
_BANDS = (
    (Part.MARGIN_0, "Margin 0 mm or less"),
    (Part.MARGIN_3, "Margin 0 to 3 mm"),
    (Part.MARGIN_5, "Margin 3 to 5 mm"),
    (Part.MARGIN_10, "Margin 5 to 10 mm"),
)


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
        here = (segment for segment in self.all if tumor in segment.tumors and segment.part in parts)
        return min(here, key=lambda segment: parts.index(segment.part), default=None)


def plan(result: Result) -> Segments:
    """The segments of a result, numbered from 1 in report order; what is empty on the image grid has no segment."""
    if not any(True for _ in _regions(result)):
        return Segments(None, ())
    grid = stack(result.reference.phase)
    filled = (segment for segment in _segments(result, grid) if segment.mask.any())
    return Segments(grid, tuple(replace(segment, number=number) for number, segment in enumerate(filled, start=1)))


def _segments(result: Result, grid: Grid) -> Iterator[Segment]:
    laid = {id(region): lay(region.mask, grid) for region in _regions(result)}
    for index, tumor in enumerate(result.tumors):
        if tumor.tumor is not None:
            yield _own(tumor, tumor.tumor, index, laid[id(tumor.tumor)])
        if tumor.zone is not None:
            sharing = tuple(other for other, its in enumerate(result.tumors) if its.zone is tumor.zone)
            if sharing[0] == index:
                yield _zone(tumor, tumor.zone, sharing, laid[id(tumor.zone)])
            if tumor.tumor is not None:
                outside = np.logical_and(laid[id(tumor.tumor)], np.logical_not(laid[id(tumor.zone)]))
                yield _outside(tumor, f"{tumor.tumor.method} without {tumor.zone.method}", index, outside)
                yield from _margin(tumor, index, grid, laid[id(tumor.tumor)])
                yield from _paths(tumor, index, grid)
    if result.vessels is not None:
        yield _vessels(result, result.vessels, laid[id(result.vessels)])


def _regions(result: Result) -> Iterator[Region]:
    """Every region that a segment shows."""
    regions = (result.vessels, *(region for tumor in result.tumors for region in (tumor.tumor, tumor.zone)))
    return (region for region in regions if region is not None)


def _own(tumor: TumorResult, region: Region, index: int, mask: Mask) -> Segment:
    label = clip(tumor.tracking_id, 64)
    return Segment(Part.TUMOR, label, tumor.tracking_id, tumor.tracking_uid, region.method, (index,), mask)


def _zone(tumor: TumorResult, zone: Region, sharing: tuple[int, ...], mask: Mask) -> Segment:
    label, name, uid = _named(tumor, Part.ZONE, "Ablation zone")
    return Segment(Part.ZONE, label, name, uid, zone.method, sharing, mask)


def _outside(tumor: TumorResult, method: str, index: int, mask: Mask) -> Segment:
    """The part of the tumor that the ablation zone does not cover, where there is any."""
    label, name, uid = _named(tumor, Part.OUTSIDE, "Outside the ablation zone")
    return Segment(Part.OUTSIDE, label, name, uid, method, (index,), mask)


def _margin(tumor: TumorResult, index: int, grid: Grid, mask: Mask) -> Iterator[Segment]:
    """The shell around the tumor, band by band of the margin of its surface."""
    bands = margin_bands(tumor.surface, tumor.visibility, grid, mask)
    contours = " and ".join(region.method for region in (tumor.tumor, tumor.zone) if region is not None)
    for (part, title), band in zip(_BANDS, bands, strict=False):
        label, name, uid = _named(tumor, part, title)
        yield Segment(part, label, name, uid, f"{contours}: margin at the surface of the tumor", (index,), band)


def _paths(tumor: TumorResult, index: int, grid: Grid) -> Iterator[Segment]:
    """The way of a vessel through the margin, where a finding has one."""
    for finding in tumor.findings:
        if finding.path:
            label, name, uid = _named(tumor, Part.PATH, "Vessel path")
            yield Segment(Part.PATH, label, name, uid, finding.method, (index,), line_mask(finding.path, grid))


def _vessels(result: Result, vessels: Region, mask: Mask) -> Segment:
    uid = uids.derive(result.study_instance_uid, Part.VESSEL)
    everyone = tuple(range(len(result.tumors)))
    return Segment(Part.VESSEL, "Vessels", "Vessels", uid, vessels.method, everyone, mask)


def _named(tumor: TumorResult, part: Part, words: str) -> tuple[str, str, str]:
    """Label, tracking identifier and tracking UID of what belongs to a tumor."""
    label = clip(f"{words}: {tumor.tracking_id}", 64)
    return label, f"{tumor.tracking_id} {part}", uids.derive(tumor.tracking_uid, part)
