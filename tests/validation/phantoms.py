"""`just validate`: how right the measurements are on many phantoms with analytic truth.

The margin from the true contours, without images (its own error), and the whole analysis from DICOM files: with a reader's
contours and without any. Seeds are other ones than those of the tests, so nothing was tuned on them.
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
from service.study.model import Vector
from tests.features.test_margin_validation import GRIDS, measure
from tests.features.test_margin_validation import Outcome as Measured
from tests.validation import evidence

FIRST_MASKS = 50_000
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


def main(masks: int = 400, chain: int = 64, minutes: float = 60.0, *, write: bool = True) -> None:
    """Validate on `masks` phantoms without images and `chain` with, print the figures and put them into docs/evidence.md.

    After `minutes`, half of them for each, the figures are of what was done until then.
    """
    console, started = Console(), time.monotonic()
    jobs = [(FIRST_MASKS + n, GRIDS[n % len(GRIDS)], binary) for n in range(masks) for binary in (False, True)]
    with Progress(console=console) as progress, ProcessPoolExecutor(PROCESSES) as pool:
        work = _Work(pool, progress, 30.0 * minutes)
        seen = work.all("Studies, with contours and without", _studies, range(FIRST_CHAIN, FIRST_CHAIN + chain))
        margins = work.all("Margins from true contours", _margin, jobs)
    chains = [one for pair in seen for one in pair]
    body = "\n\n".join([_margin_part(jobs, margins), *_chain_parts(chains)])
    body = f"{evidence.stamp('just validate', time.monotonic() - started)}\n\n{body}"
    console.print(Markdown(body))
    if write:
        evidence.replace("validate", body)
    sys.exit(1 if any(one.wrong for one in margins) or any(_wrong(one) or one.fault for one in chains) else 0)


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


def _margin(job: tuple[int, Vector, bool]) -> Measured:
    seed, spacing, binary = job
    return measure(seed, spacing, binary=binary)


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


def _margin_part(jobs: Sequence[tuple[int, Vector, bool]], found: Sequence[Measured]) -> str:
    rows = []
    for binary, contours in ((False, "fractions"), (True, "whole voxels")):
        of = [(job, one) for job, one in zip(jobs, found, strict=False) if job[2] == binary]
        rows += [_margin_row(contours, _grid(grid), [one for job, one in of if job[1] == grid]) for grid in GRIDS]
        rows.append(_margin_row(contours, "all", [one for _, one in of]))
    head = (
        "true contours as",
        "slice x row x column (mm)",
        "phantoms",
        "bias (mm)",
        "mean error (mm)",
        "largest (mm)",
        "truth in 95 % interval",
        "equivocal",
        "confident-wrong",
    )
    wrong = [
        f"{seed} ({_grid(grid)}, {one.error:+.2f} mm)" for (seed, grid, _), one in zip(jobs, found, strict=False) if one.wrong
    ]
    title = "Minimum ablation margin from the true contours, without images"
    return f"{title}:\n\n{evidence.table(head, rows)}\n\nSeeds of confident-wrong answers: {', '.join(wrong) or 'none'}."


def _grid(spacing: Vector) -> str:
    return " x ".join(f"{size:g}" for size in spacing)


def _margin_row(contours: str, grid: str, found: Sequence[Measured]) -> tuple[object, ...]:
    errors = np.array([one.error for one in found])
    return (
        contours,
        grid,
        len(found),
        f"{errors.mean():+.2f}",
        f"{np.abs(errors).mean():.2f}",
        f"{np.abs(errors).max():.2f}",
        f"{np.mean([one.covered for one in found]):.0%}",
        f"{np.mean([one.equivocal for one in found]):.0%}",
        sum(one.wrong for one in found),
    )


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
