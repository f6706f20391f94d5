from __future__ import annotations

import time
from collections.abc import Callable

from service.jobs.job import Job
from service.jobs.worker import Worker
from service.store.orders import Order
from service.store.records import State
from service.study.complete import CompletionRule
from service.study.required import Requirement, When
from tests.jobs.conftest import STUDY, Store
from tests.store.builders import replay

RULE = CompletionRule(quiet_s=60.0, quiet_after_release_s=10.0)


class Queue:
    """Takes jobs and notes them; says that those in `ended` have ended."""

    def __init__(self) -> None:
        self.jobs: list[str] = []
        self.ended: set[str] = set()

    def __call__(self, job: Job) -> bool:
        """Take it."""
        self.jobs.append(job.id)
        return job.id in self.ended


def worker_of(store: Store, submit: Callable[[Job], bool], required: Requirement = Requirement()) -> Worker:  # noqa: B008 frozen
    """A worker that looks only when told to."""
    return Worker(store.index, submit, When(RULE, required), store.clock)


def state(store: Store) -> State:
    """Where the study stands."""
    return store.index.studies(1)[0].state


def test_a_study_is_queued_when_nothing_came_for_the_quiet_time(store: Store) -> None:
    queue = Queue()
    worker = worker_of(store, queue)
    store.receive("1.1")
    store.later(59)
    worker.look()
    assert (state(store), queue.jobs) == (State.RECEIVING, [])
    store.later(1)
    worker.look()
    assert state(store) is State.QUEUED
    assert len(queue.jobs) == 1


def test_an_analysis_is_expected_shortly_before_a_study_is_complete(store: Store) -> None:
    """Not while its sender is connected: then nobody knows when it will end."""
    expected: list[State] = []
    worker = Worker(store.index, Queue(), When(RULE), store.clock, expect=lambda: expected.append(state(store)))
    store.receive("1.1")
    store.later(51)
    worker.look()
    assert expected == []
    store.later(2)
    worker.look()
    assert expected == [State.RECEIVING]
    store.later(7)
    worker.look()
    assert (state(store), len(expected)) == (State.QUEUED, 1)


CONTOURS = Requirement((("SEG", "RTSTRUCT"),), longest_s=3600.0)


def summary(store: Store) -> tuple[State, str]:
    """State and sentence of the study."""
    one = store.index.studies(1)[0]
    return one.state, one.sentence


def test_a_study_waits_for_contours_and_says_so(store: Store) -> None:
    worker = worker_of(store, Queue(), CONTOURS)
    store.receive("1.1")
    store.later(60)
    worker.look()
    said = "Waiting for SEG or RTSTRUCT, until 2024-03-12 11:00 UTC at the latest; then it is analysed without."
    assert summary(store) == (State.RECEIVING, said)

    store.receive("1.2", modality="RTSTRUCT")
    worker.look()
    assert summary(store) == (State.RECEIVING, "Receiving images.")
    store.later(60)
    worker.look()
    assert state(store) is State.QUEUED


def test_what_does_not_come_is_waited_for_no_longer_than_said_and_the_history_says_so(store: Store) -> None:
    worker = worker_of(store, Queue(), CONTOURS)
    store.receive("1.1")
    store.later(3599)
    worker.look()
    assert state(store) is State.RECEIVING
    store.later(1)
    worker.look()
    detail = store.index.study(STUDY)
    assert detail is not None
    assert state(store) is State.QUEUED
    assert [one.sentence for one in detail.events if one.word == "complete"] == [
        "1 image came, and nothing followed for 60 s. SEG or RTSTRUCT did not come within 3600 s: it is analysed without."
    ]


LATE = Requirement(longest_s=3600.0, roles=(("portal_venous", "delayed"),))


def test_a_study_in_which_a_series_was_missed_waits_for_it_and_is_analysed_without_in_the_end(store: Store) -> None:
    queue = Queue()
    worker = worker_of(store, queue, LATE)
    store.receive("1.1")
    store.later(60)
    worker.look()
    (job,) = store.index.waiting_jobs()
    key = (STUDY, job.content_version, job.attempt)
    store.index.work.start(key, "worker-1", "Looking.")
    store.index.work.lacks(key, "a portal venous or delayed series", "Receiving images.", store.now)
    worker.look()
    said = (
        "Waiting for a portal venous or delayed series, until 2024-03-12 11:00 UTC at the latest; then it is analysed without."
    )
    assert summary(store) == (State.RECEIVING, said)
    assert len(queue.jobs) == 1
    store.later(3540)
    worker.look()
    assert state(store) is State.QUEUED
    assert queue.jobs == [f"{STUDY}/{job.content_version}/1", f"{STUDY}/{job.content_version}/2"]
    detail = store.index.study(STUDY)
    assert detail is not None
    last = [one.sentence for one in detail.events if one.word == "complete"][-1]
    assert last.endswith("A portal venous or delayed series did not come within 3600 s: it is analysed without.")


