"""`just validate-chain`: how right the whole analysis is on phantoms with analytic truth.

From DICOM files, with a reader's contours and without any; and the same for lesions put into a real abdominal MR. Seeds are
other ones than those that anything was tuned on.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cyclopts
import numpy as np

from service.jobs.analysis import Outcome, analyse_files
from service.jobs.truth import MARGIN, VESSEL, Verdict, compare
from service.options import AnalysisOptions
from service.phantom.degrade import POOR, TYPICAL
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.recipe import Wish
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from tests.real.abdomen import semi_real
from tests.validation import evidence
from tests.validation.many import Kept, measure_missing

FIRST_CHAIN, FIRST_PLACEMENT = 70_000, 80_000
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


def main(
    phantoms: int = 64,
    placements: int = 64,
    minutes: float = 120.0,
    *,
    processes: int = 2,
    keep: Path | None = None,
    write: bool = True,
) -> None:
    """Validate, print the figures and put them into docs/evidence.md.

    `phantoms` whole studies, and as many `placements` of a lesion in a real abdominal MR (0 without the real data);
    after `minutes` the figures are of what was done until then. In `keep` (a file) a run goes on where it ended.
    """
    began, wrong = time.monotonic(), False
    kept = Kept(keep)
    for part in (
        _Part("validate", "phantoms", _phantom, FIRST_CHAIN, phantoms),
        _Part("validate-abdomen", "placements", _placement, FIRST_PLACEMENT, placements),
    ):
        left = 60.0 * minutes - (time.monotonic() - began)
        measure_missing(part.name, part.measure, part.seeds, kept, processes, max(left, 1.0))
        seen = [one for seed in part.seeds for one in kept.found.get(seed, ())]
        if not seen:
            continue
        body = f"{evidence.stamp('just validate-chain', time.monotonic() - began)}\n\n{_report(seen)}"
        print(body)  # noqa: T201
        wrong |= any(_wrong(one) or one.fault for one in seen)
        if write:
            evidence.replace(part.place, body)
    sys.exit(1 if wrong else 0)


@dataclass(frozen=True, slots=True)
class _Part:
    """One kind of patient: where its figures stand, and how one of them is made and analysed."""

    place: str
    name: str
    measure: Callable[[int], list[Seen]]
    first: int
    count: int

    @property
    def seeds(self) -> range:
        return range(self.first, self.first + self.count)


def _phantom(seed: int) -> list[Seen]:
    """Each kind of vessel in turn; eight good exams, then eight poor ones."""
    kind = KINDS[seed % len(KINDS)]
    quality = POOR if seed // len(KINDS) % 2 else TYPICAL
    return _studies(make_patient(seed, vessel=kind, degradations=quality), kind)


def _placement(seed: int) -> list[Seen]:
    kind = KINDS[seed % len(KINDS)]
    return _studies(semi_real(seed, Wish(vessel=kind)), kind)


def _studies(patient: PhantomPatient, kind: VesselKind) -> list[Seen]:
    """One patient as DICOM, analysed with the contours that its maker drew and without."""
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


def _report(seen: Sequence[Seen]) -> str:
    """Everything about the whole analysis, part by part."""
    count = len(seen) // 2
    parts = [
        f"The whole analysis of {count} studies:\n\n{_answers(seen)}",
        f"Error of the margin where one was measured:\n\n{_errors(seen)}",
        f"Whether a vessel bridges, by how it truly runs:\n\n{_vessels(seen)}",
    ]
    wrong = [f"{one.seed} ({one.contours}, {one.kind})" for one in seen if _wrong(one)]
    faults = [f"{one.seed} ({one.contours}): {one.fault}" for one in seen if one.fault]
    parts.append(f"Seeds of confident-wrong answers: {', '.join(wrong) or 'none'}. Crashes: {', '.join(faults) or 'none'}.")
    return "\n\n".join(parts)


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
