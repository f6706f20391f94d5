"""Three tiny phantoms with known truth through the real analysis: a service that misses one must not serve."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service.jobs.messages import Request
from service.jobs.process import Ended, Limits, Progress, run_analysis
from service.options import AnalysisOptions

PASSED = "All three self-test phantoms were met."
WHAT_TO_DO = (
    "No study is measured by this installation: install the released version again and run `cryomargin doctor`; "
    "if it says the same, report this sentence."
)
MET = "self_test.met"


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Whether the truth was met, the sentence that says so or what was missed, and the time it took (s)."""

    passed: bool
    sentence: str
    seconds: float


def self_test(options: AnalysisOptions, limits: Limits, progress: Progress = lambda _phantom, _percent: None) -> SelfTest:
    """Analyse the three phantoms with the contours that their maker drew, in one process of their own.

    `progress` hears the name of each phantom when its turn comes, and percents.
    """
    started, reached = time.monotonic(), [""]

    def hear(phantom: str, percent: int) -> None:
        reached[0] = phantom
        progress(phantom, percent)

    with tempfile.TemporaryDirectory(prefix="cryomargin-") as place:
        request = Request((), "self-test", datetime.now(UTC), options=options)
        ended = run_analysis(request, Path(place), limits, hear, lambda: None, rehearsal)
    missed = said_of(ended, reached[0])
    return SelfTest(not missed, missed or PASSED, time.monotonic() - started)


def rehearsal(folder: Path, parent: int, pipe: int) -> list[str]:
    """The command line of the process that makes and analyses the phantoms."""
    return [sys.executable, "-m", "service.jobs.rehearse", os.fspath(folder), str(parent), str(pipe)]


def said_of(ended: Ended, reached: str) -> str:
    """What is wrong and what to do; "" when all was met. `reached` is the last phantom that was begun, if any."""
    if ended.answer is None:
        where = f"at phantom '{reached}'" if reached else "before the first phantom"
        return f"The self-test broke off {where}: {ended.fault} {WHAT_TO_DO}"
    if ended.answer.code == MET:
        return ""
    return f"The self-test missed {ended.answer.sentence}. {WHAT_TO_DO}"
