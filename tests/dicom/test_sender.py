"""The sender against small servers that answer in every way an archive can."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_context, evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.sop_class import (
    Comprehensive3DSRStorage,
    MRImageStorage,
    SegmentationStorage,
    Verification,
)

from service.dicom import association
from service.dicom.archive import Archive
from service.dicom.association import associate
from service.dicom.checkpoint import Gate
from service.dicom.destination import EXPLICIT, IMPLICIT, Caller, Destination, parse_destination
from service.dicom.query import Reference, find
from service.dicom.sender import contexts_for, echo, negotiate, send
from service.errors import Refused, TryAgain
from tests.journey.line import SlowLine

CALLER = Caller(timeout_s=3.0)


def write_object(folder: Path, sop_class: UID = MRImageStorage) -> Path:
    """A minimal object of a class, as a file."""
    made = Dataset()
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = generate_uid()
    made.StudyInstanceUID = "1.2.3"
    made.SeriesInstanceUID = "1.2.3.4"
    made.PatientID = "p"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    path = folder / f"{made.SOPInstanceUID}.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


@contextmanager
def peer(status: int | None = 0x0000, *, require: str = "") -> Iterator[Destination]:
    """A storage SCP that answers every C-STORE with `status` (None: aborts) and takes MR images only."""

    def store(event: Any) -> int:
        if status is None:
            event.assoc.abort()
        return status or 0

    entity = AE(ae_title="PEER")
    for sop_class in (MRImageStorage, Verification):
        entity.add_supported_context(sop_class)
    entity.require_calling_aet = [require] if require else []
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield Destination("peer", "PEER", "127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()


def test_an_object_that_is_stored_has_no_error(tmp_path: Path) -> None:
    with peer() as destination:
        (sent,) = send([write_object(tmp_path)], destination, CALLER)
    assert (sent.status, sent.error, sent.note) == (0x0000, None, "")


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_is_success_with_a_note(tmp_path: Path, status: int) -> None:
    with peer(status) as destination:
        (sent,) = send([write_object(tmp_path)], destination, CALLER)
    assert (sent.status, sent.error) == (status, None)
    assert sent.note.startswith("the archive")


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0x0110])
def test_an_archive_without_room_is_tried_again(tmp_path: Path, status: int) -> None:
    with peer(status) as destination:
        (sent,) = send([write_object(tmp_path)], destination, CALLER)
    assert isinstance(sent.error, TryAgain)
    assert f"0x{status:04X}" in sent.error.sentence


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0124])
def test_a_refusal_carries_the_status(tmp_path: Path, status: int) -> None:
    with peer(status) as destination:
        (sent,) = send([write_object(tmp_path)], destination, CALLER)
    assert isinstance(sent.error, Refused)
    assert sent.error.status == status


def test_a_refused_context_costs_only_its_own_object(tmp_path: Path) -> None:
    image, report = write_object(tmp_path), write_object(tmp_path, Comprehensive3DSRStorage)
    with peer() as destination:
        sent = send([report, image], destination, CALLER)
    assert isinstance(sent[0].error, Refused)
    assert "Comprehensive 3D SR" in sent[0].error.sentence
    assert sent[1].error is None


@contextmanager
def implicit_only(seen: list[str]) -> Iterator[Destination]:
    """A storage SCP that knows reports in Implicit VR alone; `seen` gets the transfer syntax of what came."""

    def store(event: Any) -> int:
        seen.append(f"{event.context.transfer_syntax} {event.dataset.PatientID}")
        return 0x0000

    entity = AE(ae_title="OLD")
    entity.add_supported_context(Comprehensive3DSRStorage, ImplicitVRLittleEndian)
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield Destination("old", "OLD", "127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()


def test_an_object_goes_in_the_encoding_that_the_peer_reads(tmp_path: Path) -> None:
    seen: list[str] = []
    with implicit_only(seen) as destination:
        (sent,) = send([write_object(tmp_path, Comprehensive3DSRStorage)], destination, CALLER)
    assert (sent.error, seen) == (None, ["1.2.840.10008.1.2 p"])


def test_a_refused_transfer_syntax_is_told_from_a_refused_class(tmp_path: Path) -> None:
    """Whoever reads it must know which of the two to add to the archive's configuration."""
    report, image = write_object(tmp_path, Comprehensive3DSRStorage), write_object(tmp_path)
    with implicit_only([]) as old:
        with pytest.raises(TryAgain) as fault:
            send([report, image], replace(old, syntaxes=(EXPLICIT,)), CALLER)
        (sent,) = send([image, report], old, CALLER)[:1]
    refused = "Comprehensive 3D SR Storage in Explicit VR Little Endian (transfer syntax refused)"
    assert refused in fault.value.sentence
    assert "MR Image Storage (SOP class not supported)" in fault.value.sentence
    assert sent.error is not None
    assert sent.error.sentence == "old does not accept objects of the kind MR Image Storage (SOP class not supported)"


