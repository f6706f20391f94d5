"""Kill -9 at random instants: whatever is interrupted, the result reaches the archive and is one result."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.dicom.archive import Archive
from service.store.records import State
from tests.jobs.conftest import STUDY, Store
from tests.jobs.nursery import Nursery, kill, nursery

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


def wait_until_done(store: Store) -> None:
    deadline = time.monotonic() + 60
    while store.index.studies(1)[0].state is not State.DONE:
        assert time.monotonic() < deadline, store.index.study(STUDY)
        time.sleep(0.1)