def test_whoever_asks_for_no_series_any_more_waits_for_none(store: Store) -> None:
    worker = worker_of(store, Queue())
    store.receive("1.1")
    store.later(60)
    worker.look()
    (job,) = store.index.waiting_jobs()
    key = (STUDY, job.content_version, job.attempt)
    store.index.work.start(key, "worker-1", "Looking.")
    store.index.work.lacks(key, "a delayed series", "Receiving images.", store.now)
    worker.look()
    assert state(store) is State.QUEUED


def test_a_person_ends_the_waiting(store: Store) -> None:
    worker = worker_of(store, Queue(), CONTOURS)
    store.receive("1.1")
    store.later(60)
    worker.look()
    store.index.operators.complete(STUDY, Order("a", store.now))
    assert state(store) is State.QUEUED


def test_contours_of_another_study_end_no_waiting(store: Store) -> None:
    worker = worker_of(store, Queue(), CONTOURS)
    store.receive("1.1")
    store.receive("2.1", "1.2.9", modality="SEG")
    store.later(60)
    worker.look()
    assert {one.study_instance_uid: one.state for one in store.index.studies(2)} == {
        STUDY: State.RECEIVING,
        "1.2.9": State.QUEUED,
    }


def test_the_reason_for_the_end_of_waiting_is_in_the_history(store: Store) -> None:
    store.receive("1.1")
    store.later(60)
    worker_of(store, Queue()).look()
    detail = store.index.study(STUDY)
    assert detail is not None
    assert ("complete", "1 image came, and nothing followed for 60 s.") in [(e.word, e.sentence) for e in detail.events]


def test_a_waiting_job_is_submitted_once_by_each_process(store: Store) -> None:
    """A restarted service must submit again what the old one may not have brought to the engine."""
    store.receive("1.1")
    job = store.close()
    for _process in range(2):
        queue = Queue()
        worker = worker_of(store, queue)
        worker.look()
        worker.look()
        assert queue.jobs == [job.id]


def test_a_late_instance_gives_a_second_version_with_its_own_job(store: Store) -> None:
    queue = Queue()
    worker = worker_of(store, queue)
    for uid in ("1.1", "1.2"):
        store.receive(uid)
        store.later(60)
        worker.look()
    assert len(set(queue.jobs)) == 2
    assert [version.ordinal for version in store.index.study(STUDY).versions] == [1, 2]  # type: ignore[union-attr]


def test_a_replay_is_a_new_job_wherever_it_was_asked_for(store: Store) -> None:
    queue = Queue()
    worker = worker_of(store, queue)
    store.receive("1.1")
    job = store.close()
    worker.look()
    store.index.set_state(STUDY, job.content_version, State.FAILED, "It failed.")
    worker.look()
    replay(store.index)
    worker.look()
    assert queue.jobs == [job.id, f"{STUDY}/{job.content_version}/2"]


def test_a_job_that_ended_without_a_word_is_shown_as_failed(store: Store) -> None:
    store.receive("1.1")
    queue = Queue()
    queue.ended = {store.close().id}
    worker_of(store, queue).look()
    assert state(store) is State.FAILED


def test_a_job_that_is_lost_later_is_found_too(store: Store) -> None:
    """The disk was full when it wanted to say why it ended; nobody restarts the service."""
    store.receive("1.1")
    job = store.close()
    queue = Queue()
    worker = worker_of(store, queue)
    worker.look()
    queue.ended = {job.id}
    store.later(59)
    worker.look()
    assert (state(store), len(queue.jobs)) == (State.QUEUED, 1)
    store.later(1)
    worker.look()
    assert state(store) is State.FAILED


def test_a_job_that_ends_while_it_is_asked_for_is_not_lost(store: Store) -> None:
    """What the list of waiting jobs said a moment ago is no longer true."""
    store.receive("1.1")
    job = store.close()

    def just_ended(_job: Job) -> bool:
        store.index.set_state(STUDY, job.content_version, State.DELIVERING, "The results are being sent.")
        return True

    worker_of(store, just_ended).look()
    assert state(store) is State.DELIVERING


def test_a_fault_does_not_end_the_loop(store: Store) -> None:
    calls: list[str] = []

    def broken(job: Job) -> bool:
        calls.append(job.id)
        raise RuntimeError("the engine is away")

    store.receive("1.1")
    store.close()
    worker = worker_of(store, broken)
    worker.start()
    deadline = time.monotonic() + 10
    while len(calls) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert worker.alive
    worker.stop()
    assert not worker.alive
