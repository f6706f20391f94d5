"""Volumes and coverage against the phantom's truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.features import size
from service.features.case import Case
from service.features.finding import Status
from service.phantom.patient import make_patient
from tests.features.conftest import case_of, named


@pytest.mark.parametrize("seed", [2, 9])
def test_volumes_within_3_percent_and_coverage_within_a_point(seed: int) -> None:
    patient = make_patient(seed)
    found = named(size.measure(case_of(patient)))
    truth = patient.truth
    assert pytest.approx(truth.tumor_ml, rel=0.03) == found["tumor_volume"].value
    assert pytest.approx(truth.zone_ml, rel=0.03) == found["ablation_zone_volume"].value
    covered = 100.0 * (1.0 - truth.uncovered_ml / truth.tumor_ml)
    assert pytest.approx(covered, abs=1.5) == found["tumor_coverage"].value


def test_empty_or_unknown_contour_has_no_volume(wide: Case) -> None:
    if wide.zone is None:
        pytest.fail("the case has no zone")
    empty = replace(wide.zone, mask=wide.zone.mask.with_values(np.zeros(wide.zone.mask.shape, np.float32)))
    case = replace(wide, tumor=None, zone=empty, missing={"tumor": "It cannot be seen."})
    for found in size.measure(case):
        assert found.status is Status.NOT_ASSESSABLE
        assert found.value is None
