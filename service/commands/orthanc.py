"""Orthanc as the archive of the demonstration, where it is installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from service.dicom.archive import Archived
from service.dicom.query import Reference
from service.errors import TryAgain

STARTS_WITHIN_S = 30.0


def find_orthanc() -> str:
    """The program.

    Raises:
        TryAgain: It is not installed.
    """
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise TryAgain("demo.orthanc", "Orthanc is not installed (Debian: apt install orthanc); leave --orthanc out")
    return program


class Orthanc:
    """An Orthanc of our own: loopback only, its storage in `folder`, stopped by us."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._program = find_orthanc()
        self._dicom, self._http = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """AETITLE@host:port."""
        return f"ORTHANC@127.0.0.1:{self._dicom}"

    def start(self) -> None:
        """Start and wait until it answers.

        Raises:
            TryAgain: It ended, or did not answer in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "orthanc.json"
        config.write_text(json.dumps(self._config()), encoding="utf-8")
        with (self.folder / "orthanc.log").open("wb") as log:
            self._process = subprocess.Popen([self._program, str(config)], stdout=log, stderr=log)  # noqa: S603
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise TryAgain("demo.orthanc", f"Orthanc did not start; see {self.folder / 'orthanc.log'}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def stored(self) -> tuple[Archived, ...]:
        """What it holds; the files are copied out of it."""
        return tuple(self._archived(key) for key in self._get_json("/instances"))

    def _archived(self, key: str) -> Archived:
        tags = self._get_json(f"/instances/{key}/simplified-tags")
        path = self.folder / f"{key}.dcm"
        path.write_bytes(self._get(f"/instances/{key}/file"))
        reference = Reference(tags["StudyInstanceUID"], tags["SeriesInstanceUID"], tags["SOPInstanceUID"])
        return Archived(reference, tags["SOPClassUID"], path, 1)

    def _config(self) -> dict[str, Any]:
        storage = str(self.folder / "storage")
        return {
            "Name": "Cryomargin demonstration",
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "DicomAet": "ORTHANC",
            "DicomPort": self._dicom,
            "HttpPort": self._http,
            "RemoteAccessAllowed": False,
            "DicomAlwaysAllowFind": True,
            "DicomModalities": {},
            "Plugins": [],
        }

    def _answers(self) -> bool:
        try:
            self._get("/system")
        except OSError:
            return False
        return True

    def _get_json(self, path: str) -> Any:
        return json.loads(self._get(path))

    def _get(self, path: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self._http, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
