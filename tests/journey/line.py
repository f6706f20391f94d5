"""Senders of other people, and a line to the archive that is slow."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.peers import require_program

CALLED = "CRYOMARGIN"
PART = 4096


def dcmtk(name: str) -> str:
    """A program of DCMTK; pynetdicom puts programs of the same names beside the interpreter."""
    ours = Path(sys.executable).parent
    folders = [folder for folder in os.get_exec_path() if Path(folder) != ours]
    return require_program(shutil.which(name, path=os.pathsep.join(folders)) or f"{name} of DCMTK")


def dcmsend(paths: Sequence[Path], port: int, called: str = CALLED) -> None:
    """Send with DCMTK's dcmsend; everything must be taken."""
    done = subprocess.run(
        [dcmtk("dcmsend"), "-v", "-aet", "MODALITY", "-aec", called, "127.0.0.1", str(port), *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert f"* with status SUCCESS : {len(paths)}" in " ".join(said.replace("I: ", "").split()), said[-2000:]


def storescu(paths: Sequence[Path], port: int) -> list[Path]:
    """Send with DCMTK's storescu, on one association, which may break off; gives what was acknowledged with success."""
    with Sending(paths, port) as sending:
        return sending.acknowledged()


class Sending:
    """A storescu at work; leaving the context ends it."""

    def __init__(self, paths: Sequence[Path], port: int) -> None:
        command = [dcmtk("storescu"), "-v", "-R", "-aet", "MODALITY", "-aec", CALLED, "127.0.0.1", str(port)]
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            [*command, *map(str, paths)], stdout=self._said, stderr=subprocess.STDOUT, env=_environment()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()

    def acknowledged(self) -> list[Path]:
        """What was answered with success by the time it ended."""
        self._process.wait(240)
        self._said.seek(0)
        return list(_acknowledged(self._said.read()))


def _acknowledged(said: str) -> Iterator[Path]:
    path = Path()
    for line in said.splitlines():
        if "Sending file: " in line:
            path = Path(line.partition("Sending file: ")[2])
        elif "Received Store Response (Success)" in line:
            yield path


def _environment() -> dict[str, str]:
    """DCMTK leaves Nagle's algorithm on, which stalls every instance for 40 ms on loopback."""
    return os.environ | {"TCP_NODELAY": "1"}


class SlowLine:
    """Passes connections on to `port`, `pause_s` for each 4 KiB on the way there: time for something to happen."""

    def __init__(self, port: int, pause_s: float) -> None:
        self._far = port
        self._pause_s = pause_s
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection(("127.0.0.1", self._far)) as far:
            back = threading.Thread(target=_pass_on, args=(far, near, 0.0), daemon=True)
            back.start()
            _pass_on(near, far, self._pause_s)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket, pause_s: float) -> None:
    with suppress(OSError):
        while part := source.recv(PART):
            target.sendall(part)
            time.sleep(pause_s)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
