"""Orthanc as the hospital's archive: a process of our own with its REST API."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread

from service.codes import DEVICE_UID
from tests.journey.waiting import eventually, free_port
from tests.peers import require_program

AE_TITLE = "ORTHANC"
OUR_NAME = "cryomargin"
ENDS = ("Success", "Failure")
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


class Orthanc:
    """Loopback only, storage in `folder`; `service_port` is where the modality "cryomargin" listens, `stow` its STOW-RS."""

    def __init__(self, folder: Path, service_port: int, plugins: Sequence[str] = (), *, stow: str = "") -> None:
        self._folder = folder
        self._service_port = service_port
        self._plugins = (*plugins, PLUGIN) if stow else plugins
        self._stow = stow
        self.http = free_port()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dicom_web(self) -> str:
        """Where its plugin for DICOMweb answers."""
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers."""
        program = require_program("Orthanc", "/usr/sbin/Orthanc")
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "orthanc.json"
        config.write_text(json.dumps(self._config()))
        with (self._folder / "orthanc.log").open("wb") as log:
            # Without Nagle's algorithm: it would stall every instance for 40 ms on loopback.
            environment = os.environ | {"TCP_NODELAY": "1"}
            self._process = subprocess.Popen([program, str(config)], stdout=log, stderr=log, env=environment)
        eventually(self._answers, lambda answers: answers, 60)

    def stop(self) -> None:
        """End it as a service manager does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def keep(self, path: Path) -> str:
        """Put a file into the archive; gives Orthanc's name of its study."""
        return str(self._call("POST", "/instances", path.read_bytes())["ParentStudy"])

    def send_to_service(self, *names: str) -> Any:
        """The button "send to modality", for studies by Orthanc's names."""
        body = json.dumps({"Resources": list(names), "Synchronous": True}).encode()
        return self._call("POST", f"/modalities/{OUR_NAME}/store", body)

    def stow_to_service(self, *names: str) -> str:
        """The same over STOW-RS, by its plugin; gives how its job ended."""
        body = json.dumps({"Resources": list(names), "Synchronous": False}).encode()
        job = self._call("POST", f"/dicom-web/servers/{OUR_NAME}/stow", body)["ID"]
        return str(eventually(lambda: self._call("GET", f"/jobs/{job}")["State"], lambda state: state in ENDS, 60))

    def studies(self, study_uid: str) -> list[str]:
        """Orthanc's names of the studies with this UID: two mean that a patient was told apart wrongly."""
        query = {"Level": "Study", "Query": {"StudyInstanceUID": study_uid}}
        return list(self._call("POST", "/tools/find", json.dumps(query).encode()))

    def instances(self, study_uid: str) -> list[str]:
        """SOP Instance UIDs of a study, as often as they lie there."""
        query = {"Level": "Instance", "Expand": True, "Query": {"StudyInstanceUID": study_uid}}
        found = self._call("POST", "/tools/find", json.dumps(query).encode())
        return [str(one["MainDicomTags"]["SOPInstanceUID"]) for one in found]

    def counts(self, name: str) -> dict[str, int]:
        """Instances of a study by modality."""
        counts: dict[str, int] = {}
        for series in self._call("GET", f"/studies/{name}/series"):
            modality = series["MainDicomTags"]["Modality"]
            counts[modality] = counts.get(modality, 0) + len(series["Instances"])
        return counts

    def results(self, name: str, modality: str) -> list[bytes]:
        """The files in a study that the service made, oldest first."""
        keys = [
            key
            for series in self._call("GET", f"/studies/{name}/series")
            if series["MainDicomTags"]["Modality"] == modality
            for key in series["Instances"]
        ]
        files = [self._ask("GET", f"/instances/{key}/file") for key in keys]
        return sorted((file for file in files if is_ours(read(file))), key=_made_at)

    def _config(self) -> dict[str, Any]:
        storage = str(self._folder / "storage")
        modality = {"AET": "CRYOMARGIN", "Host": "127.0.0.1", "Port": self._service_port, "AllowStorageCommitment": True}
        servers = {OUR_NAME: [self._stow]} if self._stow else {}
        return {
            "Name": "Archive of the journey tests",
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "DicomAet": AE_TITLE,
            "DicomPort": self.port,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowFind": True,
            "DicomModalities": {OUR_NAME: modality},
            "Plugins": list(self._plugins),
            "DicomWeb": {"Enable": bool(self._plugins), "Root": "/dicom-web/", "Servers": servers},
        }

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "orthanc.log").read_text(errors="replace")
        try:
            self._ask("GET", "/system")
        except OSError:
            return False
        return True

    def _call(self, method: str, path: str, body: bytes = b"") -> Any:
        return json.loads(self._ask(method, path, body))

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = HTTPConnection("127.0.0.1", self.http, timeout=120)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, (path, content)
        return content


def read(file: bytes) -> Dataset:
    """The header of a file."""
    return dcmread(BytesIO(file), stop_before_pixels=True)


def is_ours(header: Dataset) -> bool:
    """Whether the service made it."""
    return str(header.get("DeviceUID")) == DEVICE_UID


def _made_at(file: bytes) -> str:
    header = read(file)
    return f"{header.ContentDate}{header.ContentTime}"
