"""A small phantom with known truth through the real analysis process: a service that misses it must not serve."""

from __future__ import annotations

import math
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.jobs.example import example_patient
from service.jobs.messages import Request
from service.jobs.process import Ended, Limits, run_analysis
from service.jobs.truth import MARGIN, VESSEL, Beside, Verdict, compare
from service.options import AnalysisOptions
from service.phantom.truth import Truth
from service.phantom.write import write_study

EXACT_MM = 0.8  # the largest margin error that drawn masks may have
WHEN = datetime(2024, 3, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Whether the truth was met, the sentence that says so or what was missed, and the time it took (s)."""

    passed: bool
    sentence: str
    seconds: float


def self_test(options: AnalysisOptions, limits: Limits) -> SelfTest:
    """Analyse the example patient with the contours that its maker drew."""
    started = time.monotonic()
    patient = example_patient()
    with tempfile.TemporaryDirectory(prefix="cryomargin-") as place:
        folder = Path(place)
        paths = write_study(patient, folder / "study", seg="fractional")
        request = Request(tuple(paths), "self-test", WHEN, options=options)
        ended = run_analysis(request, folder, limits, lambda _stage, _percent: None, threading.Event())
    missed = _missed(ended, patient.truth)
    return SelfTest(not missed, missed or "The self-test phantom was met.", time.monotonic() - started)


def _missed(ended: Ended, truth: Truth) -> str:
    """What is wrong, in one sentence: no result, a wrong or missing main answer, a margin that is not exact."""
    if ended.answer is None or ended.answer.record is None:
        return f"The self-test phantom gave no result: {ended.answer.sentence if ended.answer else ended.fault}"
    record = ended.answer.record
    faults = [_fault(row) for row in compare(record, truth) if _is_fault(row)]
    error = abs(_margin(record) - truth.minimum_margin)
    if error > EXACT_MM:
        faults.append(f"the margin is {error:.1f} mm off")
    return f"The self-test phantom was missed: {'; '.join(faults)}." if faults else ""


def _is_fault(row: Beside) -> bool:
    return row.verdict is Verdict.WRONG or (row.name in (MARGIN, VESSEL) and row.verdict is not Verdict.RIGHT)


def _fault(row: Beside) -> str:
    return f"{row.title}: {row.measured}, truth {row.truth}"


def _margin(record: Mapping[str, Any]) -> float:
    """The measured margin, mm; infinitely wrong when there is none."""
    findings = (finding for tumor in record["tumors"] for finding in tumor["findings"] if finding["name"] == MARGIN)
    values = (finding["value"] for finding in findings if finding["value"] is not None)
    return float(next(values, math.inf))
