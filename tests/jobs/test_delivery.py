"""The courier against real archives that are up, down, and of bad memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom.sop_class import Comprehensive3DSRStorage

from service.dicom import sender
from service.dicom.archive import Archive, Archived
from service.dicom.destination import Destination, Verify, parse_destination
from service.errors import TryAgain
from service.jobs import verification
from service.jobs.delivery import Courier
from service.jobs.job import Job
from service.jobs.pauses import Pauses
from service.jobs.watchdog import Pulse, Watchdog
from service.store.lines import Lines
from service.store.orders import Order, Queue
from service.store.records import DeliveryState, State
from service.store.way import Held
from tests.dicom.promiser import Promiser
from tests.dicom.test_dicomweb import serving
from tests.jobs.conftest import STUDY, Store
from tests.jobs.sending import deliver, free_port, made, outbox, result, the_study

FIRST_S = 5.0


@pytest.fixture
def job(store: Store) -> Job:
    """A study whose analysis is ready to be sent: a segmentation and a report."""
    return result(store)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    started = Archive(tmp_path / "archive")
    started.start()
    yield started
    started.stop()


def down(name: str = "down", port: int | None = None, **more: Any) -> Destination:
    """A destination where nothing listens."""
    return Destination(name, "DOWN", "127.0.0.1", port or free_port(), **more)


def states(store: Store) -> dict[tuple[str, str], DeliveryState]:
    """State by destination and object."""
    return {(one.destination, one.sop_instance_uid): one.state for one in store.index.deliveries(STUDY)}


def test_what_is_sent_and_found_again_is_verified(store: Store, job: Job, archive: Archive) -> None:
    courier = Courier(store.means(), (parse_destination("pacs", archive.address, verify=Verify.FIND),))
    deliver(courier, job)
    rows = [outbox(one) for one in store.index.deliveries(STUDY)]
    assert rows == [("9.1", "verified", "shown by C-FIND", 1), ("9.2", "verified", "shown by C-FIND", 1)]
    assert [one.reference.sop_instance_uid for one in archive.stored()] == ["9.1", "9.2"]
    assert the_study(store) == (State.DONE, "The results are at: pacs.")


def test_by_dicomweb_it_is_found_by_a_search(store: Store, job: Job) -> None:
    shown = [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in ("9.1", "9.2")]
    with serving({"POST studies": (200, None), "GET instances": (200, shown)}) as (_, web):
        deliver(Courier(store.means(), (replace(web, verify=Verify.FIND),)), job)
    rows = [outbox(one) for one in store.index.deliveries(STUDY)]
    assert rows == [("9.1", "verified", "shown by QIDO-RS", 1), ("9.2", "verified", "shown by QIDO-RS", 1)]


def test_without_verification_sent_is_the_end(store: Store, job: Job, archive: Archive) -> None:
    courier = Courier(store.means(), (parse_destination("pacs", archive.address),))
    deliver(courier, job)
    assert not courier.visit(courier.destinations[0])
    assert set(states(store).values()) == {DeliveryState.SENT}
    assert [one.copies for one in archive.stored()] == [1, 1]
    assert the_study(store) == (State.DONE, "The results are at: pacs.")


def test_a_destination_that_takes_only_reports_gets_only_reports(store: Store, job: Job, archive: Archive) -> None:
    only = replace(parse_destination("pacs", archive.address, verify=Verify.FIND), objects=frozenset({"sr"}))
    deliver(Courier(store.means(), (only,)), job)
    assert states(store) == {("pacs", "9.2"): DeliveryState.VERIFIED}


def test_a_destination_that_is_down_loses_nothing_and_holds_up_nobody(store: Store, job: Job, archive: Archive) -> None:
    """Its objects say why they wait and when they are tried again, and so does the study."""
    away = down(port=free_port())
    courier = Courier(store.means(), (away, parse_destination("up", archive.address)))
    deliver(courier, job)
    assert states(store)["up", "9.2"] is DeliveryState.SENT
    waiting = [one for one in store.index.deliveries(STUDY) if one.destination == "down"]
    assert [(one.state, one.attempts) for one in waiting] == [(DeliveryState.PENDING, 1), (DeliveryState.PENDING, 0)]
    assert {one.next_try_at for one in waiting} == {store.later_by(FIRST_S)}
    sentence = f"down ({away.address}): nothing listens at this address (connection refused)"
    assert {one.detail for one in waiting} == {sentence}
    assert the_study(store) == (State.DELIVERING, f"The results are ready and wait: {sentence}")

    back = Archive(archive.folder / "back", port=away.port, ae_title="DOWN")
    back.start()
    try:
        store.later(FIRST_S)
        assert courier.visit(away)
    finally:
        back.stop()
    courier.settle()
    assert states(store)["down", "9.2"] is DeliveryState.SENT
    assert [one.copies for one in archive.stored()] == [1, 1]
    assert the_study(store) == (State.DONE, "The results are at: down, up.")


def test_while_a_destination_is_down_it_is_asked_by_nobody(store: Store, job: Job) -> None:
    """The circuit is open: other studies wait with the reason, and the next try is later each time."""
    courier = Courier(store.means(), (down(),))
    deliver(courier, job)
    other = result(store, "1.2.9", "8")
    courier.plan(other)
    store.index.set_state(other.study_instance_uid, other.content_version, State.DELIVERING, courier.outlook())
    assert "nothing listens" in store.index.version("1.2.9", other.content_version).sentence
    assert not courier.visit(courier.destinations[0])
    (line,) = store.index.lines.all()
    assert (line.failures, line.down_since, line.next_try_at) == (1, store.now, store.later_by(FIRST_S))

    store.later(FIRST_S)
    assert courier.visit(courier.destinations[0])
    (line,) = store.index.lines.all()
    assert (line.failures, line.next_try_at) == (2, store.later_by(2 * FIRST_S))
    assert [one.attempts for one in store.index.deliveries("1.2.9")] == [1, 0], "the one that has waited longest is tried"


def test_a_weekend_is_waited_for_and_a_week_is_not(store: Store, job: Job) -> None:
    """The time counts, not the number of tries; what is given up is shown and can be sent again."""
    courier = Courier(store.means(Pauses(5.0, 900.0, 7 * 86400.0)), (down(),))
    deliver(courier, job)
    for _try in range(6):
        store.later(10 * 3600)
        courier.visit(courier.destinations[0])
    assert set(states(store).values()) == {DeliveryState.PENDING}

    store.later(5 * 86400)  # the seventh day
    assert courier.visit(courier.destinations[0])
    courier.settle()
    assert set(states(store).values()) == {DeliveryState.FAILED}
    state, sentence = the_study(store)
    assert state is State.FAILED
    assert sentence.startswith("given up after 168 h: down (DOWN@127.0.0.1:")

    store.index.operators.resend(STUDY, "down", Order("a person", store.now))
    assert the_study(store) == (State.DELIVERING, "The results are being sent to down again.")
    assert set(states(store).values()) == {DeliveryState.PENDING}


def test_a_refusal_is_final_told_and_holds_up_nothing(store: Store, job: Job) -> None:
    with Promiser(store=lambda event: 0xA900 if event.request.AffectedSOPInstanceUID == "9.1" else 0x0000) as peer:
        deliver(Courier(store.means(), (peer.destination(verify=Verify.NONE),)), job)
    assert states(store) == {("pacs", "9.1"): DeliveryState.FAILED, ("pacs", "9.2"): DeliveryState.SENT}
    assert the_study(store) == (State.FAILED, "pacs refused the object (0xA900)")


def test_a_destination_that_takes_only_reports_says_what_it_does_not_take(store: Store, job: Job) -> None:
    """The report goes all the same, and the study says which kind to add there, or to leave out here."""
    with Promiser(same_association=True, kinds=(Comprehensive3DSRStorage,)) as peer:
        deliver(Courier(store.means(), (peer.destination(),)), job)
    refused = "pacs does not accept objects of the kind Segmentation Storage (SOP class not supported)"
    rows = [outbox(one) for one in store.index.deliveries(STUDY)]
    assert rows == [("9.1", "failed", refused, 1), ("9.2", "verified", "promised by storage commitment", 1)]
    assert the_study(store) == (State.FAILED, refused)


def test_a_warning_is_success_with_a_note_that_stays(store: Store, job: Job) -> None:
    with Promiser(store=lambda _event: 0xB000, same_association=True) as peer:
        deliver(Courier(store.means(), (peer.destination(),)), job)
    (first, _) = store.index.deliveries(STUDY)
    note = "the archive changed values it could not keep (coercion); promised by storage commitment"
    assert (first.state, first.status, first.detail) == (DeliveryState.VERIFIED, 0xB000, note)
    assert the_study(store)[0] is State.DONE


def test_a_full_archive_is_tried_again_and_the_order_is_kept(store: Store, job: Job) -> None:
    """The report does not go ahead of the segmentation that it refers to."""
    with Promiser(store=lambda _event: 0xA700) as peer:
        courier = Courier(store.means(), (peer.destination(verify=Verify.NONE),))
        deliver(courier, job)
        assert set(states(store).values()) == {DeliveryState.PENDING}
        assert the_study(store)[1] == "The results are ready and wait: pacs cannot store it now (0xA700)"
        assert peer.stored == []
        peer.store = lambda _event: 0x0000
        store.later(FIRST_S)
        courier.visit(courier.destinations[0])
        assert peer.stored == ["9.1", "9.2"]


def test_what_is_taken_before_a_lost_association_is_not_sent_again(store: Store, job: Job) -> None:
    def cut(event: Any) -> int:
        if event.request.AffectedSOPInstanceUID == "9.2":
            event.assoc.abort()
        return 0x0000

    with Promiser(store=cut) as peer:
        courier = Courier(store.means(), (peer.destination(verify=Verify.NONE),))
        deliver(courier, job)
        assert states(store) == {("pacs", "9.1"): DeliveryState.SENT, ("pacs", "9.2"): DeliveryState.PENDING}
        assert the_study(store)[1].startswith("The results are ready and wait: pacs gave no answer to C-STORE")
        peer.stored.clear()
        peer.store = lambda _event: 0x0000
        store.later(FIRST_S)
        courier.visit(courier.destinations[0])
        assert peer.stored == ["9.2"]


def test_an_object_on_which_a_destination_breaks_does_not_hold_up_other_studies(store: Store, job: Job) -> None:
    def breaks(event: Any) -> int:
        if event.request.AffectedSOPInstanceUID == "9.1":
            event.assoc.abort()
        return 0x0000

    with Promiser(store=breaks) as peer:
        courier = Courier(store.means(), (peer.destination(verify=Verify.NONE),))
        deliver(courier, job)
        other = result(store, "1.2.9", "8")
        deliver(courier, other)
    assert {one.state for one in store.index.deliveries("1.2.9")} == {DeliveryState.SENT}
    assert set(states(store).values()) == {DeliveryState.PENDING}


def spoil(store: Store, uid: str, how: Callable[[Path], object]) -> None:
    """Something happens to the file of an object that waits."""
    how(next(store.files.path(one.key) for one in store.index.deliveries() if one.sop_instance_uid == uid))


def test_a_result_whose_file_is_gone_or_damaged_fails_alone(store: Store, job: Job, archive: Archive) -> None:
    """The other object of its study goes, and the other studies; by either protocol."""
    with serving({"POST studies": (200, None)}) as (_, web):
        courier = Courier(store.means(), (parse_destination("pacs", archive.address), replace(web, name="web")))
        other = result(store, "1.2.9", "8")
        for one in (job, other):
            courier.plan(one)
        spoil(store, "9.1", Path.unlink)
        spoil(store, "8.2", lambda path: path.write_bytes(b"x" * 200))
        for one in (job, other):
            deliver(courier, one)
    expected = {"9.1": DeliveryState.FAILED, "9.2": DeliveryState.SENT, "8.1": DeliveryState.SENT, "8.2": DeliveryState.FAILED}
    for name in ("pacs", "web"):
        assert {one.sop_instance_uid: one.state for one in store.index.deliveries() if one.destination == name} == expected
    ended, said = the_study(store)
    assert ended is State.FAILED
    assert said.startswith("the file of this object cannot be read here (")
    assert "let the study be analysed again" in said


class Unreadable:
    """A disk that does not read the file of one object, with another fault each time."""

    def __init__(self, store: Store, uid: str, *faults: Exception) -> None:
        self._faults, self._bad = list(faults), set[Path]()
        spoil(store, uid, self._bad.add)

    def read(self, path: Path, **how: Any) -> Any:
        """Read, or fail."""
        if self._faults and path in self._bad:
            raise self._faults.pop(0)
        return dcmread(path, **how)


def test_a_result_that_cannot_be_read_now_waits_alone(
    store: Store, job: Job, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again: that says nothing about the destination, which takes the others at once; nor does its verification."""
    courier = Courier(store.means(), (parse_destination("pacs", archive.address, verify=Verify.FIND),))
    courier.plan(job)
    faults = OSError(5, "Input/output error"), RuntimeError("nobody foresaw it")
    monkeypatch.setattr(sender, "dcmread", Unreadable(store, "9.1", *faults, *faults).read)
    monkeypatch.setattr(verification, "dcmread", Unreadable(store, "9.1", *reversed(faults)).read)
    for number in range(4):
        deliver(courier, job)
        deliver(courier, result(store, f"1.2.9.{number}", f"8.{number}"))
        store.later(900)
    waiting = [one for one in store.index.deliveries() if one.state is DeliveryState.PENDING]
    assert [(one.sop_instance_uid, one.attempts) for one in waiting] == [("9.1", 4), ("9.2", 0)]
    assert courier.means.index.lines.line("pacs").failures == 0
    assert the_study(store)[0] is State.DELIVERING

    said = []
    for _visit in range(2):
        courier.visit(courier.destinations[0])
        said.append(store.index.deliveries(STUDY)[0].detail)
        store.later(900)
    assert said[0] == "stored, not verified yet: an unexpected fault; the log has the details"
    assert said[1].startswith("stored at pacs, cannot be verified: the file of this object cannot be read here")
    assert states(store) == {("pacs", "9.1"): DeliveryState.SENT, ("pacs", "9.2"): DeliveryState.VERIFIED}


