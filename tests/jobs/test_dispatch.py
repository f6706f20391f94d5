"""The threads that deliver: none waits for another, and none ends because of a fault."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from service.dicom.archive import Archive
from service.dicom.destination import Destination, parse_destination
from service.errors import TryAgain
from service.jobs.delivery import Courier
from service.jobs.dispatch import Dispatch
from service.store.records import DeliveryState, State
from tests.dicom.promiser import Promiser
from tests.jobs.conftest import STUDY, Store
from tests.jobs.sending import result, the_study
from tests.journey.waiting import eventually


def begin(store: Store, *destinations: Destination) -> Dispatch:
    """A study to be sent to all of these, and the threads that do it."""
    job, courier = result(store), Courier(store.means(timeout_s=20.0), destinations)
    courier.plan(job)
    store.index.set_state(STUDY, job.content_version, State.DELIVERING, courier.outlook())
    dispatch = Dispatch(courier)
    dispatch.start()
    return dispatch


def test_a_destination_that_hangs_delays_no_other(store: Store, tmp_path: Path) -> None:
    go_on, archive = threading.Event(), Archive(tmp_path / "archive")
    archive.start()

    def hang(_event: Any) -> int:
        go_on.wait(60)
        return 0x0000

    with Promiser(store=hang) as peer:
        dispatch = begin(store, peer.destination("slow"), parse_destination("fast", archive.address))
        try:
            eventually(lambda: {one.state for one in at(store, "fast")}, lambda seen: seen == {DeliveryState.SENT}, 60)
            assert {one.state for one in at(store, "slow")} == {DeliveryState.PENDING}
        finally:
            go_on.set()
            dispatch.stop(30.0)
            archive.stop()


def at(store: Store, destination: str) -> list[Any]:
    """The outbox of one destination."""
    return [one for one in store.index.deliveries(STUDY) if one.destination == destination]


def test_a_fault_ends_no_thread(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away for a moment delays the deliveries, and no more."""
    monkeypatch.setattr("service.jobs.dispatch.SULK_S", 0.1)
    archive, faults = Archive(tmp_path / "archive"), [TryAgain("store.unavailable", "The index cannot be reached.")]
    archive.start()
    due = store.index.lines.due

    def shaky(*arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return due(*arguments)

    monkeypatch.setattr(store.index.lines, "due", shaky)
    dispatch = begin(store, parse_destination("pacs", archive.address))
    try:
        eventually(lambda: the_study(store), lambda seen: seen[0] is State.DONE, 60)
        assert dispatch.alive
    finally:
        dispatch.stop(30.0)
        archive.stop()
    assert not dispatch.alive
