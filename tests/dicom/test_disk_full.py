"""A disk that fills up: refused before it is full, nothing half on it, everything else answers, and it goes on by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.dicom.destination import Caller, Destination
from service.dicom.header_scan import read_header
from service.dicom.listener import Listener, ListenerOptions
from service.dicom.sender import echo
from service.store.files import Files
from service.store.index import Index
from service.web.app import create_app
from service.web.info import ServiceInfo
from tests.dicom.wire import Sender, an_image, encode

MEGABYTE = 1 << 20
DISK = 24 * MEGABYTE
FULL = 0xA700


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 24 MB large."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.decode(errors='replace').strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


class Ward:
    """A listener whose store and index lie on the small disk, and what one can ask it."""

    def __init__(self, disk: Path, index: Index, min_free_bytes: int) -> None:
        self._disk = disk
        self.files = Files(disk / "content")
        self.index = index
        options = replace(ListenerOptions(port=0), min_free_bytes=min_free_bytes)
        self.listener = Listener(options, self.files, index, read_header, lambda: datetime.now(UTC))

    def send(self, megabytes: float = 1) -> int:
        """The status of one more image."""
        pixels = os.urandom(int(megabytes * MEGABYTE))
        image = an_image(changes={"PixelData": pixels})
        with Sender(self.listener.address) as sender:
            return int(sender.send(encode(image), str(image.SOPInstanceUID)).Status)

    def require_well(self) -> None:
        """Echo and API answer, and nothing half lies on the disk."""
        echo(Destination("ward", "CRYOMARGIN", *self.listener.address), Caller())
        client = TestClient(create_app(self.index, ServiceInfo("0")))
        assert client.get("/api/v1/studies").status_code == 200
        assert client.get("/").status_code == 200
        assert list((self.files.root / "incoming").iterdir()) == []

    def fill(self, but: int) -> Path:
        """Something else takes all of the disk but so many bytes."""
        filler = self._disk / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while (left := self.files.free_bytes() - but) > 0:
                file.write(b"x" * min(left, MEGABYTE))
        return filler


@pytest.fixture
def ward(disk: Path, request: pytest.FixtureRequest) -> Iterator[Ward]:
    with Index.open(f"sqlite:///{disk}/index.db") as index:
        ward = Ward(disk, index, request.param)
        ward.listener.start()
        yield ward
        ward.listener.stop(drain_s=0)


@pytest.mark.parametrize("ward", [8 * MEGABYTE], indirect=True)
def test_refused_before_the_disk_is_full_and_taken_again_when_there_is_room(ward: Ward) -> None:
    statuses = [ward.send() for _ in range(20)]
    taken = statuses.count(0)

    assert statuses == [0] * taken + [FULL] * (20 - taken)
    assert 8 <= taken <= 16
    assert ward.files.free_bytes() >= 7 * MEGABYTE
    ward.require_well()
    next(ward.files.path(key) for key in ward.files.received_keys()).unlink()
    assert ward.send(0.5) == 0
    assert ward.index.counts().instances == taken + 1


@pytest.mark.parametrize("ward", [0], indirect=True)
def test_a_disk_that_somebody_else_fills_leaves_nothing_half(ward: Ward) -> None:
    assert ward.send() == 0
    filler = ward.fill(but=MEGABYTE)
    kept = sorted(ward.files.received_keys())

    assert ward.send(2) == FULL
    assert sorted(ward.files.received_keys()) == kept
    ward.require_well()
    filler.unlink()
    assert ward.send(2) == 0


@pytest.mark.parametrize("ward", [4 * MEGABYTE], indirect=True)
def test_a_disk_without_a_byte_left_is_survived(ward: Ward) -> None:
    assert ward.send() == 0
    filler = ward.fill(but=0)

    assert ward.send() == FULL
    ward.require_well()
    filler.unlink()
    assert ward.send() == 0
    assert ward.index.counts().instances == 2
