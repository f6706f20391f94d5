"""A whole study without any drawn contour: what is asserted is right, on good exams and on poor ones.

Seeds are fixed before the method is looked at. Abstaining is allowed here; how often it happens stands in the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.errors import Unusable
from service.jobs.analysis import read_study
from service.jobs.example import example_patient
from service.jobs.truth import MARGIN, VESSEL, Verdict, compare
from service.options import AnalysisOptions
from service.phantom.degrade import POOR, TYPICAL
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from service.pipeline import analyse
from service.report.record import to_record

WHEN = datetime(2024, 3, 12, 10, 0, tzinfo=UTC)
KINDS = tuple(VesselKind)  # each of the eight once; `just validate-chain` has more of each, on either quality
FIRST_SEED = 8000


def verdicts(patient: PhantomPatient, folder: Path, *, enhanced: bool = False) -> Mapping[str, Verdict]:
    """What the study's files say of margin and vessel, against the truth; a study that is refused asserts nothing.

    The objects that would be sent are not made: they repeat the record, which tests/report holds.
    """
    paths = write_study(patient, folder, enhanced=enhanced)
    try:
        read = read_study(paths, AnalysisOptions(), WHEN, content_version="v")
        record = to_record(analyse(read, AnalysisOptions()))
    except Unusable:
        return {}
    return {row.name: row.verdict for row in compare(record, patient.truth)}


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(KINDS)))
def test_neither_margin_nor_vessel_is_confidently_wrong(number: int, tmp_path: Path) -> None:
    """Every second one comes as Enhanced MR, and every second pair is a poor exam."""
    quality = POOR if number // 2 % 2 else TYPICAL
    patient = make_patient(FIRST_SEED + number, vessel=KINDS[number], degradations=quality)
    found = verdicts(patient, tmp_path, enhanced=number % 2 == 1)
    assert Verdict.WRONG not in {found.get(MARGIN), found.get(VESSEL)}, (found, patient.truth)


def test_a_clear_phantom_is_answered_and_not_only_refused(tmp_path: Path) -> None:
    found = verdicts(example_patient(), tmp_path)
    assert found[VESSEL] is Verdict.RIGHT
    assert found[MARGIN] in {Verdict.RIGHT, Verdict.ABSTAINED}
