"""`listen`, `work` and `web` as three processes on one storage do what `run` does in one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from service.dicom.archive import Archive
from service.dicom.destination import Caller, Destination
from service.dicom.sender import send
from service.errors import TryAgain
from tests.journey.conftest import Study
from tests.journey.running import ROOT
from tests.journey.waiting import eventually, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CONFIG = """
[storage]
folder = {folder}
minimum_free_mb = 1
[listener]
port = {dicom}
[completion]
quiet_after_release_s = 0.5
[web]
port = {web}
[worker]
self_test = false
[[destination]]
name = "archive"
address = "{archive}"
verify = "find"
"""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "archive")
    made.start()
    yield made
    made.stop()


def started(command: str, config: Path) -> subprocess.Popen[bytes]:
    """One part of the service as a process of its own."""
    with (config.parent / f"{command}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "service", command, "--config", str(config)], stdout=log, stderr=log, cwd=ROOT
        )


def state_of(web: int, study_uid: str) -> dict[str, Any]:
    """What the API says about the study; empty while it says nothing."""
    connection = HTTPConnection("127.0.0.1", web, timeout=60)
    try:
        connection.request("GET", f"/api/v1/studies/{study_uid}")
        answer = connection.getresponse()
        body: dict[str, Any] = json.loads(answer.read())
    except OSError:
        return {}
    finally:
        connection.close()
    return body if answer.status == 200 else {}


def test_three_processes_on_one_storage_finish_a_journey(
    tmp_path: Path, archive: Archive, new_study: Callable[[str], Study]
) -> None:
    dicom, web = free_port(), free_port()
    config = tmp_path / "service.toml"
    folder = json.dumps(str(tmp_path / "storage"))
    config.write_text(CONFIG.format(folder=folder, dicom=dicom, web=web, archive=archive.address))
    study = new_study("PARTS")
    with ExitStack() as parts:
        processes = [started(command, config) for command in ("listen", "work", "web")]
        for process in processes:
            parts.callback(process.kill)
        destination = Destination("service", "CRYOMARGIN", "127.0.0.1", dicom)
        eventually(lambda: _sent(study.paths, destination), lambda sent: sent, 120)

        seen = eventually(lambda: state_of(web, study.uid), lambda found: found.get("state") in {"done", "failed"})
        assert seen["state"] == "done", seen["sentence"]
        assert sorted(output["role"] for output in seen["outputs"]) == ["seg", "sr", "sr_places", "summary"]

        for process in processes:
            process.terminate()
        assert [process.wait(120) for process in processes] == [0, 0, 0]


def _sent(paths: list[Path], destination: Destination) -> bool:
    """Whether the listener was there and took everything."""
    try:
        return all(sent.error is None for sent in send(paths, destination, Caller("MODALITY")))
    except TryAgain:
        return False
