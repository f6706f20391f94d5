"""FEATURES is complete, and a finding says a value or a reason, never both or neither."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import service.features
from service.codes import MM, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.features.table import FEATURES, measure

NO_MEASUREMENT = {"__init__", "calibration", "case", "finding", "precision", "table"}


def test_every_module_of_features_is_in_the_table() -> None:
    modules = {path.stem for path in Path(service.features.__path__[0]).glob("*.py")} - NO_MEASUREMENT
    assert modules == {feature.measure.__module__.rsplit(".", 1)[1] for feature in FEATURES}


def test_every_feature_gives_all_its_findings_measured_or_not(wide: Case) -> None:
    names = [name for feature in FEATURES for name in feature.names]
    nothing = replace(wide, tumor=None, surface=None, visibility=None, liver=None, phases={})
    for case in (wide, nothing):
        assert names == [finding.name for finding in measure(case)]


def test_codes_fit_into_dicom(wide: Case) -> None:
    for finding in measure(wide):
        assert len(finding.code.value) <= 16
        assert len(finding.code.meaning) <= 64


def finding(**changes: object) -> Finding:
    """A measured finding, changed."""
    good = Finding("x", "X", ours("X", "X"), "m", Status.MEASURED, value=1.0, unit=MM)
    return replace(good, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"value": None, "unit": None},
        {"status": Status.NOT_ASSESSABLE, "reason": Reason("x", "Because.")},
        {"status": Status.NOT_ASSESSABLE, "value": None, "unit": None},
        {"unit": None},
        {"value": float("nan")},
    ],
)
def test_dishonest_finding_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="x: "):
        finding(**changes)
