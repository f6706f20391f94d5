"""Storage commitment against an archive that reports at once, late, in part, in the wrong order, and never."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.dicom.commitment import Report
from service.dicom.destination import Verify
from service.dicom.header_scan import read_header
from service.dicom.listener import Listener, ListenerOptions
from service.jobs.delivery import Courier
from service.jobs.job import Job
from service.jobs.verification import Reports
from service.store.files import Files
from service.store.index import Index
from service.store.records import State
from tests.dicom.promiser import Promiser
from tests.jobs.conftest import STUDY, Store
from tests.jobs.sending import deliver, outbox, result, the_study

PROMISED = "promised by storage commitment"
WAITS = "stored; its promise to keep it is awaited (storage commitment)"
NO_SUCH_OBJECT = 0x0112


@pytest.fixture
def job(store: Store) -> Job:
    """A study whose analysis is ready to be sent: a segmentation and a report."""
    return result(store)


@pytest.fixture
def listener(store: Store) -> Iterator[Listener]:
    """The service's own, which the reports come to."""
    made = listening(store.index, store.files, store)
    yield made
    made.stop(0.0)


def listening(index: Index, files: Files, store: Store) -> Listener:
    """A started listener on a free port."""
    reports = Reports(replace(store.means(), index=index, files=files))
    made = Listener(ListenerOptions(port=0, min_free_bytes=0), files, index, read_header, store.clock, reports.take)
    made.start()
    return made


def rows(store: Store) -> list[tuple[str, str, str, int]]:
    """The outbox of the study."""
    return [outbox(one) for one in store.index.deliveries(STUDY)]


def test_a_report_on_the_same_association_counts(store: Store, job: Job) -> None:
    with Promiser(same_association=True) as peer:
        started = time.monotonic()
        deliver(Courier(store.means(), (peer.destination(),)), job)
    assert rows(store) == [("9.1", "verified", PROMISED, 1), ("9.2", "verified", PROMISED, 1)]
    assert the_study(store) == (State.DONE, "The results are at: pacs.")
    assert time.monotonic() - started < 20, "the association is not held for longer than needed"


def test_a_late_report_counts_after_a_restart(store: Store, job: Job, tmp_path: Path) -> None:
    """The transaction is in the index before it is asked for: whoever is there when the report comes takes it."""
    with Promiser() as peer:
        deliver(Courier(store.means(), (peer.destination(),)), job)
        assert rows(store) == [("9.1", "sent", WAITS, 1), ("9.2", "sent", WAITS, 1)]
        assert the_study(store)[0] is State.DELIVERING

        with Index.open(f"sqlite:///{tmp_path / 'index.sqlite'}") as again:
            listener = listening(again, Files(tmp_path / "files"), store)
            try:
                assert peer.report(listener.address[1]) == 0x0000
            finally:
                listener.stop(0.0)
    assert rows(store) == [("9.1", "verified", PROMISED, 1), ("9.2", "verified", PROMISED, 1)]
    Courier(store.means(), (peer.destination(),)).settle()
    assert the_study(store) == (State.DONE, "The results are at: pacs.")


def test_what_is_not_kept_is_sent_again(store: Store, job: Job, listener: Listener) -> None:
    with Promiser(failed={"9.2": NO_SUCH_OBJECT}) as peer:
        courier = Courier(store.means(), (peer.destination(),))
        deliver(courier, job)
        peer.report(listener.address[1])
        why = "pacs does not keep it: it has no such object (0x0112); it is sent again"
        assert rows(store) == [("9.1", "verified", PROMISED, 1), ("9.2", "pending", why, 1)]

        peer.failed.clear()
        store.later(5.0)
        courier.visit(courier.destinations[0])
        assert peer.stored == ["9.1", "9.2", "9.2"]
        assert [item.ReferencedSOPInstanceUID for item in peer.requests[-1].ReferencedSOPSequence] == ["9.2"]
        peer.report(listener.address[1], 0)
        assert rows(store)[1][1] == "sent", "the report of the first request is about another transaction"
        peer.report(listener.address[1])
    assert rows(store) == [("9.1", "verified", PROMISED, 1), ("9.2", "verified", PROMISED, 2)]


