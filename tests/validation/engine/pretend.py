"""The service with an analysis that measures nothing: `python -m tests.validation.engine.pretend run --config FILE`.

It is for tests alone and ships with no product: everything around the analysis is real, its child process with its limits
too, and what the child makes says in every object that nothing was measured. Variables: PRETEND_NOTES names the file that
gets a line for every analysis that begins and ends, PRETEND_S how long one takes.
"""

from __future__ import annotations

import sys
import threading
from functools import partial
from pathlib import Path

import service.app
from service.cli import main
from service.jobs.process import run_analysis
from service.jobs.steps import Run, Steps


class Pretending(service.app.Service):
    """Real but for what an analysis does."""

    def _steps(self, folder: Path, stop_now: threading.Event, run: Run) -> Steps:
        del run
        return super()._steps(folder, stop_now, partial(run_analysis, command=child))


def child(folder: Path, parent: int, pipe: int) -> list[str]:
    """The command line of the pretended analysis."""
    return [sys.executable, "-m", "tests.validation.engine.pretended", str(folder), str(parent), str(pipe)]


if __name__ == "__main__":
    vars(service.app)["Service"] = Pretending
    main()
