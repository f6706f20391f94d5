from __future__ import annotations

from typing import Any

import pytest

from service.codes import UNDETERMINED, YES, Code
from service.features import margin, vessel
from service.jobs.expected import EXACT_MM, PERCENT, PLACE_MM, Expected, shortfalls
from service.phantom.truth import Margin, Truth
from service.phantom.vessels import VesselCategory, VesselTruth
from service.study.model import Role

PLACE = (-20.0, -10.0, 12.0)


def expected(margin_mm: float = 2.0, category: VesselCategory = VesselCategory.BRIDGES) -> Expected:
    truth = Truth(Margin(margin_mm, PLACE, PLACE), 1.0, 10.0, 0.0, None, VesselTruth(category), 60.0)
    return Expected("one", "all", truth, {5: Role.T1_PRE, 7: Role.PORTAL_VENOUS}, {Role.PORTAL_VENOUS: 60.0})


def finding(name: str, value: float | None, category: Code | None, place: Any = None) -> dict[str, Any]:
    code = None if category is None else {"value": category.value}
    return {"name": name, "title": name, "answer": "said", "category": code, "value": value, "place": place}


def right(margin_mm: float = 2.0) -> dict[str, Any]:
    """A record without fault."""
    findings = [
        finding("minimum_ablation_margin", margin_mm, margin.AT_MOST_3 if margin_mm <= 3 else margin.ABOVE_3, PLACE),
        finding("bridging_vessel", None, vessel.BRIDGES),
        finding("tumor_enhancement_portal_venous", 60.0, YES),
        finding("tumor_volume", 1.0, None),
        finding("ablation_zone_volume", 10.0, None),
    ]
    phases = [
        {"series_number": 5, "role": "t1_pre", "used": True, "note": ""},
        {"series_number": 7, "role": "portal_venous", "used": True, "note": ""},
    ]
    return {"phases": phases, "tumors": [{"findings": findings}]}


def with_finding(name: str, **changes: Any) -> dict[str, Any]:
    """The right record with one finding changed."""
    record = right()
    (found,) = (one for one in record["tumors"][0]["findings"] if one["name"] == name)
    found.update(changes)
    return record


def code(category: Code) -> dict[str, str]:
    return {"value": category.value}


@pytest.mark.parametrize("margin_mm", [2.0, 6.0])
def test_a_right_record_falls_short_of_nothing(margin_mm: float) -> None:
    assert shortfalls(right(margin_mm), expected(margin_mm)) == ()


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("minimum_ablation_margin", {"value": 2.0 + EXACT_MM + 0.1}, "the margin is 0.9 mm too large"),
        ("minimum_ablation_margin", {"value": 2.0 - EXACT_MM - 0.1}, "the margin is 0.9 mm too small"),
        ("minimum_ablation_margin", {"value": float("nan")}, "the margin is nan mm too small"),
        ("minimum_ablation_margin", {"category": code(margin.ABOVE_3)}, "minimum_ablation_margin: said, truth 2.0 mm"),
        ("minimum_ablation_margin", {"category": code(UNDETERMINED)}, "minimum_ablation_margin: said, truth 2.0 mm"),
        ("minimum_ablation_margin", {"place": None}, "the narrowest place was not given"),
        (
            "minimum_ablation_margin",
            {"place": [20.0, -10.0, 12.0]},
            "the narrowest place is 40 mm off (40 mm to the left)",
        ),
        (
            "minimum_ablation_margin",
            {"place": [-20.0, -10.0, 12.0 - PLACE_MM - 1]},
            "the narrowest place is 6 mm off (6 mm to the feet)",
        ),
        ("bridging_vessel", {"category": code(vessel.NONE_SEEN)}, "bridging_vessel: said, truth bridges"),
        ("bridging_vessel", {"category": code(UNDETERMINED)}, "bridging_vessel: said, truth bridges"),
        ("tumor_volume", {"value": 1.2}, "tumor_volume: said, truth 1.0 mL"),
        ("ablation_zone_volume", {"value": None}, "ablation_zone_volume: said, truth 10.0 mL"),
        (
            "tumor_enhancement_portal_venous",
            {"value": 60.0 - PERCENT - 1},
            "tumor enhancement, portal venous, is 49 %, truth 60 %",
        ),
        (
            "tumor_enhancement_portal_venous",
            {"value": None},
            "tumor enhancement, portal venous, was not measured, truth 60 %",
        ),
    ],
)
def test_each_fact_that_is_missed_is_named(name: str, changes: dict[str, Any], said: str) -> None:
    assert shortfalls(with_finding(name, **changes), expected()) == (said,)


@pytest.mark.parametrize(
    ("phase", "changes", "said"),
    [
        (0, {"role": "arterial"}, "series 5 is taken for arterial, it is t1 pre"),
        (1, {"used": False, "note": "Too thick."}, "series 7 (portal venous) was not used: Too thick."),
        (1, {"series_number": 9}, "series 7 (portal venous) is missing"),
    ],
)
def test_a_phase_in_another_role_is_named(phase: int, changes: dict[str, Any], said: str) -> None:
    record = right()
    record["phases"][phase].update(changes)
    assert shortfalls(record, expected()) == (said,)


def test_whether_no_vessel_bridges_may_stay_open_in_a_thin_margin_only() -> None:
    """In a margin thinner than two voxels nobody can exclude one; in a thick one the answer is asked for."""
    for margin_mm, missed in ((2.0, ()), (6.0, ("bridging_vessel: said, truth none",))):
        record = right(margin_mm)
        record["tumors"][0]["findings"][1]["category"] = code(UNDETERMINED)
        assert shortfalls(record, expected(margin_mm, VesselCategory.NONE)) == missed


def test_a_vessel_that_is_not_there_is_missed_in_a_thin_margin_too() -> None:
    assert shortfalls(right(), expected(category=VesselCategory.NONE)) == ("bridging_vessel: said, truth none",)


def test_no_tumor_and_two_tumors_are_not_one() -> None:
    none = {**right(), "tumors": []}
    assert "0 tumors were found, it has 1" in shortfalls(none, expected())
    assert "minimum ablation margin was not answered" in shortfalls(none, expected())
    assert shortfalls({**right(), "tumors": right()["tumors"] * 2}, expected()) == ("2 tumors were found, it has 1",)
