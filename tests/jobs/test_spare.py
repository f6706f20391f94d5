"""A process that waits with its libraries loaded: taken once, replaced where it died, ended when nothing comes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.jobs.messages import Request
from service.jobs.process import Ended, Limits
from service.jobs.spare import Spare
from tests.journey.running import descendants
from tests.journey.waiting import eventually

REQUEST = Request((), "abc", datetime(2024, 1, 1, tzinfo=UTC))
NO_FILES = "study.unreadable"  # what an analysis of nothing says


def waiting() -> list[int]:
    """The processes below this one that wait for a folder."""
    return [pid for pid in descendants(os.getpid()) if b"service.jobs.child\0-\0" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ask(spare: Spare, folder: Path) -> Ended:
    folder.mkdir()
    return spare.run(REQUEST, folder, Limits(), lambda _stage, _percent: None, lambda: None)


@pytest.fixture
def spare() -> Iterator[Spare]:
    made = Spare()
    made.start()
    yield made
    made.stop()
    assert waiting() == []


def test_what_waits_is_taken_once_and_answers_as_any_other(spare: Spare, tmp_path: Path) -> None:
    spare.expect()
    (pid,) = eventually(waiting, lambda found: len(found) == 1)
    first = ask(spare, tmp_path / "first")
    assert waiting() == []
    assert not Path(f"/proc/{pid}").exists()
    second = ask(spare, tmp_path / "second")  # nothing waits: it is begun now
    assert [(ended.fault, ended.answer and ended.answer.code) for ended in (first, second)] == [("", NO_FILES)] * 2


def test_one_that_died_is_not_used(spare: Spare, tmp_path: Path) -> None:
    spare.expect()
    (pid,) = eventually(waiting, lambda found: len(found) == 1)
    os.kill(pid, 9)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0], lambda state: state == "Z")
    assert ask(spare, tmp_path / "work").fault == ""


def test_it_is_watched_like_any_other(spare: Spare, tmp_path: Path) -> None:
    spare.expect()
    (pid,) = eventually(waiting, lambda found: len(found) == 1)
    ended = spare.run(REQUEST, tmp_path, Limits(), lambda _stage, _percent: None, lambda: os.kill(pid, signal.SIGSEGV))
    assert ended.fault == "The analysis was ended by signal SIGSEGV."


def test_nothing_waits_when_nothing_came() -> None:
    spare = Spare(kept_s=1.0)
    spare.start()
    try:
        spare.expect()
        eventually(waiting, lambda found: len(found) == 1)
        started = time.monotonic()
        eventually(waiting, lambda found: not found)
        assert time.monotonic() - started < 60
    finally:
        spare.stop()


@pytest.mark.usefixtures("spare")
def test_nothing_is_begun_before_something_is_expected() -> None:
    time.sleep(0.2)
    assert waiting() == []
