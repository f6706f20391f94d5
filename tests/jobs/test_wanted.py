from __future__ import annotations

import threading
from typing import cast

import pytest

from service.errors import TryAgain
from service.jobs.job import Interrupted, Job, Unwanted
from service.jobs.wanted import LOOK_S, Watch
from service.store.index import Index
from tests.jobs.conftest import STUDY, Store
from tests.store.builders import order


class Ticks:
    """A clock that each look moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Later each time."""
        self.now += LOOK_S
        return self.now


@pytest.fixture
def job(store: Store) -> Job:
    store.receive("1.1")
    job = store.close()
    store.index.work.start(job.key, "worker-1", "At it.")
    return job


def test_a_job_is_wanted_until_somebody_cancels_it(store: Store, job: Job) -> None:
    watch = Watch(store.index, job, threading.Event(), Ticks())
    watch.look()
    store.index.operators.cancel(STUDY, order())
    with pytest.raises(Unwanted):
        watch.look()


def test_a_stop_is_noticed_at_once(store: Store, job: Job) -> None:
    stop = threading.Event()
    watch = Watch(store.index, job, stop, lambda: 0.0)
    stop.set()
    with pytest.raises(Interrupted):
        watch.look()


class Away:
    """An index that does not answer."""

    @property
    def work(self) -> Away:
        """Itself."""
        return self

    def is_wanted(self, _key: object) -> bool:
        """No answer."""
        raise TryAgain("store.unavailable", "The index cannot be reached.")


def test_an_index_that_is_away_ends_no_analysis(job: Job) -> None:
    Watch(cast(Index, Away()), job, threading.Event(), Ticks()).look()