def test_what_can_never_be_kept_is_shown(store: Store, job: Job, listener: Listener) -> None:
    with Promiser(failed={"9.1": 0x0122}) as peer:
        courier = Courier(store.means(), (peer.destination(),))
        deliver(courier, job)
        peer.report(listener.address[1])
    courier.settle()
    assert the_study(store) == (State.FAILED, "pacs does not keep it: it does not support the class (0x0122)")


@pytest.mark.parametrize(
    ("otherwise", "detail"),
    [
        (Verify.NONE, "stored at pacs, not verified: no report of storage commitment came in time"),
        (
            Verify.FIND,
            (
                "stored at pacs, cannot be verified: pacs does not offer C-FIND (Study Root); "
                "no report of storage commitment came in time"
            ),
        ),
    ],
)
def test_a_report_that_never_comes_is_waited_for_until_the_limit(
    store: Store, job: Job, otherwise: Verify, detail: str
) -> None:
    with Promiser() as peer:
        pacs = peer.destination(verify_within_s=600.0, otherwise=otherwise)
        courier = Courier(store.means(), (pacs,))
        deliver(courier, job)
        store.later(599)
        assert not courier.visit(pacs)
        store.later(1)
        assert courier.visit(pacs)
        courier.settle()
    assert {row[1:3] for row in rows(store)} == {("sent", detail)}
    assert the_study(store) == (State.DONE, f"The results are at: pacs. {detail.replace('stored', 'Stored', 1)}.")
    assert len(peer.requests) == 1


def test_a_report_after_the_limit_still_counts(store: Store, job: Job, listener: Listener) -> None:
    """The study had ended with a doubt; now it ends without."""
    with Promiser() as peer:
        pacs = peer.destination(verify_within_s=600.0, otherwise=Verify.NONE)
        courier = Courier(store.means(), (pacs,))
        deliver(courier, job)
        store.later(600)
        courier.visit(pacs)
        courier.settle()
        assert "not verified" in the_study(store)[1]
        peer.report(listener.address[1])
        courier.settle()
    assert the_study(store) == (State.DONE, "The results are at: pacs.")


def test_an_archive_that_offers_no_commitment_is_asked_as_configured(store: Store, job: Job) -> None:
    with Promiser(commits=False) as peer:
        deliver(Courier(store.means(), (peer.destination(otherwise=Verify.NONE),)), job)
    doubt = "stored at pacs, not verified: pacs does not offer storage commitment"
    assert rows(store) == [("9.1", "sent", doubt, 1), ("9.2", "sent", doubt, 1)]


def test_an_archive_that_cannot_take_the_request_now_is_asked_later(store: Store, job: Job) -> None:
    """Nothing is sent again for that."""
    with Promiser(same_association=True, answer=0x0213) as peer:
        courier = Courier(store.means(), (peer.destination(),))
        deliver(courier, job)
        busy = "stored, not verified yet: pacs cannot take the request for storage commitment (0x0213)"
        assert rows(store) == [("9.1", "sent", busy, 1), ("9.2", "sent", busy, 1)]
        peer.answer = 0x0000
        store.later(5.0)
        courier.visit(courier.destinations[0])
        assert peer.stored == ["9.1", "9.2"]
    assert rows(store) == [("9.1", "verified", PROMISED, 1), ("9.2", "verified", PROMISED, 1)]


def test_a_report_that_nobody_waits_for_is_answered_and_changes_nothing(store: Store, job: Job, listener: Listener) -> None:
    with Promiser() as peer:
        deliver(Courier(store.means(), (peer.destination(),)), job)
        before = rows(store)
        peer.requests[-1].TransactionUID = "1.2.3.4"
        assert peer.report(listener.address[1]) == 0x0000
    assert rows(store) == before


def test_an_index_that_does_not_answer_lets_the_archive_know(store: Store, job: Job) -> None:
    """It may then repeat its report."""
    with Promiser() as peer:
        deliver(Courier(store.means(), (peer.destination(),)), job)
        broken = Listener(
            ListenerOptions(port=0, min_free_bytes=0), store.files, store.index, read_header, store.clock, refuse()
        )
        broken.start()
        try:
            assert peer.report(broken.address[1]) == 0x0110
        finally:
            broken.stop(0.0)


def refuse() -> Callable[[Report], None]:
    """What takes no report."""
    from service.errors import TryAgain

    def take(_report: Report) -> None:
        raise TryAgain("store.unavailable", "The index cannot be reached.")

    return take
