"""The service as an operator runs it: a process with a configuration file, watched through its API.

It begins as a fork of a process that has loaded its libraries, as some thirty are started and loading takes longer than most
journeys; tests/test_cli.py starts it by its command line.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from service.cli import main
from service.store.records import ENDED
from tests.journey.waiting import eventually, free_port

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["service.cli", "service.app", "service.dicom.listener", "service.jobs.engine", "service.web.app"])

LAST_WORDS = ("done", "unusable", "failed")
ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
[storage]
folder = {folder}
minimum_free_mb = 1
[listener]
port = {dicom}
[completion]
quiet_s = 300.0
quiet_after_release_s = {quiet_s}
[delivery]
first_pause_s = 0.5
longest_pause_s = 2.0
[web]
port = {web}
[worker]
self_test = false
[[destination]]
name = "archive"
address = "ORTHANC@127.0.0.1:{archive}"
verify = "{verify}"
"""


class Running:
    """`archive` is the port that results go to; `quiet_s` how long after the sender's release a study is complete.

    `verify` is how the archive is asked for them; for "commitment" it must know `port`.
    """

    def __init__(self, folder: Path, *, port: int, archive: int, quiet_s: float, verify: str = "find") -> None:
        self.port = port
        self.storage = folder / "storage"
        self._web = free_port()
        self._config = folder / "service.toml"
        self._log = folder / "service.log"
        self._process: ForkServerProcess | None = None
        folder.mkdir(parents=True)
        text = CONFIG.format(
            folder=json.dumps(str(self.storage)),
            dicom=port,
            quiet_s=float(quiet_s),
            web=self._web,
            archive=archive,
            verify=verify,
        )
        self._config.write_text(text)

    def start(self, **environment: str) -> None:
        """Start and wait until every part says that it serves; variables override the configuration."""
        self._process = FORKS.Process(target=_serve, args=(self._config, self._log, environment))
        self._process.start()
        eventually(self._is_ready, lambda ready: ready, 120)

    def kill(self) -> None:
        """End the service and all processes below it as a power cut would; returns when none of them is left."""
        pids = [self.pid, *descendants(self.pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._running().join()
        self._process = None
        eventually(lambda: [pid for pid in pids if _lives(pid)], lambda left: not left, 30)

    def terminate(self) -> int:
        """SIGTERM; gives the exit status."""
        process = self._running()
        process.terminate()
        process.join(180)
        if process.exitcode is None:
            os.kill(self.pid, signal.SIGUSR1)  # where every thread stands, into the log
            time.sleep(1)
            raise AssertionError(f"The service does not stop:\n{self.log()[-20_000:]}")
        self._process = None
        return process.exitcode

    def stop(self) -> None:
        """For the end of a test, whatever state it is in."""
        if self._process is not None and self._process.exitcode is None:
            self.kill()

    def study(self, study_uid: str) -> dict[str, Any] | None:
        """What the API says about a study; None when it has not heard of it."""
        status, answer = self.get(f"/api/v1/studies/{study_uid}")
        assert status in (200, 404), answer
        return answer if status == 200 else None

    def settled(self, study_uid: str, versions: int = 1) -> dict[str, Any]:
        """The study once its newest content has ended, with the last line of its history, which follows the state."""

        def good(seen: dict[str, Any] | None) -> bool:
            if seen is None or len(seen["versions"]) < versions:
                return False
            # The last word may be one about older content, which ended while the newest was being analysed.
            return seen["state"] in ENDED and seen["events"][-1]["word"] in LAST_WORDS

        seen = eventually(lambda: self.study(study_uid), good)
        assert seen is not None
        return seen

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON."""
        connection = HTTPConnection("127.0.0.1", self._web, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        pid = self._running().pid
        assert pid is not None
        return pid

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text(errors="replace")

    def _is_ready(self) -> bool:
        status = self._running().exitcode
        assert status is None, f"The service ended with {status}:\n{self.log()[-2000:]}"
        try:
            return self.get("/api/v1/health/ready")[0] == 200
        except OSError:
            return False

    def _running(self) -> ForkServerProcess:
        assert self._process is not None
        return self._process


def _serve(config: Path, log: Path, environment: dict[str, str]) -> None:
    """`cryomargin run` in a session of its own, with what it writes in its log."""
    os.setsid()
    os.chdir(ROOT)
    os.environ.update(environment)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(written, stream.fileno())
    sys.argv = ["cryomargin", "run", "--config", str(config)]
    main()


def descendants(pid: int) -> Iterator[int]:
    """The processes below one, whatever session they made for themselves."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[1]) == pid:
                child = int(stat.parent.name)
                yield child
                yield from descendants(child)


def _lives(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
