"""Kill -9 at random instants: whatever is interrupted, the result reaches the archive and is one result."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.dicom.archive import Archive
from service.store.orders import Order
from service.store.records import State
from tests.jobs.conftest import STUDY, Store
from tests.jobs.nursery import Nursery, kill, nursery
from tests.jobs.working import notes

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]
KILLS = 3
ANALYSIS_S = 0.5


@pytest.fixture(scope="module")
def workers() -> Iterator[Nursery]:
    with nursery("tests.jobs.working") as made:
        yield made


@pytest.mark.parametrize("seed", [1, 2])
def test_the_result_arrives_once_whenever_the_worker_is_killed(
    store: Store, tmp_path: Path, workers: Nursery, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - instants, no secrets
    archive = Archive(tmp_path / "archive")
    archive.start()
    databases = (f"sqlite:///{tmp_path / 'index.sqlite'}", f"sqlite:///{tmp_path / 'engine.sqlite'}")
    words = (tmp_path, *databases, archive.address, "worker-1", "2", ANALYSIS_S)
    try:
        store.receive("1.1")
        for _kill in range(KILLS):
            process = workers.start(*words)
            time.sleep(chance.uniform(0.0, 2.0))
            kill(process)
        process = workers.start(*words)
        wait_until_done(store)
        kill(process)
    finally:
        archive.stop()
    detail = store.index.study(STUDY)
    assert detail is not None
    assert [made.role for made in detail.outputs] == ["seg", "sr"]
    sent = [made.sop_instance_uid for made in detail.outputs]
    assert [one.reference.sop_instance_uid for one in archive.stored()] == sent
    assert {delivery.state for delivery in detail.deliveries} == {"verified"}


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_orders_reach_a_worker_in_another_process(store: Store, tmp_path: Path, workers: Nursery) -> None:
    """Cancelled, an analysis ends at once and nothing is sent; drained, a worker takes nothing more until it works again."""
    databases = (f"sqlite:///{tmp_path / 'index.sqlite'}", f"sqlite:///{tmp_path / 'engine.sqlite'}")
    store.receive("1.1")
    process = workers.start(tmp_path, *databases, "ARCHIVE@127.0.0.1:1", "worker-1", "2", 600.0)
    try:
        eventually(lambda: len(notes(tmp_path, "begin")) == 1)
        store.index.operators.drain("worker-1", Order("a", store.now), draining=True)
        store.index.operators.cancel(STUDY, Order("a", store.now))
        eventually(lambda: len(notes(tmp_path, "unwanted")) == 1)

        store.receive("2.1", "1.2.9")
        eventually(lambda: store.index.studies(2, state=State.QUEUED) != [])
        time.sleep(1.5)  # three looks of the worker
        assert len(notes(tmp_path, "begin")) == 1
        store.index.operators.drain("worker-1", Order("a", store.now), draining=False)
        eventually(lambda: len(notes(tmp_path, "begin")) == 2)
    finally:
        kill(process)
    detail = store.index.study(STUDY)
    assert detail is not None
    assert (detail.summary.state, detail.outputs, detail.deliveries) == (State.CANCELLED, (), ())
    assert notes(tmp_path, "end") == []


def wait_until_done(store: Store) -> None:
    deadline = time.monotonic() + 60
    while store.index.studies(1)[0].state is not State.DONE:
        assert time.monotonic() < deadline, store.index.study(STUDY)
        time.sleep(0.1)
