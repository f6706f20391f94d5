from __future__ import annotations

from typing import Any

import pytest

from service.codes import NO, UNDETERMINED, YES, Code
from service.features import margin, vessel
from service.jobs.truth import MARGIN, VESSEL, Verdict, compare
from service.phantom.truth import Margin, Truth
from service.phantom.vessels import VesselCategory, VesselTruth


def truth(margin_mm: float = 2.0, category: VesselCategory = VesselCategory.BRIDGES, enhancement: float = 60.0) -> Truth:
    place = (0.0, 0.0, 0.0)
    return Truth(Margin(margin_mm, place, place), 2.0, 10.0, 0.0, None, VesselTruth(category), enhancement)


def verdict(name: str, answer: Code | None, right: Truth, value: float | None = None) -> Verdict:
    """How a record with this one finding stands to the truth."""
    category = None if answer is None else {"value": answer.value}
    finding: dict[str, Any] = {"name": name, "title": name, "answer": "", "category": category, "value": value}
    (row,) = compare({"tumors": [{"findings": [finding]}]}, right)
    return row.verdict


@pytest.mark.parametrize(
    ("answer", "margin_mm", "expected"),
    [
        (margin.AT_MOST_3, 3.0, Verdict.RIGHT),
        (margin.AT_MOST_3, 3.1, Verdict.WRONG),
        (margin.ABOVE_3, 3.1, Verdict.RIGHT),
        (margin.ABOVE_3, 3.0, Verdict.WRONG),
        (UNDETERMINED, 1.0, Verdict.ABSTAINED),
        (None, 1.0, Verdict.ABSTAINED),
    ],
)
def test_the_margin_is_judged_by_its_category(answer: Code | None, margin_mm: float, expected: Verdict) -> None:
    assert verdict(MARGIN, answer, truth(margin_mm)) is expected


@pytest.mark.parametrize(
    ("answer", "category", "expected"),
    [
        (vessel.BRIDGES, VesselCategory.BRIDGES, Verdict.RIGHT),
        (vessel.BRIDGES, VesselCategory.TRAVERSES, Verdict.WRONG),
        (vessel.NONE_SEEN, VesselCategory.BRIDGES, Verdict.WRONG),
        (vessel.TRAVERSES, VesselCategory.TRAVERSES, Verdict.RIGHT),
        (UNDETERMINED, VesselCategory.BRIDGES, Verdict.ABSTAINED),
    ],
)
def test_the_vessel_is_judged_by_whether_it_bridges(answer: Code, category: VesselCategory, expected: Verdict) -> None:
    assert verdict(VESSEL, answer, truth(category=category)) is expected


@pytest.mark.parametrize(("answer", "expected"), [(YES, Verdict.RIGHT), (NO, Verdict.WRONG), (None, Verdict.ABSTAINED)])
def test_enhancement_is_yes_or_no(answer: Code | None, expected: Verdict) -> None:
    assert verdict("tumor_enhancement_arterial", answer, truth()) is expected


@pytest.mark.parametrize(("value", "expected"), [(2.2, Verdict.RIGHT), (2.5, Verdict.WRONG), (None, Verdict.ABSTAINED)])
def test_a_volume_may_differ_by_15_percent(value: float | None, expected: Verdict) -> None:
    assert verdict("tumor_volume", None, truth(), value) is expected


def test_no_tumor_has_nothing_to_compare() -> None:
    assert compare({"tumors": []}, truth()) == ()
