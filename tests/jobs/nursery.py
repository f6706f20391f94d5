"""Workers that start at once: a process imports everything, and forks one whenever it is asked to.

Each is a process of its own that is killed like any other; what is saved is the imports, which cost more than all that the
tests with killed workers are about.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TextIO

from service.jobs.limits import die_with_parent

ROOT = Path(__file__).resolve().parents[2]
READY = "started"


class Nursery:
    """Starts the workers of one module, whose function `work` is given what it calls when it takes jobs, and the words."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-m", "tests.jobs.nursery", module]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def start(self, *words: object) -> int:
        """The process id of a worker that takes jobs."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print("\t".join(str(word) for word in words), file=self._process.stdin, flush=True)
        number = int(self._process.stdout.readline())
        assert self._process.stdout.readline().strip() == READY
        return number

    def close(self) -> None:
        """Nobody else is started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def nursery(module: str) -> Iterator[Nursery]:
    """At the end it goes, and whoever still works goes with it."""
    made = Nursery(module)
    try:
        yield made
    finally:
        made.close()


def kill(number: int) -> None:
    """End a worker as a power cut would, and wait until nothing is left of it."""
    os.kill(number, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{number}").exists():
        assert time.monotonic() < deadline, "the worker survived"
        time.sleep(0.01)


def main(module: str) -> None:
    """Fork a worker for each line of words; the dead are buried by the system."""
    work: Callable[..., None] = import_module(module).work
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # where the workers' logs go
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            _work(work, told, line.rstrip("\n").split("\t"))


def _work(work: Callable[..., None], told: TextIO, words: Sequence[str]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent(os.getppid())
    sys.stdin.close()
    told.write(f"{os.getpid()}\n")
    try:
        work(lambda: told.write(f"{READY}\n"), *words)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
