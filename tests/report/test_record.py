"""The record is plain data that says what the result says, and nothing more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from service.codes import MM
from service.features.finding import Finding, Status
from service.report.record import Row, answer, findings_table, to_record
from service.report.wording import shown, shown_interval
from tests.report.conftest import MARGIN, NOTE, Sample


def finding(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(finding for finding in record["tumors"][0]["findings"] if finding["name"] == name)


def test_the_record_survives_json_unchanged(two: Sample) -> None:
    record = to_record(two.result)

    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_a_measured_finding_keeps_its_number_and_says_it_for_people(one: Sample) -> None:
    margin = finding(to_record(one.result), "minimum_margin")

    assert margin["value"] == 2.3456789012345678
    assert margin["unit"] == {"value": "mm", "scheme": "UCUM", "meaning": "millimeter"}
    assert margin["interval"] == [1.9, 2.9]
    assert (margin["answer"], margin["interval_shown"]) == ("2.3 mm", "1.9 to 2.9 mm")
    assert margin["place"] == [1.25, -2.5, 30.0]
    assert margin["inputs"] == [one.result.reference.phase.key]
    assert margin["reason"] is None


def test_a_finding_without_an_answer_has_no_number_but_its_reason(one: Sample) -> None:
    vessel = finding(to_record(one.result), "bridging_vessel")

    assert vessel["status"] == "not_assessable"
    assert vessel["answer"] == "not assessable"
    assert (vessel["value"], vessel["interval"], vessel["category"]) == (None, None, None)
    assert vessel["reason"] == {"code": "vessel.no_portal_venous", "sentence": "There is no portal-venous phase."}


def test_an_open_end_of_an_interval_is_no_number(one: Sample) -> None:
    enhancement = finding(to_record(one.result), "tumor_enhancement")

    assert enhancement["interval"] == [None, 60.0]
    assert enhancement["interval_shown"] == "up to 60 %"


def test_an_interval_open_at_both_ends_is_none(one: Sample) -> None:
    tumor = one.result.tumors[0]
    wide = replace(tumor.findings[0], interval=(float("-inf"), float("inf")))
    record = to_record(replace(one.result, tumors=(replace(tumor, findings=(wide,)),)))

    assert finding(record, "minimum_margin")["interval"] is None
    assert finding(record, "minimum_margin")["interval_shown"] == ""


def test_phases_come_with_their_role_and_why(one: Sample) -> None:
    pre, portal, localizer = to_record(one.result)["phases"]

    assert (pre["role"], pre["used"], pre["reference"]) == ("t1_pre", True, False)
    assert (portal["role"], portal["reference"], portal["instances"]) == ("portal_venous", True, 10)
    assert portal["reasons"] == ["third of four contrast phases"]
    assert (localizer["used"], localizer["note"]) == (False, "not needed")


def test_a_result_without_tumors_still_says_its_verdict(none: Sample) -> None:
    record = to_record(none.result)

    assert record["tumors"] == []
    assert record["verdict"]
    assert record["contours"] == {"liver": None, "vessel": None}
    assert findings_table(record) == []


def test_the_table_has_each_finding_in_order_with_what_must_be_read_with_it(two: Sample) -> None:
    rows = findings_table(json.loads(json.dumps(to_record(two.result))))

    assert len(rows) == 14
    assert [row.tumor for row in rows] == ["Tumor 1"] * 7 + ["Tumor 2"] * 7
    assert rows[2] == Row("Tumor 1", "Tumor enhancement, arterial", "42 % (Yes)", "up to 60 %", "measured", NOTE)
    assert rows[4].remark == "There is no portal-venous phase."


@pytest.mark.parametrize(
    ("value", "expected"), [(2.96, "2.96 mm"), (3.0, "3.0 mm"), (3.04, "3.04 mm"), (3.16, "3.2 mm"), (-0.001, "0.00 mm")]
)
def test_rounding_never_hides_the_side_of_a_threshold(value: float, expected: str) -> None:
    """3.04 printed as 3.0 beside the category "more than 3 mm" would read as a mistake."""
    assert expected == answer(Finding("m", "M", MARGIN, "1", Status.MEASURED, value=value, unit=MM))


def test_an_interval_is_said_from_the_ends_that_are_known() -> None:
    assert shown_interval((2.0, None), MM) == "from 2.0 mm"
    assert shown_interval(None, MM) == ""
    assert shown(0.5, None) == "0.50"
