"""The service with an analysis that measures nothing: `python -m tests.validation.engine.pretend run --config FILE`.

It is for tests alone and ships with no product: everything around the analysis is real, its child process with its limits
too, and what the child makes says in every object that nothing was measured. Variables: PRETEND_NOTES names the file that
gets a line for every analysis that begins and ends, PRETEND_S how long one takes. Here no study is given up for ending its
worker again and again: it is the soak that kills, whatever is analysed.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import service.jobs.forked
import service.store.work
from service.cli import main
from service.jobs.process import run_analysis


def child(folder: Path, parent: int, pipe: int) -> list[str]:
    """The command line of the pretended analysis where none can be forked."""
    return [sys.executable, "-m", "tests.validation.engine.pretended", str(folder), str(parent), str(pipe)]


if __name__ == "__main__":
    vars(service.jobs.forked)["MODULE"] = "tests.validation.engine.pretended_forks"
    vars(service.jobs.forked)["run_analysis"] = partial(run_analysis, command=child)
    vars(service.store.work)["KILLED"] = sys.maxsize
    main()
