"""An analysis process that has loaded its libraries before there is something to analyse.

Loading takes seconds, in which a study waits for nothing else: they pass while its quiet time does.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from service.jobs.child import LATER, LOG_FILE
from service.jobs.messages import Request
from service.jobs.process import Child, Ended, Limits, Progress, Wanted, ask, run_analysis, start, wait_for

KEPT_S = 30.0  # how long a process waits for the study that was expected


def waiting_child(parent: int, pipe: int) -> list[str]:
    """The command line of an analysis process that is told its folder later."""
    return [sys.executable, "-m", "service.jobs.child", LATER, str(parent), str(pipe)]


class Spare:
    """At most one process that waits. It is begun by a thread that lives as long as this, because it dies with its thread."""

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._child: Child | None = None
        self._until = 0.0  # monotonic time at which nothing is expected any more
        self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._tend, name="spare", daemon=True)

    def start(self) -> None:
        """Begin to wait for what is expected."""
        self._thread.start()

    def stop(self) -> None:
        """End the process that waits; those that were taken must have ended."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def expect(self) -> None:
        """An analysis will be asked for soon."""
        with self._changed:
            self._until = time.monotonic() + self._kept_s
            self._changed.notify_all()

    def run(self, request: Request, folder: Path, limits: Limits, progress: Progress, wanted: Wanted) -> Ended:
        """As `run_analysis`, in the process that waits where there is one."""
        ask(request, folder)
        (folder / LOG_FILE).touch(0o600)
        child = self._take()
        if child is None:
            return run_analysis(request, folder, limits, progress, wanted)
        child.tell(str(folder))
        return wait_for(child, folder, limits, progress, wanted)

    def _take(self) -> Child | None:
        """The process that waits; None where there is none, or where it died."""
        with self._changed:
            child, self._child = self._child, None
            self._until = 0.0
        if child is not None and child.process.poll() is not None:
            child.end()
            return None
        return child

    def _tend(self) -> None:
        with self._changed:
            while not self._stopped:
                self._changed.wait(self._as_expected())
            self._end()

    def _as_expected(self) -> float | None:
        """Have a process that waits, or none; gives for how long (s) that is right, None for as long as nothing changes."""
        left = self._until - time.monotonic()
        if left <= 0.0:
            self._end()
            return None
        if self._child is None:
            self._child = start(waiting_child, subprocess.PIPE, subprocess.DEVNULL)
        return left

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
