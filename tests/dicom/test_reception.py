from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import delete
from structlog.testing import capture_logs

from service.dicom.header_scan import read_header
from service.dicom.reception import Answer, Offered, Reception, file_head
from service.errors import TryAgain
from service.store.copies import Copies
from service.store.files import Files, Incoming
from service.store.index import Index
from service.store.quarantine import USUAL_BOUNDS, Quarantine
from service.store.records import Added, Kept, Received
from service.store.schema import instance
from tests.dicom.wire import CT, DEFLATED, EXPLICIT, MR, STUDY, an_image, encode

IMAGE = encode(an_image("1.2.3"))


def offer(uid: str = "1.2.3") -> Offered:
    return Offered(MR, uid, EXPLICIT, MR, "SCANNER", "a1")


def reception(files: Files, index: Index, *, min_free_bytes: int = 0) -> Reception:
    quarantine = Quarantine(files, index, USUAL_BOUNDS, min_free_bytes)
    return Reception(files, index, read_header, lambda: datetime.now(UTC), min_free_bytes, quarantine)


class BrokenFiles(Files):
    """A disk that fails while it is written to."""

    def receive(self) -> Incoming:
        """Fail as a full disk does."""
        raise OSError(errno.ENOSPC, "No space left on device")


class TightFiles(Files):
    """A disk whose free space the test decides."""

    free = 0

    def free_bytes(self) -> int:
        """What the test says."""
        return self.free


class BrokenIndex(Index):
    """An index that fails when it should make a row."""

    fault: Exception = RuntimeError("DOE^JANE")

    def add_instance(self, received: Received) -> Added:  # noqa: ARG002 - it fails before it looks
        """Fail."""
        raise self.fault


@pytest.fixture
def broken(tmp_path: Path) -> BrokenIndex:
    return BrokenIndex(Index.open(f"sqlite:///{tmp_path}/broken.db")._database)


def test_success_means_a_file_and_a_row(files: Files, index: Index) -> None:
    assert reception(files, index).store(offer(), IMAGE) == Answer(0x0000)

    (stored,) = index.instances(STUDY)
    assert files.path(stored.key).read_bytes() == file_head(MR, "1.2.3", EXPLICIT) + encode(an_image("1.2.3"))
    assert files.describe(stored.key).sha256 == stored.sha256


def test_a_data_set_may_come_in_pieces(files: Files, index: Index) -> None:
    with reception(files, index).begin(offer()) as arriving:
        for start in range(0, len(IMAGE), 7):
            arriving.write(IMAGE[start : start + 7])
        assert arriving.finish() == Answer(0x0000)

    (stored,) = index.instances(STUDY)
    assert files.path(stored.key).read_bytes() == file_head(MR, "1.2.3", EXPLICIT) + IMAGE


@pytest.mark.parametrize("syntax", [EXPLICIT, DEFLATED])
def test_a_header_longer_than_the_first_look_is_read_from_the_file(files: Files, index: Index, syntax: str) -> None:
    """Scanners put private elements of any size before the study's UID."""
    private = struct.pack("<HH2sHL", 0x0009, 0x1010, b"OB", 0, 40_000) + os.urandom(40_000)
    patient = IMAGE.index(struct.pack("<HH", 0x0010, 0x0010))
    long = IMAGE[:patient] + private + IMAGE[patient:]
    content = long if syntax == EXPLICIT else zlib.compress(long, wbits=-zlib.MAX_WBITS)
    assert len(content) > 16384

    assert reception(files, index).store(replace(offer(), transfer_syntax_uid=syntax), content) == Answer(0x0000)


def test_what_is_not_finished_leaves_nothing(files: Files, index: Index) -> None:
    with reception(files, index).begin(offer()) as arriving:
        arriving.write(IMAGE)
        assert [path.suffix for path in files.root.rglob("*") if path.is_file()] == [".part"]

    assert [path for path in files.root.rglob("*") if path.is_file()] == []
    assert arriving.finish().status == 0x0110
    assert index.counts().instances == 0


