"""STOW-RS as its clients see it; the store behind it is a real one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from service.app import Parts, Service
from service.dicom.header_scan import read_header
from service.dicom.part10 import FileDoor
from service.dicom.reception import Reception, file_head
from service.settings import DicomWeb
from service.store.files import Files
from service.store.index import Index
from service.store.quarantine import USUAL_BOUNDS, Quarantine
from service.web.guard import Guard, networks
from service.web.stow import Storing, create_stow
from tests.benchmarks.stow import high_water_mb, large_body
from tests.dicom.wire import EXPLICIT, MR, STUDY, an_image, encode, eventually
from tests.journey.orthanc import Orthanc
from tests.journey.waiting import free_port
from tests.test_app import settings_in

TYPE = 'multipart/related; type="application/dicom"; boundary=b1'
TOKEN = "0123456789abcdef0123456789"  # noqa: S105 - of this test alone
REASON, FAILED, REFERENCED, OTHER = "00081197", "00081198", "00081199", "0008119A"


def now() -> datetime:
    return datetime.now(UTC)


def a_file(uid: str, changes: dict[str, Any] | None = None) -> bytes:
    return file_head(MR, uid, EXPLICIT) + encode(an_image(uid, changes))


def body(*files: bytes, kind: str = "application/dicom") -> bytes:
    parts = (b"--b1\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + file + b"\r\n" for file in files)
    return b"".join(parts) + b"--b1--\r\n"


def uids(answer: Response, sequence: str) -> list[str]:
    """The instances that a sequence of the answer names."""
    return [item["00081155"]["Value"][0] for item in answer.json().get(sequence, {"Value": []})["Value"]]


def reasons(answer: Response, sequence: str) -> list[int]:
    """Its failure reasons."""
    return [item[REASON]["Value"][0] for item in answer.json()[sequence]["Value"]]


class Place:
    """A store, and STOW-RS in front of it."""

    def __init__(self, folder: Path) -> None:
        self.files = Files(folder / "content")
        self.index = Index.open(f"sqlite:///{folder}/index.db")

    def client(
        self, guard: Guard | None = None, *, host: str = "127.0.0.1", longest: int = 10**9, min_free: int = 0
    ) -> TestClient:
        """A client that comes from `host`."""
        quarantine = Quarantine(self.files, self.index, USUAL_BOUNDS, min_free)
        door = FileDoor(Reception(self.files, self.index, read_header, now, min_free, quarantine))
        app = create_stow(Storing(door, self.index, now, longest, 30.0), guard or Guard())
        return TestClient(app, raise_server_exceptions=False, client=(host, 50000))

    def send(self, *files: bytes, path: str = "/studies", **options: Any) -> Response:
        """The answer to a request with these files."""
        return self.client(**options).post(path, content=body(*files), headers={"Content-Type": TYPE})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.index.close()


def test_all_stored_is_200_and_names_every_instance(place: Place) -> None:
    answer = place.send(a_file("1.2.1"), a_file("1.2.2"))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    assert uids(answer, REFERENCED) == ["1.2.1", "1.2.2"]
    assert FAILED not in answer.json()
    assert {place.files.path(one.key).read_bytes() for one in place.index.instances(STUDY)} == {
        a_file("1.2.1"),
        a_file("1.2.2"),
    }


def test_the_same_request_again_changes_nothing(place: Place) -> None:
    place.send(a_file("1.2.1"))

    assert place.send(a_file("1.2.1")).status_code == 200
    assert place.index.counts().instances == len(list(place.files.received_keys())) == 1


def test_some_refused_is_202_with_the_reasons(place: Place) -> None:
    foreign = file_head("1.2.3", "1.2.8", EXPLICIT) + encode(an_image("1.2.8"))
    answer = place.send(a_file("1.2.1"), file_head(MR, "1.2.9", EXPLICIT) + b"nonsense", foreign, b"no DICOM at all")

    assert answer.status_code == 202
    assert uids(answer, REFERENCED) == ["1.2.1"]
    assert uids(answer, FAILED) == ["1.2.9", "1.2.8"]
    assert reasons(answer, FAILED) == [0xC000, 0x0122]
    assert reasons(answer, OTHER) == [0xC000]


def test_all_refused_is_409(place: Place) -> None:
    answer = place.send(file_head(MR, "1.2.9", EXPLICIT) + b"nonsense")

    assert (answer.status_code, uids(answer, FAILED)) == (409, ["1.2.9"])
    assert list(place.files.received_keys()) == []


def test_no_room_is_503_and_comes_with_a_time_to_wait(place: Place) -> None:
    answer = place.send(a_file("1.2.1"), min_free=10**18)

    assert (answer.status_code, reasons(answer, FAILED)) == (503, [0xA700])
    assert int(answer.headers["retry-after"]) > 0


def test_an_instance_of_another_study_than_the_address_is_refused(place: Place) -> None:
    answer = place.send(a_file("1.2.1"), a_file("1.2.2", {"StudyInstanceUID": "1.2.99"}), path=f"/studies/{STUDY}")

    assert answer.status_code == 202
    assert (uids(answer, REFERENCED), uids(answer, FAILED), reasons(answer, FAILED)) == (["1.2.1"], ["1.2.2"], [0xA900])


def test_a_body_that_breaks_off_keeps_what_was_whole(place: Place) -> None:
    whole = body(a_file("1.2.1"), a_file("1.2.2"))
    answer = place.client().post("/studies", content=whole[:-200], headers={"Content-Type": TYPE})

    assert (answer.status_code, uids(answer, REFERENCED), reasons(answer, OTHER)) == (202, ["1.2.1"], [0xC000])
    assert len(list(place.files.received_keys())) == 1
    assert list((place.files.root / "incoming").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"no multipart", {}, 400, "malformed-body"),
        (b"--b1--\r\n", {}, 400, "malformed-body"),
        (b"", {}, 400, "malformed-body"),
        (b"x", {"Content-Type": 'multipart/related; type="application/dicom"'}, 400, "malformed-body"),
        (b"x", {"Content-Type": "application/dicom"}, 415, "unsupported-media-type"),
        (
            b"x",
            {"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=b1'},
            415,
            "unsupported-media-type",
        ),
        (b"x", {"Content-Encoding": "gzip"}, 415, "unsupported-media-type"),
        (b"x", {"Accept": "application/dicom+xml"}, 406, "not-acceptable"),
        (b"x" * 2000, {}, 413, "too-large"),
        (b"x", {"Origin": "https://elsewhere.example"}, 403, "forbidden"),
    ],
)
def test_what_cannot_be_taken_is_a_problem(
    place: Place, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = place.client(longest=1000).post("/studies", content=content, headers={"Content-Type": TYPE} | headers)

    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:cryomargin:problem:{code}")
    assert place.index.counts().instances == 0


def test_a_body_of_unknown_length_is_stopped_at_the_limit(place: Place) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    answer = place.client(longest=1000).post("/studies", content=endless(), headers={"Content-Type": TYPE})
    assert answer.status_code == 413


def test_a_part_of_another_type_is_refused(place: Place) -> None:
    content = body(b"{}", kind="application/dicom+json")
    answer = place.client().post("/studies", content=content, headers={"Content-Type": TYPE})

    assert (answer.status_code, reasons(answer, OTHER)) == (409, [0xC000])


@pytest.mark.parametrize(
    ("tokens", "allowed", "host", "said", "status"),
    [
        ((), (), "127.0.0.1", "", 200),
        ((), (), "::1", "", 200),
        ((), (), "::ffff:127.0.0.1", "", 200),
        ((), (), "192.0.2.7", "", 403),
        ((), (), "testclient", "", 403),
        ((), ("192.0.2.0/24",), "192.0.2.7", "", 200),
        ((), ("192.0.2.0/24",), "127.0.0.1", "", 403),
        ((), ("192.0.2.0/24",), "198.51.100.7", "", 403),
        ((TOKEN,), (), "198.51.100.7", f"Bearer {TOKEN}", 200),
        (("another token of the list", TOKEN), (), "198.51.100.7", f"bearer {TOKEN}", 200),
        ((TOKEN,), (), "127.0.0.1", "", 401),
        ((TOKEN,), (), "127.0.0.1", f"Bearer {TOKEN[:-1]}", 401),
        ((TOKEN,), (), "127.0.0.1", f"Basic {TOKEN}", 401),
        ((TOKEN,), ("192.0.2.0/24",), "192.0.2.7", f"Bearer {TOKEN}", 200),
        ((TOKEN,), ("192.0.2.0/24",), "192.0.2.7", "", 401),
        ((TOKEN,), ("192.0.2.0/24",), "198.51.100.7", f"Bearer {TOKEN}", 403),
    ],
)
def test_nobody_stores_who_is_not_let_in(
    place: Place, tokens: tuple[str, ...], allowed: tuple[str, ...], host: str, said: str, status: int
) -> None:
    client = place.client(Guard(tokens, networks(allowed)), host=host)
    headers = {"Content-Type": TYPE} | ({"Authorization": said} if said else {})
    answer = client.post("/studies", content=body(a_file("1.2.1")), headers=headers)

    assert answer.status_code == status
    assert place.index.counts().instances == (1 if status == 200 else 0)
    assert TOKEN not in answer.text


def test_a_study_waits_for_the_end_of_the_request(place: Place) -> None:
    place.send(a_file("1.2.1"))

    (activity,) = place.index.activities()
    assert activity.open_associations == 0
    assert activity.last_released_at is not None


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The real service with STOW-RS, without worker and page."""
    wanted = settings_in(tmp_path, dicomweb=DicomWeb(port=free_port()))
    made = Service(wanted, Parts(worker=False, web=False))
    made.start()
    yield made
    made.stop()


