"""A running service, DCMTK that sends to it, and its API: what the tests with real input share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.app import Service
from service.dicom.destination import parse_destination
from service.settings import Analysis, Completion, ListenerTable, Settings, Storage, Web, Worker
from service.store.records import ENDED
from tests.peers import require_program

PATIENCE_S = 240


@contextmanager
def running(folder: Path) -> Iterator[Service]:
    """The whole service on free ports, with short quiet times and no destination."""
    service = Service(
        Settings(
            storage=Storage(folder=folder / "storage", minimum_free_mb=1),
            listener=ListenerTable(port=0),
            web=Web(port=0),
            completion=Completion(quiet_s=2.0, quiet_after_release_s=0.3),
            analysis=Analysis(parallel=2),
            worker=Worker(self_test=False, drain_s=1.0),
        )
    )
    service.start()
    try:
        yield service
    finally:
        service.stop()


def dcmsend(service: Service, paths: Sequence[Path]) -> str:
    """Send files with DCMTK, each as it is compressed; gives what the program said. Some files it may leave out."""
    place = parse_destination("service", service.listener_address)
    command = [_dcmtk("dcmsend"), "-v", "-aec", place.ae_title, "--decompress-never", "--no-halt", place.host, str(place.port)]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def ask(service: Service, path: str) -> Any:
    """The JSON that the API answers."""
    place = urlsplit(service.web_address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        connection.request("GET", f"/api/v1/{path}")
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status)
        return json.loads(answer.read())
    finally:
        connection.close()


def ended(service: Service, *, versions: int = 1) -> dict[str, Any]:
    """Every study as the API shows it, by its UID, once each has that many versions and the newest came to an end."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        lines = ask(service, "studies?limit=100")["items"]
        if lines and all(line["state"] in ENDED for line in lines):
            studies = {line["study_instance_uid"]: ask(service, f"studies/{line['study_instance_uid']}") for line in lines}
            if all(len(study["versions"]) >= versions for study in studies.values()):
                return studies
        assert time.monotonic() < deadline, lines
        time.sleep(0.2)


def _dcmtk(name: str) -> str:
    """A program of DCMTK; pynetdicom puts programs of the same names beside the interpreter."""
    ours = Path(sys.executable).parent
    folders = [folder for folder in os.get_exec_path() if Path(folder) != ours]
    return require_program(shutil.which(name, path=os.pathsep.join(folders)) or f"{name} of DCMTK")
