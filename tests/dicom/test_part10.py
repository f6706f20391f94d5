from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.dicom.header_scan import read_file_meta, read_header
from service.dicom.part10 import NOT_SUPPORTED, SYNTAX_NOT_SUPPORTED, Bringer, FileDoor
from service.dicom.reception import CANNOT_UNDERSTAND, DOES_NOT_MATCH, SUCCESS, Answer, Reception, file_head
from service.errors import Unusable
from service.store.files import Files
from service.store.index import Index
from service.store.quarantine import USUAL_BOUNDS, Quarantine
from service.store.records import Added
from tests.dicom.wire import CT, EXPLICIT, MR, STUDY, an_image, encode

BRINGER = Bringer("IMPORT", "a1")


@pytest.fixture
def door(files: Files, index: Index) -> FileDoor:
    return FileDoor(
        Reception(files, index, read_header, lambda: datetime.now(UTC), 0, Quarantine(files, index, USUAL_BOUNDS, 0))
    )


def a_file(uid: str = "1.2.3", *, sop_class: str = MR, syntax: str = EXPLICIT, meta_uid: str = "") -> memoryview:
    return memoryview(file_head(sop_class, meta_uid or uid, syntax) + encode(an_image(uid)))


def store(door: FileDoor, content: memoryview, *, piece: int = 1 << 20) -> Answer:
    """The answer to a file that comes in pieces of so many bytes."""
    with door.begin(BRINGER, len(content)) as arriving:
        for start in range(0, len(content), piece):
            arriving.write(content[start : start + piece])
        return arriving.finish()


@pytest.mark.parametrize("piece", [1, 131, 1 << 20])
def test_a_file_is_stored_as_if_it_had_been_sent(door: FileDoor, files: Files, index: Index, piece: int) -> None:
    """The bytes on disk are those that a C-STORE of the same data set makes, so that both are one instance."""
    answer = store(door, a_file(), piece=piece)

    (stored,) = index.instances(STUDY)
    assert (answer.status, answer.added) == (SUCCESS, Added.NEW)
    assert files.path(stored.key).read_bytes() == bytes(a_file())


def test_a_file_with_another_head_is_the_same_instance(door: FileDoor, index: Index) -> None:
    """Preamble and other values of the meta information say who wrote the file, not what it is."""
    other = memoryview(b"II*\0" + bytes(a_file())[4:])

    assert store(door, a_file()).added is Added.NEW
    assert store(door, other).added is Added.DUPLICATE
    assert index.counts().instances == 1


def test_other_content_is_a_conflict(door: FileDoor) -> None:
    store(door, a_file())
    changed = encode(an_image("1.2.3", {"PatientID": "P2"}))

    assert store(door, memoryview(file_head(MR, "1.2.3", EXPLICIT) + changed)).added is Added.CONFLICT


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (memoryview(b""), CANNOT_UNDERSTAND),
        (memoryview(bytes(200)), CANNOT_UNDERSTAND),
        (a_file()[:140], CANNOT_UNDERSTAND),
        (a_file(meta_uid="1.2.4"), DOES_NOT_MATCH),
        (a_file(sop_class=CT), DOES_NOT_MATCH),
        (a_file(sop_class="1.2.3"), NOT_SUPPORTED),
        (a_file(syntax="1.2.3"), SYNTAX_NOT_SUPPORTED),
        (memoryview(file_head(MR, "1.2.3", EXPLICIT)), CANNOT_UNDERSTAND),
    ],
)
def test_what_is_not_taken_leaves_nothing(door: FileDoor, files: Files, content: memoryview, status: int) -> None:
    answer = store(door, content)

    assert (answer.status, answer.added) == (status, None)
    assert answer.comment.endswith(".")
    assert list(files.received_keys()) == []


def test_the_meta_information_is_read_without_the_data_set(tmp_path: Path) -> None:
    meta = read_file_meta(a_file())

    assert (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid) == (MR, "1.2.3", EXPLICIT)
    assert meta.length == len(file_head(MR, "1.2.3", EXPLICIT))
    (tmp_path / "whole.dcm").write_bytes(a_file())
    assert read_header(tmp_path / "whole.dcm").sop_instance_uid == "1.2.3"


def test_meta_information_without_end_is_refused() -> None:
    with pytest.raises(Unusable):
        read_file_meta(a_file()[: read_file_meta(a_file()).length - 1])


def test_a_file_that_is_not_finished_leaves_nothing(door: FileDoor, files: Files, index: Index) -> None:
    """As when an upload breaks off."""
    with door.begin(BRINGER) as arriving:
        arriving.write(bytes(a_file()) + bytes(100_000))

    assert list(files.received_keys()) == []
    assert list((files.root / "incoming").iterdir()) == []
    assert index.counts().instances == 0
