"""Whatever a header says is data: filed under names of our own, shown as text, in any character set."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.charset import python_encoding

from service.dicom.header_scan import read_header
from service.dicom.reception import Answer, Offered, Reception
from service.store.files import Files
from service.store.index import Index
from service.store.quarantine import USUAL_BOUNDS, Quarantine
from service.web.app import create_app
from service.web.info import ServiceInfo
from tests.dicom.wire import IMPLICIT, MR
from tests.peers import real_data

MEGABYTE = 1_000_000
EVIL = {
    "path": b"../../../../etc/passwd",
    "html": b"<img src=x onerror=alert(1)><script>alert('x')</script>",
    "control": b"a\x00b\x07c\r\nd\x1b[31me\x7f",
    "template": b"{{7*7}}${7*7}%n%s<%= 7*7 %>",
    "sql": b"'; DROP TABLE study; --",
    "long": b"x" * MEGABYTE,
}


def element(tag: int, value: bytes) -> bytes:
    """One element in implicit VR, whose values may have any length."""
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def an_object(number: int, changes: dict[int, bytes]) -> bytes:
    """A data set with just a header; the study, series and instance count with `number`."""
    values = {
        0x00080005: b"ISO_IR 192",
        0x00080016: MR.encode(),
        0x00080018: f"1.2.{number}.3".encode(),
        0x00080060: b"MR",
        0x0008103E: b"T1",
        0x00100010: b"DOE^JANE",
        0x00100020: b"P1",
        0x0020000D: f"1.2.{number}".encode(),
        0x0020000E: f"1.2.{number}.2".encode(),
        0x00200011: b"4",
    } | changes
    return b"".join(element(tag, value) for tag, value in sorted(values.items()))


class Hospital:
    """A store with its pages."""

    def __init__(self, files: Files, index: Index) -> None:
        self._reception = Reception(
            files, index, read_header, lambda: datetime.now(UTC), 0, Quarantine(files, index, USUAL_BOUNDS, 0)
        )
        self._client = TestClient(create_app(index, ServiceInfo("0", show_patient_id=True)))

    def take(self, number: int, content: bytes, uid: str = "") -> Answer:
        """Store an object under what it is announced as."""
        return self._reception.store(Offered(MR, uid or f"1.2.{number}.3", IMPLICIT, MR, "MR1"), content)

    def page(self, number: int) -> str:
        """The page of a study."""
        answer = self._client.get(f"/studies/1.2.{number}")
        assert answer.status_code == 200
        return answer.text

    def told(self, number: int) -> tuple[str, str]:
        """Patient ID and series description as the API gives them."""
        study = self._client.get(f"/api/v1/studies/1.2.{number}").json()
        return study["patient_id"], study["series"][0]["description"]


@pytest.fixture
def hospital(files: Files, index: Index) -> Hospital:
    return Hospital(files, index)


def names_outside(folder: Path) -> set[str]:
    """The files below the test's folder that are neither the store's nor the database's."""
    ours = {"content", "index.db", "index.db-wal", "index.db-shm", "index.db.lock"}
    return {path.name for path in folder.iterdir()} - ours


def test_values_that_mean_harm_are_stored_and_shown_as_text(hospital: Hospital, files: Files, tmp_path: Path) -> None:
    for number, (name, value) in enumerate(EVIL.items(), start=1):
        changes = {0x0008103E: value, 0x00100010: value, 0x00100020: b"P1" if name == "long" else value}
        content = an_object(number, changes)
        assert hospital.take(number, content).status == 0x0000, name
        page = hospital.page(number)
        assert "<img src=x" not in page
        assert "<script" not in page
        assert not any(ord(char) < 32 and char != "\n" for char in page)

    assert hospital.told(2) == (EVIL["html"].decode(), EVIL["html"].decode())
    assert hospital.told(3) == ("abcd[31me", "abcd[31me")
    assert "49" not in hospital.told(4)[1]
    assert len(hospital.told(6)[1]) == 1024
    stored = [files.path(key).read_bytes() for key in files.received_keys()]
    assert len(stored) == len(EVIL)
    assert any(EVIL["long"] in content for content in stored), "nothing is cut from what is stored"
    assert names_outside(tmp_path) == set()


def test_a_patient_id_of_a_megabyte_cannot_be_compared_and_is_refused(hospital: Hospital, index: Index) -> None:
    answer = hospital.take(1, an_object(1, {0x00100020: EVIL["long"]}))

    assert answer.status == 0xC000
    assert [entry.reason for entry in index.quarantined()] == [answer.comment]


@pytest.mark.parametrize("tag", [0x00080016, 0x00080018, 0x0020000D, 0x0020000E])
def test_a_uid_that_is_none_is_refused_and_kept_apart(hospital: Hospital, index: Index, tmp_path: Path, tag: int) -> None:
    for value in EVIL.values():
        answer = hospital.take(1, an_object(1, {tag: value}), value.decode("latin-1") if tag == 0x00080018 else "")
        assert answer.status & 0xF000 == 0xC000

    assert sum(entry.times for entry in index.quarantined()) == len(EVIL)
    assert index.studies(10) == []
    assert names_outside(tmp_path) == set()


def test_every_character_set_is_read_and_shown(hospital: Hospital) -> None:
    """Each term of PS3.3 C.12.1.1.2 with letters that it has, and a value that it does not have."""
    for number, (term, codec) in enumerate(python_encoding.items(), start=1):
        sample = letters(codec)
        changes = {0x00080005: term.encode(), 0x0008103E: sample.encode(codec), 0x00100020: b"\xff\xfe\x80\x1b$)C\xb1"}
        assert hospital.take(number, an_object(number, changes)).status == 0x0000, term
        assert hospital.told(number)[1] == sample, term
        assert sample in hospital.page(number), term


def letters(codec: str) -> str:
    """Some letters that the codec has beside ASCII."""
    for sample in (
        "山田太郎",
        "김희중",
        "王小东",
        "Жизнь",
        "Διονυσιος",
        "قباني",
        "שרון",
        "ไทย",
        "Müller",
        "Čapek",
        "Ĉar",
        "Şimşek",
    ):
        try:
            sample.encode(codec)
        except UnicodeEncodeError:
            continue
        return sample
    return "Buc"


@pytest.mark.real_data
def test_files_in_many_character_sets_are_stored_or_kept_apart(hospital: Hospital, index: Index) -> None:
    paths = sorted(real_data("charsets").rglob("*.dcm"))
    for path in paths:
        header = dcmread(path)
        content = path.read_bytes()[144 + header.file_meta.FileMetaInformationGroupLength :]
        meta = header.file_meta
        uids = str(header.get("SOPClassUID", MR)), str(header.get("SOPInstanceUID", "1.2.3"))
        offered = Offered(*uids, str(meta.TransferSyntaxUID), "", "MR1")
        assert hospital._reception.store(offered, content).status in (0x0000, 0xC000)

    counts = index.counts()
    assert counts.ignored + counts.instances + sum(entry.times for entry in index.quarantined()) == len(paths)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.binary(max_size=64), charset=st.sampled_from([*python_encoding, "ISO 2022 IR 6\\ISO 2022 IR 87", "nonsense"]))
def test_any_bytes_in_any_character_set_become_a_line_that_a_page_can_hold(value: bytes, charset: str) -> None:
    header = read_header(an_object(1, {0x00080005: charset.encode(), 0x0008103E: value, 0x00100020: value}), IMPLICIT)

    assert all(char.isprintable() for char in header.series_description + header.patient_id)
