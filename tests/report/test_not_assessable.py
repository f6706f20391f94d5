"""A study that cannot be measured is said to be so, in the place where its report would be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from service.report import uids
from service.report.compose import compose, compose_refusal
from service.report.not_assessable import IDENTITY, UNMEASURED
from service.report.result import Result
from service.report.wording import FORBIDDEN, RESEARCH_USE
from tests.report.conftest import Sample, sample

REASON = "No series after contrast can be used: the slices have gaps. [geometry.gap]"


@pytest.fixture(scope="module")
def given() -> Sample:
    return sample()


def refused(given: Sample, **changes: object) -> Result:
    """As the pipeline says it: phases, and nothing else."""
    uses = tuple(replace(use, used=True) for use in given.result.phases)
    return replace(given.result, verdict="", phases=uses, tumors=(), liver=None, vessels=None, **changes)  # type: ignore[arg-type]


def items(report: Dataset) -> Iterator[Dataset]:
    for item in report.get("ContentSequence") or ():
        yield item
        yield from items(item)


def texts(report: Dataset) -> list[str]:
    return [item.TextValue for item in items(report) if item.ValueType == "TEXT"]


def test_it_says_why_and_holds_no_finding(given: Sample) -> None:
    (made,) = compose_refusal(refused(given), given.sources, REASON)

    assert (made.role, made.dataset.ContentTemplateSequence[0].TemplateIdentifier) == ("not_assessable", "1500")
    assert {f"{UNMEASURED} {REASON}", REASON, RESEARCH_USE} <= set(texts(made.dataset))
    assert [item.ConceptCodeSequence[0].CodeMeaning for item in items(made.dataset) if _named(item, "ASSESSMENT")] == [
        "Undetermined"
    ]
    assert not any(item.ValueType == "NUM" for item in items(made.dataset))
    assert (made.dataset.VerificationFlag, made.dataset.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert not any(word in text.lower() for text in texts(made.dataset) for word in FORBIDDEN)


def test_what_was_looked_at_is_its_evidence_and_has_what_it_was_taken_for(given: Sample) -> None:
    (made,) = compose_refusal(refused(given), given.sources, REASON)
    (study,) = made.dataset.CurrentRequestedProcedureEvidenceSequence
    evidence = {
        one.ReferencedSOPInstanceUID for series in study.ReferencedSeriesSequence for one in series.ReferencedSOPSequence
    }

    assert evidence == {str(source.SOPInstanceUID) for source in given.sources}
    assert sum(text.startswith("Taken for ") for text in texts(made.dataset)) == len(given.result.phases)


def test_a_repeat_makes_the_same_object_and_another_content_another(given: Sample) -> None:
    first, again = (compose_refusal(refused(given), given.sources, REASON)[0] for _ in range(2))
    (other,) = compose_refusal(refused(given, content_version="fedcba987654"), given.sources, REASON)

    assert first.dataset == again.dataset
    assert first.sop_instance_uid not in {other.sop_instance_uid, uids.of_object(given.result, "sr")}


def test_it_supersedes_a_report_and_is_superseded_by_one(given: Sample) -> None:
    (before,) = (one for one in compose(given.result, given.sources) if one.role == "sr")
    reports = (before.sop_instance_uid, uids.derive(before.sop_instance_uid, "sr_places"))
    (refusal,) = compose_refusal(refused(given, predecessors=reports), given.sources, REASON)
    later = replace(given.result, predecessors=(refusal.sop_instance_uid,))
    (after,) = (one for one in compose(later, given.sources) if one.role == "sr")

    assert _superseded(refusal.dataset) == [before.sop_instance_uid]
    assert _superseded(after.dataset) == [refusal.sop_instance_uid]
    assert IDENTITY.sop_class_uid == before.sop_class_uid


def _named(item: Dataset, value: str) -> bool:
    return any(name.CodeValue == value for name in item.get("ConceptNameCodeSequence") or ())


def _superseded(report: Dataset) -> list[str]:
    (study,) = report.PredecessorDocumentsSequence
    return [one.ReferencedSOPInstanceUID for series in study.ReferencedSeriesSequence for one in series.ReferencedSOPSequence]