def test_a_person_who_cancels_meanwhile_is_not_overruled(store: Store, job: Job) -> None:
    courier = Courier(store.means(), (down(),))
    courier.plan(job)
    store.index.set_state(STUDY, job.content_version, State.FAILED, "Cancelled.")
    store.index.lines.say(STUDY, job.content_version, "The results are ready and wait.")
    assert the_study(store) == (State.FAILED, "Cancelled.")


def test_a_person_who_cancels_while_it_is_sent_is_not_overruled(store: Store, job: Job) -> None:
    """What the destination cannot take now does not wait again, for ever; what it took all the same is known to be there."""
    studies = {job: 0xA700, result(store, "1.2.9", "8"): 0x0000}

    for one, answer in studies.items():

        def cancelled(_event: Any, study: str = one.study_instance_uid, answer: int = answer) -> int:
            if the_study(store, study)[0] is State.DELIVERING:
                store.index.operators.cancel(study, Order("local", store.now))
            return answer

        with Promiser(store=cancelled) as peer:
            courier = Courier(store.means(), (peer.destination(verify=Verify.NONE),))
            deliver(courier, one)
            store.later(FIRST_S)
            assert not courier.visit(courier.destinations[0])
            assert not courier.awaits(courier.destinations[0])
        assert the_study(store, one.study_instance_uid)[0] is State.CANCELLED
    by_uid = {one.sop_instance_uid: one.state for one in store.index.deliveries()}
    assert (by_uid["9.1"], by_uid["8.1"]) == (DeliveryState.FAILED, DeliveryState.SENT)
    assert DeliveryState.PENDING not in by_uid.values()


