"""Run one analysis in a process of its own, within limits, and say how it ended."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.errors import TryAgain
from service.jobs.child import ANSWER_FILE, LOG_FILE, REQUEST_FILE
from service.jobs.limits import limit_processor, resident_mb
from service.jobs.messages import ANSWER, REQUEST, Answer, Request

LOOK_S = 0.05  # how often memory and time are looked at, and whether the answer is still wanted
LOG_TAIL = 300
LOG_KEPT = 16_384  # bytes of what an analysis wrote that are kept with its job
LOG_LIMIT = 4_000_000  # bytes on disk, after which its earlier words are dropped

_ANALYSIS, _LOCK = "analysis-", "lock"
_LONG_AGO_S = 2 * 86400.0

Progress = Callable[[str, int], None]
Wanted = Callable[[], None]
Command = Callable[[Path, int, int], list[str]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one analysis may use: resident memory (MB), time (s) and processor time of all its cores together (s)."""

    memory_mb: int = 2048
    timeout_s: float = 600.0
    processor_s: float = 1800.0


class Process(Protocol):
    """What is asked of a process: `subprocess.Popen`, or a fork."""

    @property
    def pid(self) -> int:
        """Its id."""

    def poll(self) -> int | None:
        """The exit status once it ended; None before."""

    def kill(self) -> None:
        """SIGKILL."""

    def wait(self) -> int:
        """Until it ended; gives the exit status."""


@dataclass(frozen=True, slots=True)
class Child:
    """An analysis process, and the descriptor that its progress is read from."""

    process: Process
    reading: int

    def end(self) -> None:
        """Kill it if it lives, and leave nothing of it: also of what it began, a network's program for one.

        It leads a group of its own, whose number nobody else gets while one of the group lives.
        """
        self.process.kill()
        with suppress(ProcessLookupError, PermissionError):  # nobody is left, or it had not come so far as to lead one
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.reading)


@dataclass(frozen=True, slots=True)
class Ended:
    """How an analysis process ended: with an answer, or with the fault that ended it (one sentence).

    `peak_mb` is the most memory that was seen, `seconds` the time it took, `output` the end of what it wrote.
    """

    answer: Answer | None
    fault: str
    peak_mb: int
    seconds: float
    output: str = ""