def test_what_a_peer_would_take_is_found_without_sending_anything() -> None:
    seen: list[str] = []
    with implicit_only(seen) as destination:
        taken = negotiate({Comprehensive3DSRStorage, MRImageStorage}, destination, CALLER)
    assert taken == {Comprehensive3DSRStorage: (IMPLICIT,), MRImageStorage: ()}
    assert seen == []


def test_texts_go_in_the_character_set_that_the_peer_reads(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.start()
    path = write_object(tmp_path)
    given = dcmread(path)
    given.SpecificCharacterSet, given.PatientName = "ISO_IR 100", "M\u00fcller"
    given.save_as(path)
    try:
        (sent,) = send([path], replace(parse_destination("a", archive.address), character_set="ISO_IR 192"), CALLER)
    finally:
        archive.stop()
    (kept,) = [dcmread(one) for one in archive.folder.rglob("*") if one.is_file()]
    assert (sent.error, kept.SpecificCharacterSet, kept.PatientName) == (None, "ISO_IR 192", "M\u00fcller")


def test_a_peer_that_takes_no_kind_at_all_is_said_so(tmp_path: Path) -> None:
    with peer() as destination, pytest.raises(TryAgain, match="accepts none of the object types"):
        send([write_object(tmp_path, SegmentationStorage)], destination, CALLER)


def test_an_abort_in_the_middle_is_tried_again_for_every_object_left(tmp_path: Path) -> None:
    with peer(None) as destination:
        sent = send([write_object(tmp_path), write_object(tmp_path)], destination, CALLER)
    assert [type(one.error) for one in sent] == [TryAgain, TryAgain]


def test_nothing_listens(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        destination = Destination("down", "DOWN", "127.0.0.1", free.getsockname()[1])
    with pytest.raises(TryAgain, match="connection refused"):
        send([write_object(tmp_path)], destination, CALLER)


def test_a_rejected_association_gives_the_reason_of_the_peer(tmp_path: Path) -> None:
    with peer(require="SOMEBODY") as destination, pytest.raises(TryAgain, match=r"(?i)rejected.*calling AE title not recogni"):
        send([write_object(tmp_path)], destination, CALLER)


def test_a_socket_that_is_no_dicom_node_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(5)
        destination = Destination("mute", "MUTE", "127.0.0.1", mute.getsockname()[1])
        with pytest.raises(TryAgain, match="did not answer as a DICOM node"):
            send([write_object(tmp_path)], destination, Caller(timeout_s=0.5))


def test_an_unknown_host_is_said_so(tmp_path: Path) -> None:
    destination = Destination("nowhere", "NOWHERE", "host.invalid", 104)
    with pytest.raises(TryAgain, match="name of the host is not known"):
        send([write_object(tmp_path)], destination, CALLER)


def test_echo() -> None:
    with peer() as destination:
        echo(destination, CALLER)


def test_each_kind_of_object_gets_one_context() -> None:
    kinds = [("1.2.3", "1.2.840.10008.1.2.1"), ("1.2.3", "1.2.840.10008.1.2"), ("1.2.3", "1.2.840.10008.1.2.4.70")]
    assert len(contexts_for(kinds)) == 2


def test_what_was_sent_is_found_in_the_archive_and_nothing_else(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.start()
    try:
        destination = parse_destination("archive", archive.address)
        path = write_object(tmp_path)
        send([path, path], destination, CALLER)
        here, not_here = Reference("1.2.3", "1.2.3.4", path.stem), Reference("1.2.3", "1.2.3.4", "9.9")
        assert find([here, not_here], destination, CALLER) == {path.stem}
        assert [(one.reference, one.copies) for one in archive.stored()] == [(here, 2)]
    finally:
        archive.stop()


def test_a_large_object_gets_through_a_line_on_which_it_takes_longer_than_an_answer_may(tmp_path: Path) -> None:
    """Else it would fail at every round, for ever."""
    path = write_object(tmp_path)
    dataset = dcmread(path)
    dataset.add_new("PixelData", "OW", bytes(100_000))
    dataset.save_as(path)

    with peer() as there, SlowLine(there.port, 0.08) as line:
        (sent,) = send([path], replace(there, port=line.port), Caller(timeout_s=1.0))

    assert (sent.status, sent.error) == (0x0000, None)


class Slow(Gate):
    """Behind which the thread of the association loses the processor."""

    def wait(self, timeout: float | None = None) -> bool:
        """Go on late."""
        passed = super().wait(timeout)
        time.sleep(0.1)
        return passed


def test_the_thread_of_an_association_takes_no_answer_that_another_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine it does, with the gate that pynetdicom has: then an answer is waited for until its time is over."""
    monkeypatch.setattr(association, "Gate", Slow)
    send_msg = DIMSEServiceProvider.send_msg

    def late(provider: DIMSEServiceProvider, *message: Any) -> None:
        send_msg(provider, *message)
        time.sleep(0.2)  # the answer is there before anybody waits for it

    monkeypatch.setattr(DIMSEServiceProvider, "send_msg", late)
    paths = [write_object(tmp_path) for _ in range(3)]
    with peer() as there:
        sent = send(paths, there, Caller(timeout_s=5.0))

    assert [one.error for one in sent] == [None] * len(paths)


def test_who_sends_when_the_association_has_just_ended_waits_for_nothing() -> None:
    with peer() as there, associate(there, CALLER, [build_context(Verification)]) as opened:
        opened.abort()
        gate = opened._reactor_checkpoint
        gate.clear()
        assert opened._is_paused


@contextmanager
def hanging(where: str) -> Iterator[Destination]:
    """An archive that answers and then does nothing more: in the middle of a PDU, or without reading what comes."""
    with peer() as there, socket.create_server(("127.0.0.1", 0)) as door, ExitStack() as held:

        def serve() -> None:
            with suppress(OSError):
                near = held.enter_context(door.accept()[0])
                far = held.enter_context(socket.create_connection((there.host, there.port)))
                far.sendall(pdu_of(near))
                answer = pdu_of(far)
                near.sendall(answer[:3] if where == "answer to the request" else answer)
                if where == "answer to an object":
                    near.recv(1)
                    near.sendall(b"\x04\x00\x00")

        threading.Thread(target=serve, daemon=True).start()
        yield replace(there, port=door.getsockname()[1])


def pdu_of(connection: socket.socket) -> bytes:
    """The next one, whole."""
    head = connection.recv(6, socket.MSG_WAITALL)
    return head + connection.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", ["answer to the request", "answer to an object", "reading"])
def test_an_archive_that_hangs_is_given_up_and_tried_again(tmp_path: Path, where: str) -> None:
    """The DICOM library waits for its own thread, which waited for such a peer without end, and all deliveries with it."""
    path = write_object(tmp_path)
    dataset = dcmread(path)
    dataset.add_new("PixelData", "OW", bytes(12_000_000))  # more than lies on the way
    dataset.save_as(path)

    with hanging(where) as there:
        try:
            (sent,) = send([path], there, Caller(timeout_s=0.5))
        except TryAgain:
            return
    assert isinstance(sent.error, TryAgain)


def test_a_release_that_would_wait_for_ever_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a flag of its other thread, which whoever serves a message at that moment takes back."""
    monkeypatch.setattr(association, "_PAUSE_S", 0.2)
    began = time.monotonic()
    with peer() as destination, associate(destination, CALLER, [build_context(Verification)]) as opened:
        opened._reactor_checkpoint = threading.Event()  # which closes without a look at who stands there
        time.sleep(0.1)
        opened._is_paused = False
    assert opened.is_aborted
    assert time.monotonic() - began < 10
