"""One object of every kind, made from a phantom and labelled as a test: what a destination is tried with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from service.errors import Faulty
from service.jobs.analysis import analyse_files, write_made
from service.jobs.messages import MadeFile
from service.jobs.trials import dynamic
from service.options import AnalysisOptions
from service.report.compose import OUTPUTS

ROLES = tuple(role for role, _make in OUTPUTS)
PATIENT_ID, PATIENT_NAME = "CRYOMARGIN-TEST", "CRYOMARGIN TEST^NOT A PATIENT"
STUDY = "CRYOMARGIN TEST - PHANTOM, NOT A PATIENT - MRI LIVER 24H POST CRYOABL"[:64]
WHEN = datetime(2024, 3, 12, tzinfo=UTC)  # not now: a repeat sends the same objects and fills no archive


def make_specimens(folder: Path, options: AnalysisOptions) -> tuple[MadeFile, ...]:
    """The objects as files in `folder`, in sending order; patient, study and every UID are the test's own.

    Raises:
        Faulty: The phantom gives no result.
    """
    trial = dynamic()
    story = replace(trial.story, patient_id=PATIENT_ID, patient_name=PATIENT_NAME, study_description=STUDY)
    paths = replace(trial, story=story).write(folder / "phantom")
    every = replace(options, segmenters=("drawn",), outputs=ROLES)
    outcome = analyse_files(paths, every, WHEN, content_version="test")
    if outcome.record is None:
        raise Faulty("specimen.none", f"The test objects cannot be made: {outcome.sentence}")
    return write_made(outcome, folder)
