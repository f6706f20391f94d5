"""The courier against real archives that are up, down, and of bad memory."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage, SegmentationStorage

from service.dicom.archive import Archive, Archived
from service.dicom.destination import Caller, Destination, parse_destination
from service.jobs.delivery import Courier
from service.jobs.job import Job
from service.store.records import DeliveryState
from tests.jobs.conftest import STUDY, Store

CALLER = Caller(timeout_s=3.0)


def made(uid: str, sop_class: str) -> bytes:
    """A result object as a file."""
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID = sop_class, uid
    item.StudyInstanceUID, item.SeriesInstanceUID = STUDY, f"{uid}.1"
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.file_meta.MediaStorageSOPClassUID = sop_class
    item.file_meta.MediaStorageSOPInstanceUID = uid
    buffer = BytesIO()
    item.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def job(store: Store) -> Job:
    """A study whose analysis is ready to be sent: a segmentation and a report."""
    store.receive("1.1")
    job = store.close()
    objects = [
        store.keep_object("9.1", made("9.1", SegmentationStorage), "seg"),
        store.keep_object("9.2", made("9.2", Comprehensive3DSRStorage), "sr"),
    ]
    store.index.save_result(STUDY, job.content_version, {}, objects, store.now)
    return job


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    started = Archive(tmp_path / "archive")
    started.start()
    yield started
    started.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def courier_of(store: Store, *destinations: Destination) -> Courier:
    return Courier(store.index, store.files, destinations, CALLER, store.clock)


def states(store: Store) -> dict[tuple[str, str], DeliveryState]:
    """State by destination and object."""
    return {(one.destination, one.sop_instance_uid): one.state for one in store.index.deliveries(STUDY)}


def test_what_is_sent_and_found_again_is_verified(store: Store, job: Job, archive: Archive) -> None:
    courier = courier_of(store, parse_destination("pacs", archive.address, verify=True))
    courier.plan(job)
    assert courier.round(job) == ""
    assert states(store) == {("pacs", "9.1"): DeliveryState.VERIFIED, ("pacs", "9.2"): DeliveryState.VERIFIED}
    assert [one.reference.sop_instance_uid for one in archive.stored()] == ["9.1", "9.2"]


def test_without_verification_sent_is_the_end(store: Store, job: Job, archive: Archive) -> None:
    courier = courier_of(store, parse_destination("pacs", archive.address))
    courier.plan(job)
    assert courier.round(job) == ""
    assert courier.round(job) == ""
    assert set(states(store).values()) == {DeliveryState.SENT}
    assert [one.copies for one in archive.stored()] == [1, 1]


def test_a_destination_that_takes_only_reports_gets_only_reports(store: Store, job: Job, archive: Archive) -> None:
    only = replace(parse_destination("pacs", archive.address, verify=True), objects=frozenset({"sr"}))
    courier = courier_of(store, only)
    courier.plan(job)
    assert courier.round(job) == ""
    assert states(store) == {("pacs", "9.2"): DeliveryState.VERIFIED}
    assert courier.receivers(job) == ("pacs",)


def test_a_destination_that_wants_nothing_that_was_made_is_no_receiver(store: Store, job: Job) -> None:
    """The study must not say that its results lie where nothing was ever sent."""
    courier = courier_of(store, Destination("pacs", "PACS", "127.0.0.1", 1, objects=frozenset({"pdf"})))
    courier.plan(job)
    assert courier.round(job) == ""
    assert courier.receivers(job) == ()


def test_a_destination_that_is_down_loses_nothing_and_holds_up_nobody(store: Store, job: Job, archive: Archive) -> None:
    port = free_port()
    courier = courier_of(store, Destination("down", "DOWN", "127.0.0.1", port), parse_destination("up", archive.address))
    courier.plan(job)
    assert "connection refused" in courier.round(job)
    assert states(store)["down", "9.2"] is DeliveryState.PENDING
    assert states(store)["up", "9.2"] is DeliveryState.SENT

    back = Archive(archive.folder / "back", port=port, ae_title="DOWN")
    back.start()
    try:
        assert courier.round(job) == ""
    finally:
        back.stop()
    assert states(store)["down", "9.2"] is DeliveryState.SENT
    assert [one.copies for one in archive.stored()] == [1, 1]


def test_a_refusal_is_final_and_told(store: Store, job: Job) -> None:
    entity = AE(ae_title="PACS")
    entity.add_supported_context(SegmentationStorage)
    entity.add_supported_context(Comprehensive3DSRStorage)
    handlers = [(evt.EVT_C_STORE, lambda event: 0xA900 if event.request.AffectedSOPInstanceUID == "9.2" else 0x0000)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        courier = courier_of(store, Destination("pacs", "PACS", "127.0.0.1", server.server_address[1]))
        courier.plan(job)
        assert courier.round(job) == ""
    finally:
        server.shutdown()
    assert states(store) == {("pacs", "9.1"): DeliveryState.SENT, ("pacs", "9.2"): DeliveryState.FAILED}
    assert courier.refused(job) == "pacs refused the object (0xA900)"


class Forgetful(Archive):
    """Says that it stored, and has lost the first copy of everything."""

    def stored(self) -> tuple[Archived, ...]:
        """All but the first copies."""
        return tuple(one for one in super().stored() if one.copies > 1)


def test_what_the_archive_does_not_show_is_sent_again(store: Store, job: Job, tmp_path: Path) -> None:
    archive = Forgetful(tmp_path / "forgetful")
    archive.start()
    try:
        courier = courier_of(store, parse_destination("pacs", archive.address, verify=True))
        courier.plan(job)
        assert courier.round(job) == "pacs does not show what it stored."
        assert courier.round(job) == ""
    finally:
        archive.stop()
    assert set(states(store).values()) == {DeliveryState.VERIFIED}


def test_an_archive_without_query_ends_as_sent_with_a_note(store: Store, job: Job) -> None:
    entity = AE(ae_title="PACS")
    entity.add_supported_context(SegmentationStorage)
    entity.add_supported_context(Comprehensive3DSRStorage)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _event: 0x0000)])
    try:
        courier = courier_of(store, Destination("pacs", "PACS", "127.0.0.1", server.server_address[1], verify=True))
        courier.plan(job)
        assert courier.round(job) == ""
    finally:
        server.shutdown()
    assert set(states(store).values()) == {DeliveryState.SENT}
    assert "does not offer C-FIND" in store.index.deliveries(STUDY)[0].detail


def test_a_destination_that_was_removed_from_the_configuration_is_told(store: Store, job: Job) -> None:
    courier_of(store, Destination("old", "OLD", "127.0.0.1", 1)).plan(job)
    courier = courier_of(store)
    assert courier.round(job) == ""
    assert courier.refused(job) == "old is no longer configured."