class Forgetful(Archive):
    """Says that it stored, and has lost the first copy of everything."""

    def stored(self) -> tuple[Archived, ...]:
        """All but the first copies."""
        return tuple(one for one in super().stored() if one.copies > 1)


def test_what_the_archive_does_not_show_is_asked_for_again_and_in_the_end_sent_again(
    store: Store, job: Job, tmp_path: Path
) -> None:
    """Some archives show an object only after a while."""
    archive = Forgetful(tmp_path / "forgetful")
    archive.start()
    try:
        pacs = replace(parse_destination("pacs", archive.address, verify=Verify.FIND), verify_within_s=60.0)
        courier = Courier(store.means(), (pacs,))
        deliver(courier, job)
        (first, _) = store.index.deliveries(STUDY)
        assert (first.state, first.attempts, first.detail, first.next_try_at) == (
            DeliveryState.SENT,
            1,
            "stored, not verified yet: pacs stored it, but does not show it",
            store.later_by(FIRST_S),
        )
        store.later(60)
        courier.visit(pacs)
        assert {one.detail for one in store.index.deliveries(STUDY)} == {
            "pacs stored it, but does not show it; it is sent again"
        }
        store.later(FIRST_S)
        courier.visit(pacs)
    finally:
        archive.stop()
    assert set(states(store).values()) == {DeliveryState.VERIFIED}
    assert [one.attempts for one in store.index.deliveries(STUDY)] == [2, 2]


