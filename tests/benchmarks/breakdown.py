"""Where the time of one instance goes in our listener: what each step takes by itself, in wall and in processor time.

Steps are functions of the service, wrapped in the process that is measured and in no other; what a step calls and is a step
too counts there alone. A clock costs about a microsecond each time it is read.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.dicom import fast, reception
from service.store import arrivals, files, journal, together
from tests.benchmarks.pump import data_set, pump
from tests.benchmarks.receivers import Receiver, ours
from tests.validation import evidence

# What is said of a step, and the function that is it.
STEPS: tuple[tuple[str, Any, str], ...] = (
    ("wait for the sender", fast.Reader, "_wait"),
    ("read from the socket", fast.Reader, "_receive"),
    ("cut into messages", fast.Reader, "_received"),
    ("begin: room, name, part file", reception.Reception, "begin"),
    ("hash", files.Incoming, "write"),
    ("check, header", reception.Reception, "keep"),
    ("write the part file", os, "write"),
    ("read back", files.Incoming, "read"),
    ("journal: write", journal.Segment, "append"),
    ("journal: wait for whoever flushes", journal.Journal, "_flush"),
    ("journal: flush", journal.Segment, "flush"),
    ("journal, rename", files.Incoming, "commit"),
    ("close", files.Incoming, "close"),
    ("row: wait for the writer", together.Together, "add"),
    ("row: begin and commit", together.Together, "_commit"),
    ("row: statements", arrivals, "add_instance"),
    ("answer", fast.Reader, "_finish"),
)
SUMS = "sums.json"
DATA = data_set(182_000)
ASKED = signal.SIGUSR1  # write what was summed, and begin anew


class Clock:
    """Sums by step; for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._here = threading.local()
        self._sums: dict[str, list[float]] = {}  # wall and processor seconds

    def wrap(self, step: str, owner: Any, name: str) -> None:
        """Put a function on the clock."""
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def timed(*arguments: Any, **more: Any) -> Any:
            self._open.append([0.0, 0.0])
            wall, processor = time.perf_counter(), time.thread_time()
            try:
                return function(*arguments, **more)
            finally:
                self._add(step, time.perf_counter() - wall, time.thread_time() - processor)

        setattr(owner, name, timed)

    def take(self) -> dict[str, list[float]]:
        """The sums since the last time."""
        with self._lock:
            sums, self._sums = self._sums, {}
        return sums

    @property
    def _open(self) -> list[list[float]]:
        """What was spent in steps inside each step that this thread is in."""
        if not hasattr(self._here, "open"):
            self._here.open = []
        found: list[list[float]] = self._here.open
        return found

    def _add(self, step: str, *spent: float) -> None:
        inside = self._open.pop()
        if self._open:
            self._open[-1] = [outer + more for outer, more in zip(self._open[-1], spent, strict=True)]
        with self._lock:
            before = self._sums.get(step, (0.0, 0.0))
            self._sums[step] = [sum(three) - less for *three, less in zip(before, spent, inside, strict=True)]


def keep(place: Path) -> None:
    """Put all steps of this process on the clock; whoever sends `ASKED` finds the sums at `place`."""
    clock = Clock()
    for step, owner, name in STEPS:
        clock.wrap(step, owner, name)

    def write(*_: object) -> None:
        part = place.with_suffix(".part")
        part.write_text(json.dumps(clock.take()))
        part.rename(place)

    signal.signal(ASKED, write)


def ask(pid: int, place: Path) -> dict[str, list[float]]:
    """The sums of another process since the last time that it was asked: wall and processor seconds by step."""
    place.unlink(missing_ok=True)
    os.kill(pid, ASKED)
    while not place.exists():
        time.sleep(0.01)
    found: dict[str, list[float]] = json.loads(place.read_text())
    return found


def measure(instances: int) -> str:
    """The table for one and for eight associations."""
    columns = {}
    with tempfile.TemporaryDirectory(prefix="breakdown-") as place, ours(Path(place), clocked=True) as receiver:
        for associations in (1, 8):
            each = max(1, instances // associations)
            pump(receiver.port, DATA, associations, max(1, each // 4))  # warms up
            ask(receiver.pid, Path(place) / SUMS)
            columns[associations] = _column(receiver, Path(place) / SUMS, associations, each)
    head = ("microseconds an instance", "1 at once: wall", "processor", "8 at once: wall", "processor")
    steps = dict.fromkeys(name for column in columns.values() for name in column)
    return evidence.table(head, [(step, *columns[1].get(step, ("", "")), *columns[8].get(step, ("", ""))) for step in steps])


def _column(receiver: Receiver, sums: Path, associations: int, each: int) -> dict[str, tuple[str, str]]:
    """Of each step the wall and processor time of an instance; the wall times of several associations lie beside each other."""
    instances, sent, received = associations * each, time.process_time(), receiver.processor_s()
    seconds = pump(receiver.port, DATA, associations, each)
    sender, listener = time.process_time() - sent, receiver.processor_s() - received
    spent = ask(receiver.pid, sums)
    whole = {"**all, from one to the next**": (seconds, listener), "the sender": (0.0, sender)}
    steps = {step: tuple(spent[step]) for step in dict.fromkeys(step for step, *_ in STEPS) if step in spent}
    return {
        step: (f"{1e6 * wall / instances:.0f}" if wall else "", f"{1e6 * processor / instances:.0f}")
        for step, (wall, processor) in (whole | steps).items()
    }
