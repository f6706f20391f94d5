"""`just validate-chain`: how right the whole analysis is on phantoms with analytic truth.

From DICOM files, with a reader's contours and without any. Seeds are other ones than those that anything was tuned on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import cyclopts
import numpy as np
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

from service.jobs.analysis import Outcome, analyse_files
from service.jobs.truth import MARGIN, VESSEL, Verdict, compare
from service.options import AnalysisOptions
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from tests.validation import evidence

FIRST_CHAIN = 70_000
PROCESSES = 2
WHEN = datetime(2024, 3, 12, tzinfo=UTC)
KINDS = tuple(VesselKind)
DRAWN, AUTOMATIC = "drawn", "automatic"
QUESTIONS = {
    MARGIN: "Margin <= 3 mm",
    VESSEL: "Vessel bridges",
    "tumor_enhancement": "Tumor enhances (each phase)",
    "tumor_volume": "Tumor volume within 15 %",
    "ablation_zone_volume": "Zone volume within 15 %",
}
ASSERTED = (MARGIN, VESSEL)  # what must never be confidently wrong

Given = TypeVar("Given")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Seen:
    """One analysis of one phantom: what it answered, its margin error (mm) where it measured one, why not where it did not."""

    seed: int
    contours: str
    kind: VesselKind
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    error: float | None = None
    reason: str = ""
    fault: str = ""

    def count(self, name: str) -> Counter[Verdict]:
        """The verdicts about one question; no answer at all is an abstention."""
        found = [verdict for asked, verdict in self.verdicts if asked.startswith(name)]
        return Counter(found or [Verdict.ABSTAINED])


def main(chain: int = 64, minutes: float = 60.0, *, write: bool = True) -> None:
    """Validate, print the figures and put them into docs/evidence.md.

    `chain` whole studies; after `minutes` the figures are of what was done until then.
    """
    console, started = Console(), time.monotonic()
    with Progress(console=console) as progress, ProcessPoolExecutor(PROCESSES) as pool:
        body, faults = _chains(_Work(pool, progress, 60.0 * minutes), chain)
    body = f"{evidence.stamp('just validate-chain', time.monotonic() - started)}\n\n{body}"
    console.print(Markdown(body))
    if write:
        evidence.replace("validate", body)
    sys.exit(1 if faults else 0)


def _chains(work: _Work, count: int) -> tuple[str, int]:
    """The whole analysis, with a reader's contours and without."""
    seen = [one for pair in work.all("Whole studies", _studies, range(FIRST_CHAIN, FIRST_CHAIN + count)) for one in pair]
    return "\n\n".join(_chain_parts(seen)), sum(bool(_wrong(one) or one.fault) for one in seen)


@dataclass(frozen=True, slots=True)
class _Work:
    """Processes that work for at most `seconds` on each list."""

    pool: ProcessPoolExecutor
    progress: Progress
    seconds: float

    def all(self, name: str, work: Callable[[Given], Found], given: Iterable[Given]) -> list[Found]:
        """`work` on what is given, in its order; on the first part of it when time runs out."""
        waiting: list[Future[Found]] = [self.pool.submit(work, one) for one in given]
        bar = self.progress.add_task(name, total=len(waiting))
        with suppress(TimeoutError):
            for _ in as_completed(waiting, timeout=self.seconds):
                self.progress.advance(bar)
        begun = [one for one in waiting if not one.cancel()]
        return [one.result() for one in begun]


def _studies(seed: int) -> list[Seen]:
    """One phantom as DICOM, analysed with the contours that its maker drew and without."""
    kind = KINDS[seed % len(KINDS)]
    patient = make_patient(seed, vessel=kind)
    with tempfile.TemporaryDirectory() as folder:
        drawn = write_study(patient, Path(folder), seg="fractional")
        bare = [path for path in drawn if "seg" not in path.parent.name]
        return [_seen(patient, kind, name, paths) for name, paths in ((DRAWN, drawn), (AUTOMATIC, bare))]