def test_a_sender_that_goes_away_leaves_nothing_behind(service: Service) -> None:
    place = urlsplit(service.stow_address)
    begun = body(a_file("1.2.1"))[:-50]
    head = f"POST /studies HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: {TYPE}\r\nContent-Length: 9999999\r\n\r\n"
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        connection.sendall(head.encode() + begun)
        assert eventually(lambda: service.index.counts().open_associations == 1)

    assert eventually(lambda: service.index.counts().open_associations == 0)
    assert service.index.counts().instances == 0
    assert list((service.files.root / "incoming").iterdir()) == []


def test_a_large_body_costs_no_memory(service: Service) -> None:
    """The process that takes 96 MB in, and sends them, grows by a fraction of that."""
    place, size = urlsplit(service.stow_address), 96 << 20
    connection = HTTPConnection(place.hostname or "", place.port, timeout=120)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew: proc(5)
    before = high_water_mb()
    connection.request("POST", "/studies", large_body(size), {"Content-Type": TYPE}, encode_chunked=True)
    answer = connection.getresponse()
    answer.read()
    connection.close()

    assert answer.status == 200
    assert service.index.instances(STUDY)[0].size > size
    assert high_water_mb() - before < 32


@pytest.mark.peer
def test_dicomweb_client_stores(service: Service) -> None:
    """Pydicom's own client: with and without a study in the address; what fails is what it says failed."""
    from dicomweb_client.api import DICOMwebClient
    from pydicom import dcmread
    from pydicom.filebase import DicomBytesIO

    client = DICOMwebClient(service.stow_address.removesuffix("/studies"))
    images = [dcmread(DicomBytesIO(a_file(f"1.2.{number}"))) for number in range(1, 6)]
    stored = client.store_instances(images[:3])
    within = client.store_instances(images[3:], study_instance_uid=STUDY)

    assert [len(answer.ReferencedSOPSequence) for answer in (stored, within)] == [3, 2]
    assert service.index.counts().instances == 5


@pytest.mark.peer
def test_orthanc_sends_by_its_dicomweb_plugin(service: Service, tmp_path: Path) -> None:
    archive = Orthanc(tmp_path / "orthanc", 1, stow=service.stow_address.removesuffix("studies"))
    archive.start()
    try:
        paths = [tmp_path / f"{number}.dcm" for number in range(1, 11)]
        for number, path in enumerate(paths, 1):
            path.write_bytes(a_file(f"1.2.{number}"))
        (name,) = {archive.keep(path) for path in paths}
        assert archive.stow_to_service(name) == "Success"
    finally:
        archive.stop()

    assert service.index.counts().instances == 10
    assert service.index.counts().conflicts == 0
