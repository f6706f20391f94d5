"""`just bench-stow`: one large object over STOW-RS, and how much memory the process that takes it has resident.

`cryomargin listen` in a process of its own, the body made while it is sent; Orthanc's DICOMweb plugin takes the same body.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import cyclopts
from pydicom.uid import generate_uid
from rich.console import Console
from rich.markdown import Markdown

from service.dicom.reception import file_head
from tests.dicom.wire import EXPLICIT, MR, an_image, encode
from tests.journey.orthanc import Orthanc
from tests.journey.waiting import eventually, free_port
from tests.validation import evidence

BOUNDARY = b"b1"
TYPE = 'multipart/related; type="application/dicom"; boundary=b1'
GOAL_MB = 128
PIECE = bytes(1 << 16)

CONFIG = """
[storage]
folder = "{folder}/storage"
minimum_free_mb = 1
[listener]
port = {dicom}
[dicomweb]
port = {web}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """One body: seconds until its answer, and the most that the process had resident before it and at all, MB."""

    seconds: float
    idle_mb: int
    peak_mb: int


def large_body(size: int) -> Iterator[bytes]:
    """A multipart body with one instance that has `size` bytes of pixels, a piece at a time."""
    uid = generate_uid()
    dataset = encode(an_image(uid, {"PixelData": None}))
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, size)
    yield b"--" + BOUNDARY + b"\r\nContent-Type: application/dicom\r\n\r\n"
    yield file_head(MR, uid, EXPLICIT) + dataset + pixels
    for _ in range(size // len(PIECE)):
        yield PIECE
    yield b"\r\n--" + BOUNDARY + b"--\r\n"


def main(*, mb: int = 1024, peer_mb: int = 128, repeats: int = 3) -> None:
    """Time and memory of an object of `mb` MB, `repeats` times; the peer, which is slow, in turn with one of `peer_mb` MB.

    Writes docs/evidence.md.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cryomargin-bench-") as place:
        rows = [*_compare(Path(place), mb, peer_mb, repeats)]
    text = "\n\n".join(
        [
            evidence.stamp("just bench-stow", time.monotonic() - started),
            f"One instance, {repeats} times for each in turn, medians; goal: {GOAL_MB} MB resident for 1 GB:",
            evidence.table(("receiver", "instance (MB)", "MB/s", "resident before (MB)", "most resident (MB)"), rows),
        ]
    )
    Console().print(Markdown(text))
    evidence.replace("stow", text)


def _compare(folder: Path, mb: int, peer_mb: int, repeats: int) -> Iterator[tuple[str, ...]]:
    ours: list[Taken] = []
    theirs: list[Taken] = []
    for number in range(repeats):
        with _listening(folder / f"ours-{number}") as (port, pid):
            ours.append(_send(port, "/studies", mb << 20, pid))
        with _orthanc(folder / f"orthanc-{number}") as (port, pid):
            theirs.append(_send(port, "/dicom-web/studies", peer_mb << 20, pid))
    for name, size, taken in (("Cryomargin, durable", mb, ours), ("Orthanc, DICOMweb plugin", peer_mb, theirs)):
        speed = median((size << 20) / one.seconds / 1e6 for one in taken)
        memory = (str(max(one.idle_mb for one in taken)), str(max(one.peak_mb for one in taken)))
        yield name, str(size), f"{speed:.0f}", *memory


def _send(port: int, path: str, size: int, pid: int) -> Taken:
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    idle, started = high_water_mb(pid), time.monotonic()
    connection.request("POST", path, large_body(size), {"Content-Type": TYPE}, encode_chunked=True)
    answer = connection.getresponse()
    answer.read()
    seconds = time.monotonic() - started
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path} was answered with {answer.status}")
    return Taken(seconds, idle, high_water_mb(pid))


def high_water_mb(pid: int | str = "self") -> int:
    """The most memory that a process had resident: proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


@contextmanager
def _listening(folder: Path) -> Iterator[tuple[int, int]]:
    folder.mkdir()
    port = free_port()
    config = folder / "service.toml"
    config.write_text(CONFIG.format(folder=folder, dicom=free_port(), web=port))
    command = [sys.executable, "-m", "service", "listen", "--config", str(config)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            eventually(_open(port), lambda answers: answers, 120)
            yield port, process.pid
        finally:
            process.terminate()


@contextmanager
def _orthanc(folder: Path) -> Iterator[tuple[int, int]]:
    archive = Orthanc(folder, 1, stow="http://127.0.0.1:1/")
    archive.start()
    try:
        yield archive.http, archive.pid
    finally:
        archive.stop()


def _open(port: int) -> Callable[[], bool]:
    def answers() -> bool:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    return answers


if __name__ == "__main__":
    cyclopts.run(main)
