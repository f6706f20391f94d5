"""A thread that looks again and again: at once, soon, or only when something changed; and whatever a look raises."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.jobs.looking import Looking, Next, Rhythm
from service.jobs.worker import Worker
from service.store.records import State
from service.study.required import When
from tests.jobs.conftest import Store
from tests.journey.waiting import eventually

QUICK = Rhythm(0.01, 0.01, 60.0)


class Looks:
    """Counts the looks and answers from a script; its last word is said again and again."""

    def __init__(self, *answers: Next | Exception) -> None:
        self.number = 0
        self.marks = 0
        self.mark_is = 0
        self._answers = list(answers)

    def look(self) -> Next:
        """The next answer."""
        self.number += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def mark(self) -> object:
        """What a test says that it is."""
        self.marks += 1
        return self.mark_is


@contextmanager
def looking(looks: Looks, rhythm: Rhythm = QUICK) -> Iterator[Looking]:
    made = Looking("test", looks.look, rhythm, looks.mark)
    made.start()
    try:
        yield made
    finally:
        made.stop()
    assert not made.alive


def reached(count: Callable[[], int], least: int) -> None:
    eventually(count, lambda number: number >= least, 30)


def test_what_waits_for_its_time_is_looked_at_again_though_nothing_changed() -> None:
    looks = Looks(Next.SOON)
    with looking(looks):
        reached(lambda: looks.number, 5)


def test_more_to_do_is_done_without_a_pause() -> None:
    looks = Looks(*[Next.AT_ONCE] * 50, Next.SOON)
    with looking(looks, Rhythm(3600.0)):
        reached(lambda: looks.number, 51)


def test_nothing_is_looked_at_before_something_changes() -> None:
    looks = Looks(Next.ON_CHANGE)
    with looking(looks):
        reached(lambda: looks.marks, 20)
        assert looks.number == 1
        looks.mark_is = 1
        reached(lambda: looks.number, 2)
        seen = looks.marks
        reached(lambda: looks.marks, seen + 20)
        assert looks.number == 2


def test_a_change_that_nobody_told_is_seen_in_the_end() -> None:
    looks = Looks(Next.ON_CHANGE)
    with looking(looks, Rhythm(0.01, 0.01, 0.05)):
        reached(lambda: looks.number, 3)


def test_a_fault_ends_nothing() -> None:
    looks = Looks(OSError("the disk is full"), Next.ON_CHANGE)
    with looking(looks) as thread:
        reached(lambda: looks.number, 2)
        assert thread.alive


def test_a_mark_that_cannot_be_had_ends_nothing() -> None:
    looks, failures = Looks(Next.SOON), [OSError("the database is away")]

    def shaky() -> object:
        if failures:
            raise failures.pop()
        return 0

    made = Looking("test", looks.look, QUICK, shaky)
    made.start()
    try:
        reached(lambda: looks.number, 1)
    finally:
        made.stop()


def test_it_ends_while_it_pauses() -> None:
    made = Looking("test", lambda: Next.SOON, Rhythm(3600.0))
    made.start()
    made.stop()
    assert not made.alive


def test_a_look_that_hangs_is_not_waited_for_longer_than_said() -> None:
    go_on = threading.Event()

    def hang() -> Next:
        go_on.wait(60)
        return Next.SOON

    made = Looking("test", hang, QUICK)
    made.start()
    made.stop(0.05)
    assert made.alive
    go_on.set()
    made.stop()
    assert not made.alive


def test_an_idle_worker_reads_nothing_and_wakes_for_a_study(store: Store) -> None:
    """What an idle service costs is what its threads read for nothing."""
    asked: list[str] = []
    activities = store.index.activities

    def counted() -> object:
        asked.append("activities")
        return activities()

    store.index.activities = counted  # type: ignore[method-assign, assignment]
    worker = Worker(store.index, lambda _job: False, When(), store.clock)
    worker._looking._rhythm = QUICK
    worker.start()
    try:
        reached(lambda: len(asked), 1)
        threading.Event().wait(0.3)
        assert len(asked) <= 2, "the look's own writes may bring one more"
        store.receive("1.1")
        store.later(3600)
        eventually(lambda: store.index.studies(1)[0].state, lambda state: state is State.QUEUED, 30)
    finally:
        worker.stop()