def test_an_archive_without_query_ends_as_sent_and_the_study_says_so(store: Store, job: Job) -> None:
    with Promiser() as peer:
        deliver(Courier(store.means(), (peer.destination(verify=Verify.FIND),)), job)
    assert set(states(store).values()) == {DeliveryState.SENT}
    doubt = "Stored at pacs, cannot be verified: pacs does not offer C-FIND (Study Root)."
    assert the_study(store) == (State.DONE, f"The results are at: pacs. {doubt}")


def test_a_destination_that_was_removed_from_the_configuration_is_told(store: Store, job: Job) -> None:
    deliver(Courier(store.means(), (down("old"),)), job)
    Courier(store.means(), ()).settle()
    assert the_study(store) == (State.FAILED, "old is no longer configured.")


def test_a_destination_that_another_worker_still_has_is_left_to_it(store: Store, job: Job) -> None:
    """While the configuration of workers is changed one by one; a release before this does not say where it sends."""
    machines = store.index.machines
    deliver(Courier(store.means(), (down("new"),)), job)
    machines.join("worker-2", "node", "0.1.0", "2", store.now)
    Courier(store.means(), ()).settle()
    assert the_study(store)[0] is State.DELIVERING, "it does not say"
    Watchdog(store.index, Pulse("worker-2", "2", 1, 15.0, ("new",)), store.clock).join()
    assert machines.elsewhere("worker-1", store.now) == frozenset({"new"})
    assert machines.elsewhere("worker-2", store.now) == frozenset()
    Courier(store.means(), ()).settle()
    assert the_study(store)[0] is State.DELIVERING
    machines.leave("worker-2")
    assert machines.elsewhere("worker-1", store.now) == frozenset()
    machines.beat("worker-2", 1, store.now)
    store.later(3601)
    Courier(store.means(), ()).settle()
    assert the_study(store) == (State.FAILED, "new is no longer configured.")


