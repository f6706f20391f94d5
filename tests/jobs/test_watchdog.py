"""Who is dead is judged by beats that stand still, on our own clock."""

from __future__ import annotations

from typing import NoReturn

import pytest

from service.errors import TryAgain
from service.jobs.watchdog import MISSED, Pulse, Watchdog
from service.store.orders import Share
from service.store.records import State
from tests.jobs.conftest import STUDY, Store

EVERY_S = 10.0


class Ticks:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.now


def dog(store: Store, ticks: Ticks, worker: str, shape: str = "2") -> Watchdog:
    """A worker's watchdog that looks only when told to."""
    made = Watchdog(store.index, Pulse(worker, shape, 1, EVERY_S), store.clock, ticks)
    made.join()
    return made


def owner(store: Store) -> str:
    """Who has the study."""
    (job,) = store.index.waiting_jobs()
    return job.owner


def two_of_which_one_has_work(store: Store) -> tuple[Ticks, Watchdog, Watchdog]:
    """The watchdogs of two workers that have seen each other; the first worker has the study."""
    ticks = Ticks()
    store.receive("1.1")
    store.close()
    first, second = dog(store, ticks, "worker-1"), dog(store, ticks, "worker-2")
    first.look()
    store.index.work.claim(Share("worker-1"))
    second.look()
    return ticks, first, second


def test_what_a_worker_left_that_stands_still_is_begun_anew_before_three_heartbeats(store: Store) -> None:
    ticks, _first, second = two_of_which_one_has_work(store)
    for _look in range(round(5 * MISSED)):
        ticks.now += EVERY_S / 5
        second.look()
    assert owner(store) == "worker-1"
    ticks.now += EVERY_S / 5
    second.look()
    assert owner(store) == ""
    assert ticks.now - 100.0 < 3 * EVERY_S


def test_a_worker_that_beats_keeps_its_work_whatever_its_clock_says(store: Store) -> None:
    ticks = Ticks()
    store.receive("1.1")
    store.close()
    first, second = dog(store, ticks, "worker-1"), dog(store, ticks, "worker-2")
    store.index.work.claim(Share("worker-1"))
    for _beat in range(10):
        first.look()
        second.look()
        ticks.now += EVERY_S
    assert owner(store) == "worker-1"


def test_nobody_is_dead_because_we_could_not_look(store: Store) -> None:
    """After the index was away for all, whoever looks first must not take what the others are still at."""
    ticks, first, second = two_of_which_one_has_work(store)
    ticks.now += 100 * EVERY_S
    second.look()
    assert owner(store) == "worker-1"
    first.look()
    for _look in range(round(5 * MISSED) - 1):
        ticks.now += EVERY_S / 5
        second.look()
    assert owner(store) == "worker-1"


def test_a_beat_that_was_not_heard_is_made_up_for_at_the_next_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = Ticks()
    first = dog(store, ticks, "worker-1")

    def away(*_given: object) -> NoReturn:
        raise TryAgain("store.unavailable", "The index cannot be reached.")

    with monkeypatch.context() as index:
        index.setattr(store.index.machines, "beat", away)
        with pytest.raises(TryAgain):
            first.look()
    before = store.index.machines.all()[0].beat
    ticks.now += EVERY_S / 5
    first.look()
    assert store.index.machines.all()[0].beat == before + 1


def test_a_worker_that_stopped_leaves_its_work_at_once(store: Store) -> None:
    ticks = Ticks()
    store.receive("1.1")
    store.close()
    first, second = dog(store, ticks, "worker-1"), dog(store, ticks, "worker-2")
    store.index.work.claim(Share("worker-1"))
    first.stop()
    second.look()
    assert owner(store) == ""


def test_a_worker_that_comes_back_goes_on_with_its_own(store: Store) -> None:
    store.receive("1.1")
    store.close()
    dog(store, Ticks(), "worker-1")
    store.index.work.claim(Share("worker-1"))
    dog(store, Ticks(), "worker-1")
    assert owner(store) == "worker-1"


def test_jobs_of_another_shape_are_begun_anew(store: Store) -> None:
    """After an upgrade whose workflows differ, nothing may wait for an engine that is no more."""
    store.receive("1.1")
    store.close()
    dog(store, Ticks(), "worker-1", "1")
    store.index.work.claim(Share("worker-1"))
    dog(store, Ticks(), "worker-1", "2")
    detail = store.index.study(STUDY)
    assert detail is not None
    assert (detail.summary.state, detail.summary.attempt) == (State.QUEUED, 2)
