"""The Structured Report: Comprehensive 3D SR, template TID 1500, one group per tumor.

It is preliminary and unverified: a person verifies. Source: DICOM PS3.3 A.35.13; PS3.16 TID 1500.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from service import codes
from service.report import content
from service.report import vocabulary as words
from service.report.content import Relation
from service.report.document import document
from service.report.draft import Draft
from service.report.groups import evaluations, group
from service.report.header import Identity
from service.report.result import PhaseUse
from service.report.wording import RESEARCH_USE

IDENTITY = Identity("sr", Comprehensive3DSRStorage, "SR", "Cryomargin report, preliminary, for research use", offset=2)


def make(draft: Draft) -> Dataset:
    """The report of a result; it has a reason to say even where nothing could be measured."""
    groups = [group(draft, index) for index in range(len(draft.result.tumors))]
    measured = [item for item in groups if item is not None]
    without = [index for index, item in enumerate(groups) if item is None]
    return document(draft, IDENTITY, measured, _evaluations(draft, without))


def _evaluations(draft: Draft, without: Iterable[int]) -> Iterator[Dataset]:
    result = draft.result
    if not result.tumors:
        yield content.code(words.ASSESSMENT, codes.UNDETERMINED, Relation.CONTAINS)
    yield content.text(words.VERDICT, result.verdict, Relation.CONTAINS)
    yield content.text(words.CONDITION, RESEARCH_USE, Relation.CONTAINS)
    for warning in result.warnings:
        yield content.text(words.WARNING, warning, Relation.CONTAINS)
    for index in without:
        yield from evaluations(draft, index)
    for name, region in (("Liver", result.liver), ("Vessels", result.vessels)):
        if region is not None:
            yield content.text(words.CONTOURS, f"{name}: {region.origin}", Relation.CONTAINS)
    for use in result.phases:
        yield content.text(words.PHASE, _described(use), Relation.CONTAINS)


def _described(use: PhaseUse) -> str:
    first = use.phase.first
    series = "without number" if first.series_number is None else str(first.series_number)
    state = "used" if use.used else "not used"
    why = "; ".join((*use.reasons, *([use.note] if use.note else [])))
    return f"{use.role} ({state}): series {series} '{first.series_description}', score {use.score:.2f}: {why}"
