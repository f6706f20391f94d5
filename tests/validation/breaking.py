"""`just soak-breaking`: peers that break off in every way they can, and what a listener has left of them afterwards.

The gate does sixty of them (`tests/dicom/test_fast.py`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cyclopts
from rich.console import Console
from rich.markdown import Markdown

from tests.benchmarks.pump import data_set
from tests.dicom.raw import ABORT, DATA, STORE, Raw, associate_request, echo, p_data, pdu
from tests.journey.waiting import eventually
from tests.validation import evidence

IMAGE = data_set(182_000)
_ECHO_EVERY = 20
_SLOWEST_S = 1.0

WAYS: dict[str, Callable[[Raw], object]] = {
    "HTTP": lambda peer: peer.send(b"GET / HTTP/1.1\r\n\r\n"),
    "a megabyte of random bytes": lambda peer: peer.send(os.urandom(1_000_000)),
    "half of a request": lambda peer: peer.send(associate_request()[:60]),
    "half of an object": lambda peer: peer.associate().send(p_data(STORE, control=3), p_data(IMAGE[:60_000])),
    "a PDU longer than agreed": lambda peer: peer.associate().send(p_data(STORE, control=3), pdu(DATA, bytes(200_000))),
    "A-ABORT": lambda peer: peer.associate().send(ABORT),
}


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: threads, descriptors, memory (resident, MB)."""

    threads: int
    descriptors: int
    resident_mb: int


def break_off(address: tuple[str, int], number: int) -> None:
    """One peer that breaks off; the number decides how, and whether it closes its connection or resets it."""
    peer = Raw(address)
    tuple(WAYS.values())[number % len(WAYS)](peer)
    peer.reset() if number % 5 else peer.close()


def main(breaks: int = 1000, *, write: bool = True) -> None:
    """Break off so often, print the figures and put them into docs/evidence.md; the exit status says whether all is well."""
    started, slowest = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory(prefix="breaking-") as place, _listening(Path(place)) as (address, pid):
        for number in range(len(WAYS) * 5):  # all ways once, with a reset and with a close: what is kept for good is kept now
            break_off(address, number)
        before = _at_rest(pid)
        for number in range(breaks):
            break_off(address, number)
            if number % _ECHO_EVERY == 0:
                slowest = max(slowest, _echo_s(address))
        after = _at_rest(pid, before)
        left = [path for path in (Path(place) / "content").rglob("*") if path.suffix in (".part", ".dcm")]
    rows = [
        (f"peers that broke off: {', '.join(WAYS)}", str(breaks)),
        (f"an echo beside them, slowest of {-(-breaks // _ECHO_EVERY)}", f"{1000 * slowest:.0f} ms"),
        ("threads before and after", f"{before.threads}, {after.threads}"),
        ("descriptors before and after", f"{before.descriptors}, {after.descriptors}"),
        ("resident before and after (MB)", f"{before.resident_mb}, {after.resident_mb}"),
        ("files left of them", str(len(left))),
    ]
    stamp = evidence.stamp(f"just soak-breaking --breaks {breaks}", time.monotonic() - started)
    body = f"{stamp}\n\n{evidence.table(('what', 'result'), rows)}"
    Console().print(Markdown(body))
    if write:
        evidence.replace("soak-breaking", body)
    leaks = after.threads > before.threads or after.descriptors > before.descriptors
    sys.exit(1 if leaks or left or slowest > _SLOWEST_S else 0)


def held(pid: int) -> Held:
    """What a process holds now: proc(5)."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Held(int(status["Threads"]), descriptors, int(status["VmRSS"].split()[0]) // 1024)


def _at_rest(pid: int, before: Held | None = None) -> Held:
    """Once nothing goes away any more; with `before`, as soon as no more is held than then."""
    deadline, now = time.monotonic() + 30, held(pid)
    while time.monotonic() < deadline:
        if before and now.threads <= before.threads and now.descriptors <= before.descriptors:
            break
        time.sleep(3 if before is None else 0.5)
        last, now = now, held(pid)
        if before is None and (last.threads, last.descriptors) == (now.threads, now.descriptors):
            break
    return now


def _echo_s(address: tuple[str, int]) -> float:
    began = time.monotonic()
    if not echo(address):
        raise RuntimeError("an echo was not answered")
    return time.monotonic() - began


@contextmanager
def _listening(folder: Path) -> Iterator[tuple[tuple[str, int], int]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "tests.dicom.serve", str(folder)], stdout=log, stderr=log)
    try:
        eventually((folder / "port").exists, bool)
        yield ("127.0.0.1", int((folder / "port").read_text())), process.pid
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    cyclopts.run(main)