def test_a_disk_that_fills_while_an_instance_comes_refuses_it_and_takes_the_rest_of_its_bytes(
    tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender goes on until the end of its object; only then it hears the answer."""
    monkeypatch.setattr("service.dicom.reception._ROOM_EVERY", 100)
    files = TightFiles(tmp_path / "content")
    files.free = 10_000
    with reception(files, index, min_free_bytes=1000).begin(offer()) as arriving:
        arriving.write(IMAGE[:150])
        early = arriving.refused
        files.free = 1000
        arriving.write(IMAGE[150:300])
        assert (early, arriving.refused) == (False, True)
        arriving.write(IMAGE[300:])
        assert arriving.finish() == Answer(0xA700, "The disk is nearly full.")

    assert [path for path in files.root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("uid", ["", "../../evil", "1.2.3\n", "x" * 70_000, "\u0661.2"])
def test_what_is_announced_must_be_uids(files: Files, index: Index, uid: str) -> None:
    for offered in (replace(offer(), sop_instance_uid=uid), replace(offer(), transfer_syntax_uid=uid)):
        assert reception(files, index).store(offered, IMAGE).status == 0xC000
    assert [path for path in files.root.rglob("*") if path.is_file()] == []


def test_the_file_meta_is_what_the_standard_wants(tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(file_head(MR, "1.2.3", EXPLICIT) + encode(an_image("1.2.3")))
    meta = dcmread(tmp_path / "one.dcm").file_meta

    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (MR, "1.2.3")
    assert meta.TransferSyntaxUID == EXPLICIT
    assert meta.FileMetaInformationGroupLength == len(file_head(MR, "1.2.3", EXPLICIT)) - 132 - 12


def test_the_same_object_makes_the_same_file_whoever_sends_it(files: Files, index: Index) -> None:
    reception(files, index).store(offer(), IMAGE)
    reception(files, index).store(replace(offer(), calling_ae="ARCHIVE", association_id="a2"), IMAGE)

    assert index.counts().instances == 1
    assert index.counts().conflicts == 0
    assert len(list(files.received_keys())) == 1


def test_below_the_watermark_nothing_is_taken_and_above_it_again(tmp_path: Path, index: Index) -> None:
    files = TightFiles(tmp_path / "content")
    station = reception(files, index, min_free_bytes=1000)
    files.free = 1000

    assert station.store(offer(), IMAGE) == Answer(0xA700, "The disk is nearly full.")
    assert list(files.received_keys()) == []

    files.free = 1000 + len(encode(an_image("1.2.3")))
    assert station.store(offer(), IMAGE) == Answer(0x0000)


def test_a_disk_that_fails_is_out_of_resources(tmp_path: Path, index: Index) -> None:
    answer = reception(BrokenFiles(tmp_path / "content"), index).store(offer(), IMAGE)

    assert answer == Answer(0xA700, "The disk does not take it: No space left on device.")
    assert index.counts().instances == 0


def test_an_index_that_is_down_is_out_of_resources(files: Files, broken: BrokenIndex) -> None:
    broken.fault = TryAgain("store.unavailable", "The index cannot be reached.")

    assert reception(files, broken).store(offer(), IMAGE) == Answer(0xA700, "The index cannot be reached.")
    broken.close()


class Coming(Index):
    """An index that is away until the test lets it come back; then, or with `late`, the row is there although nobody heard."""

    away = True
    late = False

    def add_instance(self, received: Received) -> Added:
        """Fail while it is away."""
        if self.late or not self.away:
            added = super().add_instance(received)
        if self.away:
            raise TryAgain("store.unavailable", "The index cannot be reached.")
        return added


@pytest.mark.parametrize("late", [False, True])
def test_a_sender_that_repeats_while_the_index_is_away_leaves_one_file(files: Files, index: Index, *, late: bool) -> None:
    """Each repetition left its file, until the disk was full. None is simply removed: its row may be there already."""
    coming = Coming(index._database)
    coming.late = late
    station = reception(files, coming)
    answers = {station.store(offer(), IMAGE) for _ in range(5)} | {station.store(offer("1.2.4"), IMAGE)}
    assert answers == {Answer(0xA700, "The index cannot be reached.")}
    (key,) = files.received_keys()

    coming.away = False
    assert station.store(offer("1.2.4"), encode(an_image("1.2.4"))).added is Added.NEW
    assert station.store(offer(), IMAGE).added is Added.DUPLICATE
    assert next(stored.key for stored in index.instances(STUDY)) == key
    assert len(list(files.received_keys())) == index.counts().instances == 2


def test_while_one_waits_for_an_index_that_hangs_the_others_are_refused(
    files: Files, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of many associations would wait for its time limit, one after the other."""
    monkeypatch.setattr("service.store.rows._PATIENCE_S", 0.05)
    coming = Coming(index._database)
    station = reception(files, coming)
    station.store(offer(), IMAGE)
    asked, answer = threading.Event(), threading.Event()

    def hang(received: Received) -> Added:
        asked.set()
        assert answer.wait(30)
        return index.add_instance(received)

    monkeypatch.setattr(coming, "add_instance", hang)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(station.store, offer(), IMAGE)
        assert asked.wait(30)
        refused = station.store(offer("1.2.4"), encode(an_image("1.2.4")))
        answer.set()
        assert first.result().added is Added.DUPLICATE

    assert refused == Answer(0xA700, "The index has not answered for a while.")


def test_a_fault_of_our_own_is_answered_and_logged_without_its_values(files: Files, broken: BrokenIndex) -> None:
    with capture_logs() as logs:
        assert reception(files, broken).store(offer(), IMAGE).status == 0x0110
    broken.close()

    assert "RuntimeError" in str(logs)
    assert "DOE" not in str(logs)


def test_what_was_not_indexed_is_found_at_the_next_start(files: Files, index: Index, broken: BrokenIndex) -> None:
    """The file may stay: it was never acknowledged, and a repetition of it is removed later."""
    reception(files, broken).store(offer(), IMAGE)
    broken.close()

    assert len(index.reconcile(files, read_header).added) == 1
    assert reception(files, index).store(offer(), IMAGE) == Answer(0x0000)
    assert index.counts().instances == 1


@pytest.mark.parametrize("content", [b"", b"garbage!garbage!", encode(an_image("1.2.3"))[:60]])
def test_what_cannot_be_read_is_not_understood(files: Files, index: Index, content: bytes) -> None:
    assert reception(files, index).store(offer(), content).status == 0xC000
    assert list(files.received_keys()) == []


@pytest.mark.parametrize(
    "offered",
    [
        replace(offer(), sop_class_uid=CT, abstract_syntax_uid=CT),
        replace(offer(), sop_instance_uid="1.2.4"),
        replace(offer(), abstract_syntax_uid=CT),
    ],
)
def test_a_data_set_must_be_what_the_command_says(files: Files, index: Index, offered: Offered) -> None:
    assert reception(files, index).store(offered, IMAGE).status == 0xA900
    assert list(files.received_keys()) == []


def test_every_refusal_is_logged_with_its_reason(files: Files, index: Index) -> None:
    with capture_logs() as logs:
        reception(files, index).store(offer(), b"x")

    assert [(entry["event"], entry["status"], entry["calling_ae"]) for entry in logs] == [("refused", "0xC000", "SCANNER")]


def test_patients_are_never_logged(files: Files, index: Index) -> None:
    with capture_logs() as logs:
        reception(files, index).store(offer(), IMAGE)
        reception(files, index).store(offer(), encode(an_image("1.2.3", {"PatientID": "P2"})))

    assert [entry["event"] for entry in logs] == ["stored", "conflict"]
    assert not any(word in str(logs) for word in ("DOE", "JANE", "'P1'", "'P2'"))


@pytest.mark.parametrize(
    ("uid", "content", "status", "reason"),
    [
        ("1.2.3", b"no DICOM at all, but quite long", 0xC000, "The object has no StudyInstanceUID."),
        ("1.2.4", IMAGE, 0xA900, "The SOP instance of the data set is not that of the command."),
    ],
)
def test_what_cannot_be_understood_goes_to_the_quarantine_with_its_reason(
    files: Files, index: Index, uid: str, content: bytes, status: int, reason: str
) -> None:
    answer = reception(files, index).store(offer(uid), content)

    (entry,) = index.quarantined()
    assert (answer.status, answer.comment) == (entry.status, entry.reason) == (status, reason)
    assert (files.root / "quarantine" / entry.file).read_bytes() == file_head(MR, uid, EXPLICIT) + content
    assert list(files.received_keys()) == []
    assert list((files.root / "incoming").iterdir()) == []


@pytest.mark.parametrize("uid", ["../../evil", "", "1.2\x00\n3", "9" * 65])
def test_what_was_announced_under_no_uid_is_listed_too(files: Files, index: Index, uid: str) -> None:
    assert reception(files, index).store(offer(uid), IMAGE).status == 0xC000

    (entry,) = index.quarantined()
    assert (entry.status, entry.file) == (0xC000, "")


def test_what_is_refused_for_want_of_room_is_not_quarantined(files: Files, index: Index) -> None:
    """It is as good as any and comes again."""
    assert reception(files, index, min_free_bytes=1 << 60).store(offer(), IMAGE).status == 0xA700
    assert index.quarantined() == []


def test_a_repetition_takes_the_place_of_a_first_copy_that_is_gone_or_damaged(files: Files, index: Index) -> None:
    """Otherwise it would be acknowledged and thrown away, and nobody would have it any more."""
    station = reception(files, index)
    station.store(offer(), IMAGE)
    (first,) = index.instances(STUDY)
    path = files.path(first.key)
    whole = path.read_bytes()
    for damage in (None, whole[:-1], bytes(len(whole))):
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
        assert station.store(offer(), IMAGE).added is Added.DUPLICATE
        assert list(files.received_keys()) == [first.key]
        assert path.read_bytes() == whole

    station.store(offer(), IMAGE)  # nothing to mend this time
    detail = index.study(STUDY)
    assert detail is not None
    assert [event.word for event in detail.events].count("mended") == 3


def test_a_repetition_is_new_when_what_it_repeats_left_meanwhile(files: Files, index: Index) -> None:
    """Retention may take a study between the answer of the index and the look at the file."""
    station = reception(files, index)
    station.store(offer(), IMAGE)
    (first,) = index.instances(STUDY)
    index.copies = LeavingFirst(index._database)

    assert station.store(offer(), IMAGE).added is Added.NEW
    (stored,) = index.instances(STUDY)
    assert stored.key != first.key
    assert files.exists(stored.key)


class LeavingFirst(Copies):
    """What is repeated leaves as soon as somebody looks for it."""

    def keep_one(self, files: Files, sop_instance_uid: str, again: Kept) -> bool:
        """Look too late."""
        with self._database.write() as connection:
            connection.execute(delete(instance))
        return super().keep_one(files, sop_instance_uid, again)
