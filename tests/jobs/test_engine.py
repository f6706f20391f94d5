"""The engine with steps that only take notes: what is done once, what is repeated, what survives."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.errors import TryAgain
from service.jobs.engine import Engine, EngineOptions, _use_wal
from service.jobs.job import After, Interrupted, Job
from service.jobs.pauses import Pauses
from tests.store.conftest import postgresql

__all__ = ["postgresql"]  # the fixture of the store's tests

JOB = Job("1.2.3", "abc", 1)
OTHER = Job("1.2.4", "abc", 1)
STEPS = ("analyse", " 2"), ("plan", "")
AWAY = TryAgain("store.unavailable", "The index cannot be reached.")
pytestmark = pytest.mark.timeout(60)


class Notes:
    """Steps that note their calls and answer from a script; the outbox cannot be filled `away` times."""

    def __init__(self, *, analyses: list[After | Exception] | None = None, away: int = 0) -> None:
        self.calls: list[str] = []
        self.away = away
        self.analyses = analyses or [After.DELIVER]
        self.planned = threading.Event()
        self.at_once = self.most = 0
        self.gave_up = ""
        self.stop = threading.Event()

    def analyse(self, job: Job, tries_left: int) -> After:
        """Answer from the script."""
        self.calls.append(f"analyse {job.id} {tries_left}")
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        time.sleep(0.05)
        self.at_once -= 1
        answer = self.analyses.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def plan(self, job: Job) -> bool:
        """Note it."""
        self.calls.append(f"plan {job.id}")
        if self.away:
            self.away -= 1
            raise AWAY
        self.planned.set()
        return True

    def give_up(self, job: Job, sentence: str) -> None:
        """Keep the last words."""
        self.gave_up = f"{job.id}: {sentence}"


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of its own for the engine, as the configuration names it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'engine.sqlite'}"
    cluster: str = request.getfixturevalue("postgresql")
    database = f"jobs_{uuid.uuid4().hex}"  # the engine makes it
    return cluster.replace("/postgres?", f"/{database}?").replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def start(url: str) -> Iterator[Callable[..., Engine]]:
    """Start an engine on the same database each time; the last one is stopped at the end."""
    started: list[Engine] = []

    def begin(work: Notes, pauses: Pauses | None = None) -> Engine:
        engine = Engine(EngineOptions(url, attempts=3, pauses=pauses or Pauses(0.1, 0.2)), work, work.stop)
        engine.start()
        started.append(engine)
        return engine

    yield begin
    started[-1].stop(0.0)


def test_a_job_is_analysed_and_planned_once(start: Callable[..., Engine]) -> None:
    work = Notes()
    engine = start(work)
    engine.submit(JOB)
    assert work.planned.wait(120)
    engine.submit(JOB)
    time.sleep(1.0)
    assert work.calls == ["analyse 1.2.3/abc/1 2", "plan 1.2.3/abc/1"]


def test_a_job_that_has_ended_says_so_when_submitted_again(start: Callable[..., Engine]) -> None:
    work = Notes(analyses=[After.NOTHING])
    engine = start(work)
    assert not engine.submit(JOB)
    wait_for(lambda: engine.submit(JOB))
    assert work.calls == ["analyse 1.2.3/abc/1 2"]


def test_a_failed_analysis_is_tried_again_and_told_how_often_it_may_be(start: Callable[..., Engine]) -> None:
    work = Notes(analyses=[After.AGAIN, After.DELIVER])
    start(work).submit(JOB)
    assert work.planned.wait(120)
    assert work.calls[:2] == ["analyse 1.2.3/abc/1 2", "analyse 1.2.3/abc/1 1"]


def test_an_index_that_is_away_costs_time_and_no_attempt(start: Callable[..., Engine]) -> None:
    """Before, in and after an analysis: what was analysed is not analysed again."""
    work = Notes(analyses=[AWAY, AWAY, AWAY, AWAY, After.DELIVER], away=2)
    start(work).submit(JOB)
    assert work.planned.wait(120)
    assert work.calls == ["analyse 1.2.3/abc/1 2"] * 5 + ["plan 1.2.3/abc/1"] * 3
    assert work.gave_up == ""


def test_what_is_away_for_too_long_is_given_up_visibly(start: Callable[..., Engine]) -> None:
    work = Notes(analyses=[AWAY] * 99)
    start(work, Pauses(0.1, 0.1, give_up_s=0.25)).submit(JOB)
    wait_for(lambda: bool(work.gave_up))
    assert len(work.calls) == 4


def test_what_nobody_foresaw_ends_the_job_visibly(start: Callable[..., Engine]) -> None:
    work = Notes(analyses=[RuntimeError("surprise")])
    start(work).submit(JOB)
    wait_for(lambda: bool(work.gave_up))
    assert work.gave_up == "1.2.3/abc/1: An unexpected fault ended the job (RuntimeError); the log has the details."


class Endless(Notes):
    """An analysis that goes on until the service stops."""

    def analyse(self, job: Job, tries_left: int) -> After:
        """Answer from the script."""
        self.calls.append(f"analyse {job.id} {tries_left}")
        self.stop.wait()
        raise Interrupted


def test_a_job_in_flight_at_the_stop_goes_on_at_the_next_start(start: Callable[..., Engine]) -> None:
    """So does one that waited for its turn; then too, no more are analysed at once than the machine bears."""
    endless = Endless()
    engine = start(endless)
    engine.submit(JOB)
    wait_for(lambda: bool(endless.calls))
    engine.submit(OTHER)
    time.sleep(0.3)
    engine.stop(0.2)
    assert (endless.gave_up, endless.calls) == ("", ["analyse 1.2.3/abc/1 2"])

    work = Notes(analyses=[After.DELIVER] * 2)
    start(work)
    wait_for(lambda: len(work.calls) == 4)
    assert sorted(work.calls) == sorted(f"{word} {job.id}{left}" for word, left in STEPS for job in (JOB, OTHER))
    assert work.most == 1


def test_damaged_notes_of_the_engine_are_said_so(tmp_path: Path) -> None:
    file = tmp_path / "engine.sqlite"
    file.write_bytes(b"no database " * 1000)
    with pytest.raises(TryAgain) as fault:
        _use_wal(f"sqlite:///{file}")
    assert fault.value.code == "jobs.damaged"


def polling() -> list[str]:
    """The threads of the engine that ask its database for what may have come."""
    words = "queue", "schedule", "background-jobs"
    return [thread.name for thread in threading.enumerate() if any(word in thread.name for word in words)]


def test_an_engine_with_nothing_left_to_do_asks_for_nothing(start: Callable[..., Engine]) -> None:
    work = Notes()
    engine = start(work)
    wait_for(lambda: not polling())
    engine.submit(JOB)
    assert work.planned.wait(120)
