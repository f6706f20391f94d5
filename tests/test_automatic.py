"""A whole study without any drawn contour: what is asserted is right, on good exams and on poor ones.

Seeds are fixed before the method is looked at. Abstaining is allowed here; how often it happens stands in the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.jobs.analysis import analyse_files
from service.jobs.example import example_patient
from service.jobs.truth import MARGIN, VESSEL, Verdict, compare
from service.options import AnalysisOptions
from service.phantom.degrade import POOR, TYPICAL, Degradations
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study

WHEN = datetime(2024, 3, 12, 10, 0, tzinfo=UTC)
KINDS = tuple(VesselKind)  # each of the eight once on either quality
FIRST_SEED = 8000
QUALITIES = {"typical": TYPICAL, "poor": POOR}


def verdicts(patient: PhantomPatient, folder: Path) -> Mapping[str, Verdict]:
    """What the study's files say of margin and vessel, against the truth; a study that is refused asserts nothing."""
    outcome = analyse_files(write_study(patient, folder), AnalysisOptions(), WHEN, content_version="v")
    if outcome.record is None:
        assert outcome.sentence
        return {}
    return {row.name: row.verdict for row in compare(outcome.record, patient.truth)}


@pytest.mark.slow
@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("number", range(len(KINDS)))
def test_neither_margin_nor_vessel_is_confidently_wrong(number: int, quality: str, tmp_path: Path) -> None:
    degradations: Degradations = QUALITIES[quality]
    patient = make_patient(FIRST_SEED + number, vessel=KINDS[number], degradations=degradations)
    found = verdicts(patient, tmp_path)
    assert Verdict.WRONG not in {found.get(MARGIN), found.get(VESSEL)}, (found, patient.truth)


def test_a_clear_phantom_is_answered_and_not_only_refused(tmp_path: Path) -> None:
    found = verdicts(example_patient(), tmp_path)
    assert found[VESSEL] is Verdict.RIGHT
    assert found[MARGIN] in {Verdict.RIGHT, Verdict.ABSTAINED}
