"""The report of a study that cannot be measured: no finding, and the reason why there is none.

It has the template of every other report of ours, so that whoever waits for one finds it in the same place.
Source: DICOM PS3.3 A.35.13; PS3.16 TID 1500.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from service import codes
from service.report import content, uids
from service.report import vocabulary as words
from service.report.content import Relation
from service.report.document import document
from service.report.draft import Draft
from service.report.header import Identity
from service.report.result import PhaseUse
from service.report.wording import RESEARCH_USE

IDENTITY = Identity(
    uids.NOT_ASSESSABLE, Comprehensive3DSRStorage, "SR", "Cryomargin: not assessable, preliminary, for research use", offset=2
)
UNMEASURED = "The ablation margin is not assessable on this study: nothing was measured."


def make(draft: Draft, reason: str) -> Dataset:
    """The report of a result that holds the phases that were looked at, and nothing else; `reason` is sentence and code."""
    return document(draft, IDENTITY, [], _evaluations(draft, reason))


def _evaluations(draft: Draft, reason: str) -> Iterator[Dataset]:
    below = [content.text(words.REASON, reason, Relation.PROPERTIES)]
    yield content.with_items(content.code(words.ASSESSMENT, codes.UNDETERMINED, Relation.CONTAINS), below)
    yield content.text(words.VERDICT, f"{UNMEASURED} {reason}", Relation.CONTAINS)
    yield content.text(words.CONDITION, RESEARCH_USE, Relation.CONTAINS)
    for use in draft.result.phases:
        yield content.text(words.PHASE, _described(use), Relation.CONTAINS)


def _described(use: PhaseUse) -> str:
    first = use.phase.first
    series = "without number" if first.series_number is None else str(first.series_number)
    return (
        f"Taken for {use.role}: series {series} '{first.series_description}', score {use.score:.2f}: {'; '.join(use.reasons)}"
    )