def test_a_newer_result_takes_the_place_of_one_that_waits(store: Store, job: Job) -> None:
    """Also of one whose archive lost it, or was still being asked."""
    courier = Courier(store.means(), (down(),))
    deliver(courier, job)
    store.receive("1.2")
    newer = store.close()
    objects = [store.keep_object("9.7", made("9.7", STUDY), "sr")]
    store.index.save_result(STUDY, newer.content_version, {}, objects, store.now)
    store.later(FIRST_S)
    assert not courier.visit(courier.destinations[0]), "of the old one nothing goes once there is newer content"
    deliver(courier, newer)
    assert states(store) == {
        ("down", "9.1"): DeliveryState.SUPERSEDED,
        ("down", "9.2"): DeliveryState.SUPERSEDED,
        ("down", "9.7"): DeliveryState.PENDING,
    }


def test_a_worker_that_was_thought_dead_and_comes_back_does_no_harm(store: Store, job: Job) -> None:
    """It sends the same objects once more at most; what another worker noted meanwhile stands."""
    arrived, go_on = threading.Event(), threading.Event()

    def stall(_event: Any) -> int:
        if not arrived.is_set():
            arrived.set()
            assert go_on.wait(20)
            return 0xA700  # what it would have noted
        return 0x0000

    with Promiser(store=stall) as peer:
        pacs = peer.destination(verify=Verify.NONE)
        slow = Courier(store.means(timeout_s=30.0), (pacs,), "worker-1", hold_s=30.0)
        slow.plan(job)
        store.index.set_state(STUDY, job.content_version, State.DELIVERING, "")
        thread = threading.Thread(target=slow.visit, args=(pacs,))
        thread.start()
        assert arrived.wait(20)

        other = Courier(store.means(), (pacs,), "worker-2", ticks=lambda: store.clock().timestamp())
        for _look in range(4):
            assert not other.visit(pacs), "the line is held"
            store.later(10)
        store.later(1)
        assert other.visit(pacs)
        other.settle()
        go_on.set()
        thread.join(30)
    assert not thread.is_alive()
    assert {(one.state, one.attempts) for one in store.index.deliveries(STUDY)} == {(DeliveryState.SENT, 1)}
    assert store.index.lines.line("pacs").failures == 0
    assert the_study(store)[0] is State.DONE


