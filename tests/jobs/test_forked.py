"""Analyses in forks of a process that has loaded: watched and ended like any other, and done without it where it died."""

from __future__ import annotations

import errno
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from service.jobs import forked
from service.jobs import nursery as nursery_process
from service.jobs.forked import Nursery, _fork
from service.jobs.messages import Request
from service.jobs.process import Ended, Limits
from tests.journey.running import descendants
from tests.journey.waiting import eventually

REQUEST = Request((), "abc", datetime(2024, 1, 1, tzinfo=UTC))
NO_FILES = "study.unreadable"  # what an analysis of nothing says


class NoLongerWantedError(Exception):
    """What somebody who watches says to end an analysis."""


def nurseries() -> list[int]:
    """The processes below this one that fork, and their forks."""
    return [pid for pid in descendants(os.getpid()) if b"service.jobs.nursery" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ask(nursery: Nursery, folder: Path) -> Ended:
    folder.mkdir(exist_ok=True)
    return nursery.run(REQUEST, folder, Limits(), lambda _stage, _percent: None, lambda: None)


def says(ended: Ended) -> tuple[str, str]:
    """Its fault, and what the analysis answered."""
    return ended.fault, ended.answer.code if ended.answer else ""


def ask_for_ever(nursery: Nursery, folder: Path, wanted: Callable[[], None]) -> Ended:
    """An analysis that waits for a file which nobody writes."""
    os.mkfifo(folder / "never")
    endless = replace(REQUEST, paths=(folder / "never",))
    return nursery.run(endless, folder, Limits(timeout_s=60.0), lambda _stage, _percent: None, wanted)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One for all: what a test breaks must be whole again for the next."""
    made = Nursery()
    made.start()
    yield made
    made.stop()
    assert nurseries() == []


def test_it_is_begun_when_something_is_expected_and_ends_when_nothing_comes() -> None:
    nursery = Nursery(kept_s=1.0)
    nursery.start()
    try:
        time.sleep(0.2)
        assert nurseries() == []
        nursery.expect()
        eventually(nurseries, lambda found: len(found) == 1)
        started = time.monotonic()
        eventually(nurseries, lambda found: not found)
        assert time.monotonic() - started < 60
    finally:
        nursery.stop()


def test_all_are_forks_of_one_process_and_answer_as_any_other(nursery: Nursery, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:  # side by side, too
        ended = list(threads.map(lambda name: ask(nursery, tmp_path / name), ("first", "second")))
    (pid,) = nurseries()
    ended.append(ask(nursery, tmp_path / "third"))
    assert nurseries() == [pid]
    assert [says(one) for one in ended] == [("", NO_FILES)] * 3


def test_a_fork_that_crashes_costs_itself_alone(nursery: Nursery, tmp_path: Path) -> None:
    """It is the one below the nursery; what else is asked for is done."""

    def crash() -> None:
        for pid in nurseries()[1:]:
            os.kill(pid, signal.SIGSEGV)

    ended = ask_for_ever(nursery, tmp_path, crash)
    assert ended.fault == "The analysis was ended by signal SIGSEGV."
    assert says(ask(nursery, tmp_path / "next")) == ("", NO_FILES)


def test_one_that_is_not_wanted_any_more_is_killed(nursery: Nursery, tmp_path: Path) -> None:
    def unwanted() -> None:
        raise NoLongerWantedError

    with pytest.raises(NoLongerWantedError):
        ask_for_ever(nursery, tmp_path, unwanted)
    assert len(nurseries()) == 1


def test_what_a_fault_prints_is_kept(nursery: Nursery, tmp_path: Path) -> None:
    (tmp_path / "work" / "answer.json.part").mkdir(parents=True)  # so that the answer cannot be written
    ended = ask(nursery, tmp_path / "work")
    assert ended.fault.startswith("The analysis failed (exit status 1): IsADirectoryError")
    assert "Traceback" in ended.output


def test_forks_die_with_the_process_that_forks(nursery: Nursery, tmp_path: Path) -> None:
    """So do they with the service, whose death ends that process. The next analysis is in a fork again."""
    seen: list[int] = []

    def kill() -> None:
        if not seen:  # asked again while the fork dies
            seen.extend(nurseries())
            os.kill(seen[0], signal.SIGKILL)

    ended = ask_for_ever(nursery, tmp_path, kill)
    assert ended.fault == "The analysis was ended by signal SIGKILL."
    assert len(seen) == 2
    eventually(lambda: set(seen) & set(nurseries()), lambda left: not left)
    assert says(ask(nursery, tmp_path / "next")) == ("", NO_FILES)
    assert len(nurseries()) == 1


def test_without_it_an_analysis_loads_for_itself(nursery: Nursery, tmp_path: Path) -> None:
    nursery.expect()
    (pid,) = eventually(nurseries, lambda found: len(found) == 1)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0], lambda state: state == "Z")
    assert says(ask(nursery, tmp_path / "first")) == ("", NO_FILES)


@contextmanager
def serving() -> Iterator[socket.socket]:
    """What the process that forks does, here in a thread; gives the socket that it is asked by."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, selectors.DefaultSelector() as watched, ThreadPoolExecutor(1) as thread:
        watched.register(theirs, selectors.EVENT_READ)
        served = thread.submit(serve_until_closed, theirs, watched)
        with ours:
            yield ours
        served.result(30)


def serve_until_closed(asked: socket.socket, watched: selectors.BaseSelector) -> None:
    while nursery_process._serve(asked, watched):
        pass


@pytest.mark.parametrize("refused", ["fork", "pidfd_open"])
def test_a_machine_without_room_for_a_fork_costs_that_fork_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Whoever asked hears it at once and loads for itself; the process that forks goes on, and so do its other forks."""

    def no_room(*_given: object) -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, "no room")

    monkeypatch.setattr(nursery_process, "_analyse", lambda *_given: 0)
    with serving() as control:
        with monkeypatch.context() as machine:
            machine.setattr(os, refused, no_room)
            assert _fork(control, tmp_path) is None
        child = _fork(control, tmp_path)
        assert child is not None
        assert child.process.wait() == 0
        os.close(child.reading)


def test_a_service_without_a_descriptor_begins_the_process_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread goes on: with descriptors again, analyses are forks again."""
    refused: list[str] = []

    def none_left(*_given: object) -> NoReturn:
        refused.append("asked")
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(forked, "AGAIN_S", 0.05)
    monkeypatch.setattr(forked, "MODULE", "keyword")  # it only has to begin
    nursery = Nursery()
    with monkeypatch.context() as machine:
        machine.setattr(socket, "socketpair", none_left)
        nursery.start()
        nursery.expect()
        eventually(lambda: len(refused), lambda times: times >= 2, 30)
    eventually(lambda: nursery._control, lambda control: control is not None, 30)
    nursery.stop()


def test_without_a_descriptor_there_is_no_fork_and_nothing_is_left_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_given: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    with serving() as control:
        before = sorted(Path("/proc/self/fd").iterdir())
        for module, what in ((socket, "socketpair"), (os, "pipe")):
            with monkeypatch.context() as machine:
                machine.setattr(module, what, none_left)
                assert _fork(control, tmp_path) is None
        assert sorted(Path("/proc/self/fd").iterdir()) == before
