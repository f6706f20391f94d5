"""Who receives in `just bench-receive`: our listener in a process of its own, DCMTK's storescp, and Orthanc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.dicom.raw import echo
from tests.journey.waiting import eventually, free_port
from tests.peers import require_program

AE_TITLE = "CRYOMARGIN"
STARTS_WITHIN_S = 240.0
FAST = {"TCP_NODELAY": "1"}  # DCMTK leaves Nagle's algorithm on, which stalls every instance


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver at a port of this machine."""

    name: str
    port: int
    pid: int

    def processor_s(self) -> float:
        """Processor seconds that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        """The most memory that it has held (resident)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@contextmanager
def ours(
    folder: Path, *, durable: bool = True, fast: bool = True, certificate: Path | None = None, clocked: bool = False
) -> Iterator[Receiver]:
    """Our listener; without durability (for comparisons only) it syncs nothing and has no index."""
    words = [str(folder), str(durable), str(fast), str(certificate or ""), str(clocked)]
    ready = folder / "port"
    with _process([sys.executable, "-m", "tests.benchmarks.listening", *words], folder, {}) as process:
        eventually(ready.exists, bool, STARTS_WITHIN_S)
        yield Receiver("cryomargin", int(ready.read_text()), process.pid)


@contextmanager
def storescp(folder: Path, *, nodelay: bool = True) -> Iterator[Receiver]:
    """DCMTK's receiver: a process for each association, nothing synced, no index."""
    program, port = require_program("storescp"), free_port()
    command = [program, "--fork", "-pdu", "131072", "+B", "-od", str(folder), "-aet", AE_TITLE, str(port)]
    with _process(command, folder, FAST if nodelay else {}) as process:
        yield _answering(Receiver("storescp", port, process.pid))


@contextmanager
def orthanc(folder: Path, *, nodelay: bool = True) -> Iterator[Receiver]:
    """Orthanc as it is installed: its file is synced, its index is SQLite."""
    program, port = require_program("Orthanc", "/usr/sbin/Orthanc"), free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": AE_TITLE,
        "DicomPort": port,
        "HttpServerEnabled": False,
        "DicomThreadsCount": 16,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with _process([program, str(folder / "orthanc.json")], folder, FAST if nodelay else {}) as process:
        yield _answering(Receiver("Orthanc", port, process.pid))


def _answering(receiver: Receiver) -> Receiver:
    def answers() -> bool:
        try:
            return echo(("127.0.0.1", receiver.port))
        except (OSError, AssertionError):
            return False

    eventually(answers, bool, STARTS_WITHIN_S)
    return receiver


@contextmanager
def _process(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
