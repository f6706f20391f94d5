"""The result in one sentence: the words and numbers of the table, nothing else."""

from __future__ import annotations

import pytest

from service.codes import MM, UNDETERMINED, ours
from service.features.finding import Finding, Reason, Status
from service.report.record import answer
from service.report.result import TumorResult
from service.report.verdict import NOTHING, verdict
from service.report.wording import shown_interval

MARGIN, VESSEL = ours("MINMARGIN", "Minimum ablation margin"), ours("BRIDGEVESSEL", "Blood vessel bridging the margin")
ABOVE_3, BRIDGES = ours("MARGINGT3", "> 3 mm"), ours("VBRIDGES", "Bridges the margin")


def margin(value: float, *, doubt: str = "") -> Finding:
    return Finding(
        "minimum_ablation_margin",
        "Minimum ablation margin",
        MARGIN,
        "m",
        Status.MEASURED,
        value=value,
        unit=MM,
        category=UNDETERMINED if doubt else ABOVE_3,
        interval=(value - 0.5, value + 0.5),
        reason=Reason("margin.x", doubt) if doubt else None,
    )


def vessel(reason: str = "") -> Finding:
    status = Status.NOT_ASSESSABLE if reason else Status.MEASURED
    said = Reason("vessel.x", reason) if reason else None
    return Finding("bridging_vessel", "Bridging vessel", VESSEL, "v", status, category=None if reason else BRIDGES, reason=said)


def tumor(*findings: Finding, number: int = 1) -> TumorResult:
    return TumorResult(str(number), f"Tumor {number}", f"2.25.{number}", findings, None, None)


@pytest.mark.parametrize("value", [4.0, 4.03, 12.26, 3.96])
def test_the_numbers_are_those_of_the_table(value: float) -> None:
    """A second decimal stands in both or in none: two roundings of one number would be two numbers."""
    finding = margin(value)
    said = verdict([tumor(finding)])
    assert f"margin {answer(finding).removesuffix(' (> 3 mm)')} (95 % interval" in said
    assert f"interval {shown_interval(finding.interval, MM)}): > 3 mm." in said


def test_an_equivocal_margin_says_why_instead_of_a_category() -> None:
    said = verdict([tumor(margin(3.2, doubt="Equivocal: the 95 % interval holds 3 mm."))])
    assert said.endswith("equivocal (the 95 % interval holds 3 mm).")
    assert "Undetermined" not in said


def test_each_tumor_has_its_sentence_and_what_is_not_known_its_reason() -> None:
    said = verdict([tumor(vessel()), tumor(vessel("There is no portal-venous phase."), number=2)])
    assert said == (
        "Tumor 1: bridging vessel: Bridges the margin. "
        "Tumor 2: bridging vessel not assessable (There is no portal-venous phase)."
    )


def test_other_findings_stay_in_the_table() -> None:
    other = Finding("vessel_gap", "Gap", VESSEL, "v", Status.MEASURED, value=2.0, unit=MM)
    assert "gap" not in verdict([tumor(vessel(), other)]).lower()


def test_without_tumors_it_says_that_nothing_was_measured() -> None:
    assert verdict([]) == NOTHING