def python_child(folder: Path, parent: int, pipe: int) -> list[str]:
    """The command line of the real analysis process."""
    return [sys.executable, "-m", "service.jobs.child", str(folder), str(parent), str(pipe)]


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """A fresh folder for one analysis, gone afterwards.

    A lock in it lives as long as this process, which is how `sweep` tells it from what a killed worker left; it has its name
    only once the lock is held.
    """
    parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=parent, prefix="new-"))
    folder = new.with_name(new.name.replace("new-", _ANALYSIS, 1))
    try:
        with (new / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            new.rename(folder)
            try:
                yield folder
            finally:
                shutil.rmtree(folder)  # with the lock held: two who remove it would hinder each other
    finally:
        shutil.rmtree(new, ignore_errors=True)


def sweep(parent: Path) -> int:
    """Remove the folders of analyses whose worker was killed, with the images in them; gives how many."""
    return sum(_swept(folder) for folder in parent.glob(f"{_ANALYSIS}*"))


def _swept(folder: Path) -> bool:
    """Without a lock it is of a version that had none: no analysis takes days."""
    try:
        if (folder / _LOCK).exists():
            with (folder / _LOCK).open("r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif time.time() - folder.stat().st_mtime < _LONG_AGO_S:
            return False
        shutil.rmtree(folder)
    except OSError:  # it lives, or another worker sweeps too; what is left is for the next start
        return False
    return True


def run_analysis(
    request: Request,
    folder: Path,
    limits: Limits,
    progress: Progress,
    wanted: Wanted,
    command: Command = python_child,
) -> Ended:
    """Analyse in a child process; the objects it made lie in `folder`.

    `wanted` is called again and again; what it raises ends the analysis, and is raised here when the child is gone.

    Raises:
        TryAgain: The machine has no room for a process now.
    """
    ask(request, folder)
    with (folder / LOG_FILE).open("ab") as log:
        child = _start(lambda parent, pipe: command(folder, parent, pipe), log.fileno())
    return wait_for(child, folder, limits, progress, wanted)


def ask(request: Request, folder: Path) -> None:
    """Put a request where the process finds it."""
    (folder / REQUEST_FILE).write_bytes(REQUEST.dump_json(request))


def _start(command: Callable[[int, int], list[str]], log: int) -> Child:
    """Start a child in a session of its own, so that Ctrl-C at a terminal reaches the service alone, which then drains.

    `command` takes the parent's process id and the descriptor for progress; `log` is where it writes.

    Raises:
        TryAgain: The machine has no room for a process now.
    """
    try:
        reading, writing = os.pipe()
    except OSError as fault:
        raise _no_room(fault) from fault
    try:
        process = subprocess.Popen(  # noqa: S603 our own interpreter
            command(os.getpid(), writing),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
        )
    except OSError as fault:
        os.close(reading)
        raise _no_room(fault) from fault
    finally:
        os.close(writing)
    return Child(process, reading)


def _no_room(fault: OSError) -> TryAgain:
    sentence = f"The analysis cannot begin: the machine has no room for its process ({fault.strerror})."
    return TryAgain("analysis.no_process", sentence)


def wait_for(child: Child, folder: Path, limits: Limits, progress: Progress, wanted: Wanted) -> Ended:
    """Watch over a child that has its request in `folder`, until it is gone; see `run_analysis`."""
    limit_processor(child.process.pid, limits.processor_s)
    try:
        fault, peak, seconds = _watch(child.process, _Lines(child.reading, progress), limits, wanted, folder / LOG_FILE)
    finally:
        child.end()
    fault = fault or _missing(child.process.wait(), folder, limits)
    return Ended(None if fault else _answer(folder), fault, peak, seconds, _output(folder))


class _Lines:
    """Progress lines from a pipe."""

    def __init__(self, descriptor: int, progress: Progress) -> None:
        self._descriptor = descriptor
        self._progress = progress
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(descriptor, selectors.EVENT_READ)

    def pump(self, wait_s: float) -> bool:
        """Pass on what came within `wait_s`; False once the other end is closed."""
        if not self._selector.select(wait_s):
            return True
        read = os.read(self._descriptor, 65536)
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            stage, percent = json.loads(line)
            self._progress(str(stage), int(percent))
        return bool(read)

    def close(self) -> None:
        self._selector.close()


def _watch(child: Process, lines: _Lines, limits: Limits, wanted: Wanted, log: Path) -> tuple[str, int, float]:
    """Until the child ends or must end: fault ("" when it ended by itself), peak memory in MB, seconds."""
    started, peak, talking = time.monotonic(), 0, True
    try:
        while child.poll() is None:
            wanted()
            if talking:
                talking = lines.pump(LOOK_S)
            else:
                time.sleep(LOOK_S)
            peak = max(peak, resident_mb(child.pid))
            _bound(log)
            seconds = time.monotonic() - started
            if peak > limits.memory_mb:
                return f"The analysis needed more than {limits.memory_mb} MB of memory.", peak, seconds
            if seconds > limits.timeout_s:
                return f"The analysis took longer than {limits.timeout_s:g} s.", peak, seconds
        while talking and lines.pump(0):
            pass
    finally:
        lines.close()
    return "", peak, time.monotonic() - started


def _answer(folder: Path) -> Answer | None:
    path = folder / ANSWER_FILE
    return ANSWER.validate_json(path.read_bytes()) if path.exists() else None


def _bound(log: Path) -> None:
    """A process that never stops writing must not fill the disk; it appends, so that it goes on at the new end."""
    if log.stat().st_size > LOG_LIMIT:
        os.truncate(log, 0)


def _output(folder: Path) -> str:
    """The end of what the analysis wrote, as text without control characters: it is shown on a page."""
    written = (folder / LOG_FILE).read_bytes()[-LOG_KEPT:].decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in written).strip()


def _missing(status: int, folder: Path, limits: Limits) -> str:
    """Why there is no answer, "" when there is one."""
    if (folder / ANSWER_FILE).exists():
        return ""
    if status == -signal.SIGXCPU:
        return f"The analysis used more than {limits.processor_s:g} s of processor time."
    if status < 0:
        return f"The analysis was ended by signal {signal.Signals(-status).name}."
    text = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip()
    last = text.splitlines()[-1][-LOG_TAIL:] if text else "no message"
    return f"The analysis failed (exit status {status}): {last}"