def _seen(patient: PhantomPatient, kind: VesselKind, contours: str, paths: Sequence[Path]) -> Seen:
    seed = patient.recipe.seed
    try:
        outcome = analyse_files(paths, AnalysisOptions(), WHEN, content_version="validation")
    except Exception as fault:  # noqa: BLE001 a crash is one of the figures
        return Seen(seed, contours, kind, fault=f"{type(fault).__name__}: {fault}")
    return _answered(patient, kind, contours, outcome)


def _answered(patient: PhantomPatient, kind: VesselKind, contours: str, outcome: Outcome) -> Seen:
    seed = patient.recipe.seed
    if outcome.record is None:
        return Seen(seed, contours, kind, reason=outcome.code)
    verdicts = tuple((row.name, row.verdict) for row in compare(outcome.record, patient.truth))
    finding = _finding(outcome.record)
    if finding is None:
        return Seen(seed, contours, kind, verdicts, reason="no tumor or zone")
    error = None if finding["value"] is None else float(finding["value"]) - patient.truth.minimum_margin
    return Seen(seed, contours, kind, verdicts, error, finding["reason"]["code"] if finding["reason"] else "")


def _finding(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    findings = (finding for tumor in record["tumors"] for finding in tumor["findings"] if finding["name"] == MARGIN)
    return next(findings, None)


def _wrong(one: Seen) -> bool:
    return any(one.count(name)[Verdict.WRONG] for name in ASSERTED)


def _chain_parts(seen: Sequence[Seen]) -> list[str]:
    """Everything about the whole analysis, part by part."""
    count = len(seen) // 2
    parts = [
        f"The whole analysis of {count} small studies with typical noise, bias and breathing:\n\n{_answers(seen)}",
        f"Error of the margin where one was measured:\n\n{_errors(seen)}",
        f"Whether a vessel bridges, by how it truly runs:\n\n{_vessels(seen)}",
    ]
    wrong = [f"{one.seed} ({one.contours}, {one.kind})" for one in seen if _wrong(one)]
    faults = [f"{one.seed} ({one.contours}): {one.fault}" for one in seen if one.fault]
    parts.append(f"Seeds of confident-wrong answers: {', '.join(wrong) or 'none'}. Crashes: {', '.join(faults) or 'none'}.")
    return parts


def _answers(seen: Sequence[Seen]) -> str:
    rows: list[tuple[object, ...]] = []
    for name, title in QUESTIONS.items():
        for contours in (DRAWN, AUTOMATIC):
            total = sum((one.count(name) for one in seen if one.contours == contours), Counter[Verdict]())
            rows.append((title, contours, total[Verdict.RIGHT], total[Verdict.WRONG], total[Verdict.ABSTAINED]))
    return evidence.table(("question", "contours", "right", "wrong", "abstained"), rows)


def _errors(seen: Sequence[Seen]) -> str:
    rows = []
    for contours in (DRAWN, AUTOMATIC):
        of = [one for one in seen if one.contours == contours]
        errors = np.abs([one.error for one in of if one.error is not None])
        why = Counter(one.reason for one in of if one.reason)
        reasons = ", ".join(f"{code} {count}" for code, count in why.most_common()) or "-"
        figures = (
            [f"{value:.2f}" for value in (errors.mean(), np.percentile(errors, 95), errors.max())] if errors.size else ["-"] * 3
        )
        rows.append((contours, len(of), errors.size, *figures, reasons))
    head = ("contours", "studies", "measured", "mean (mm)", "95th percentile (mm)", "largest (mm)", "reasons not to answer")
    return evidence.table(head, rows)


def _vessels(seen: Sequence[Seen]) -> str:
    rows = []
    for kind in KINDS:
        row: list[object] = [kind.value.replace("_", " ")]
        for contours in (DRAWN, AUTOMATIC):
            of = [one for one in seen if one.kind is kind and one.contours == contours]
            total = sum((one.count(VESSEL) for one in of), Counter[Verdict]())
            row.append(" / ".join(str(total[verdict]) for verdict in (Verdict.RIGHT, Verdict.WRONG, Verdict.ABSTAINED)))
        rows.append(row)
    return evidence.table(("vessel", "drawn: right / wrong / abstained", "automatic: right / wrong / abstained"), rows)


if __name__ == "__main__":
    cyclopts.run(main)