def test_a_clock_that_is_wrong_neither_takes_a_line_nor_keeps_it(store: Store) -> None:
    """Whether a holder lives is seen by its signs, not by what its clock or ours says."""
    pacs, ticks = Destination("pacs", "PACS", "127.0.0.1", 1), [0.0]
    ahead = replace(store.means(), clock=lambda: store.later_by(86400))
    first, second = (
        Courier(means, (pacs,), name, hold_s=30.0, ticks=lambda: ticks[0])
        for means, name in ((store.means(), "worker-1"), (ahead, "worker-2"))
    )
    lines = store.index.lines
    with first._holding(pacs) as held, second._holding(pacs) as other:
        assert (held is not None, other) == (True, None)

    dead = lines.take("pacs", "worker-2", store.later_by(86430))
    assert dead is not None
    gave = []
    for _look in range(5):
        with first._holding(pacs) as held:
            gave.append(held is not None)
        ticks[0] += 10.0
    assert gave == [False] * 4 + [True], "a day is not waited for"

    alive = lines.take("pacs", "worker-1", store.later_by(30))
    assert alive is not None
    for look in range(6):
        with second._holding(pacs) as other:
            assert other is None
        ticks[0] += 10.0
        assert lines.keep(alive, store.later_by(40 + look))
    ticks[0] += 3600.0
    with second._holding(pacs) as other:
        assert other is None, "the index may have been away, and nobody could give a sign"


def test_an_index_that_is_away_for_a_moment_costs_no_hold_on_a_line(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else another worker would send beside the one that is at it."""
    pacs = Destination("pacs", "PACS", "127.0.0.1", 1)
    keep, asked, kept = Lines.keep, [], threading.Event()

    def away_once(lines: Lines, held: Held, until: datetime) -> bool:
        asked.append(until)
        if len(asked) == 1:
            raise TryAgain("store.unavailable", "The index cannot be reached.")
        try:
            return keep(lines, held, until)
        finally:
            kept.set()

    monkeypatch.setattr(Lines, "keep", away_once)
    courier = Courier(store.means(), (pacs,), "worker-1", hold_s=0.4)
    with courier._holding(pacs) as held:
        assert held is not None
        assert kept.wait(20)


def test_what_was_sent_can_be_sent_again_on_wish(store: Store, job: Job, archive: Archive) -> None:
    courier = Courier(store.means(), (parse_destination("pacs", archive.address, verify=Verify.FIND),))
    deliver(courier, job)
    store.index.operators.resend(STUDY, "pacs", Order("a person", store.now))
    courier.visit(courier.destinations[0])
    courier.settle()
    assert [one.copies for one in archive.stored()] == [2, 2]
    assert the_study(store) == (State.DONE, "The results are at: pacs.")


def test_while_deliveries_are_paused_nothing_leaves_and_then_all(store: Store, job: Job, archive: Archive) -> None:
    courier = Courier(store.means(), (parse_destination("pacs", archive.address),))
    store.index.operators.pause(Queue.DELIVERY, Order("local", store.now), paused=True)
    deliver(courier, job)
    assert (archive.stored(), set(states(store).values())) == ((), {DeliveryState.PENDING})
    assert courier.outlook() == "The results are ready and wait: deliveries are paused."
    store.index.operators.pause(Queue.DELIVERY, Order("local", store.now), paused=False)
    assert courier.visit(courier.destinations[0])
    assert set(states(store).values()) == {DeliveryState.SENT}
