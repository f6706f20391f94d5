"""The second report: the narrowest place and the vessel in the margin as lines with their numbers on the images.

Comprehensive SR with 2-D coordinates on the slices themselves, which viewers draw. One group (TID 1501) a line, with
one number that has nothing but its line below it: viewers in use look for the line just there. What explains the number
stands beside it. The first report says everything else. Source: DICOM PS3.3 A.35.3, C.18.6; PS3.16 TID 1500, 1501, 300, 320.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from service import codes
from service.report import content, uids
from service.report import vocabulary as words
from service.report.content import Relation
from service.report.document import document
from service.report.draft import Draft
from service.report.grid import Grid
from service.report.header import Identity
from service.report.places import NARROWEST, Drawn, Place, draw, places
from service.report.record import bounds
from service.report.result import TumorResult
from service.report.wording import RESEARCH_USE, shown, shown_interval

IDENTITY = Identity(
    "sr_places", ComprehensiveSRStorage, "SR", "Cryomargin places on the images, preliminary, for research use", offset=3
)

ACROSS = 0.5  # mm through the slices, from which a line is said to be a projection
_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z])")
SHORTER = 0.2  # mm between a margin and its line, from which the difference is explained


def make(draft: Draft) -> Dataset | None:
    """The report of the lines, None when nothing measured has a place on the images."""
    grid = draft.segments.grid
    if grid is None:
        return None
    groups = [_group(draft, tumor, place, grid) for tumor in draft.result.tumors for place in places(tumor)]
    return document(draft, IDENTITY, groups, _evaluations(draft)) if groups else None


def _group(draft: Draft, tumor: TumorResult, place: Place, grid: Grid) -> Dataset:
    drawn = draw(place, grid)
    items = [
        content.text(words.TRACKING_IDENTIFIER, f"{tumor.tracking_id}, {place.name}", Relation.OBSERVATION),
        content.uid_reference(words.TRACKING_UID, uids.derive(tumor.tracking_uid, place.name), Relation.OBSERVATION),
        content.code(words.FINDING, place.of, Relation.CONTAINS),
        *_algorithm(draft, place),
        content.code(words.FINDING_SITE, codes.LIVER, Relation.CONCEPT),
        _number(place, drawn),
        *_said(place, drawn),
    ]
    return content.container(words.MEASUREMENT_GROUP, items, Relation.CONTAINS, template="1501")


def _number(place: Place, drawn: Drawn) -> Dataset:
    instance, frames = drawn.plane.instance, len(drawn.plane.instance.frames)
    on = content.image(words.SOURCE, instance.sop_class_uid, instance.sop_instance_uid, Relation.SELECTED)
    if frames > 1:
        on.ReferencedSOPSequence[0].ReferencedFrameNumber = drawn.plane.frame.number
    line = content.polyline(words.SOURCE_OF_MEASUREMENT, drawn.points, on, Relation.INFERRED)
    return content.with_items(content.number(place.concept, place.value, codes.MM, Relation.CONTAINS), [line])


def _algorithm(draft: Draft, place: Place) -> Iterator[Dataset]:
    software = draft.result.software
    yield content.text(words.ALGORITHM_NAME, f"{software.name}: {place.about.method}", Relation.CONCEPT)
    yield content.text(words.ALGORITHM_VERSION, software.version, Relation.CONCEPT)


def _said(place: Place, drawn: Drawn) -> Iterator[Dataset]:
    """The category, the interval, the reason and how the line lies.

    Each comment is short and an item of its own: OHIF writes each as one line, which it never wraps, above the number.
    """
    finding = place.about
    if finding.category is not None:
        yield content.code(finding.code, finding.category, Relation.CONTAINS)
    for concept, sentence in (
        (words.INTERVAL, shown_interval(bounds(finding), finding.unit)),
        (words.REASON, finding.reason.sentence if finding.reason is not None else ""),
        *((words.COMMENT, comment) for comment in (*_line(place, drawn), *_SENTENCE_END.split(finding.note))),
    ):
        if sentence:
            yield content.text(concept, sentence, Relation.CONTAINS)


def _line(place: Place, drawn: Drawn) -> Iterator[str]:
    if drawn.across > ACROSS:
        across, length = (shown(round(value, 2), codes.MM) for value in (drawn.across, drawn.length))
        yield f"Projection: the line runs {across} through the slices, {length} in space."
    if place.name == NARROWEST and abs(abs(place.value) - drawn.length) > SHORTER:
        yield "Beside the capsule the margin is extrapolated, the line is not."


def _evaluations(draft: Draft) -> Iterator[Dataset]:
    yield content.text(words.VERDICT, draft.result.verdict, Relation.CONTAINS)
    yield content.text(words.CONDITION, RESEARCH_USE, Relation.CONTAINS)
