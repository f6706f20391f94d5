"""Listener, worker and web as processes of their own, which die and are started again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.journey.running import ROOT, descendants
from tests.journey.waiting import free_port
from tests.validation.engine.server import Server

READY = re.compile(rb"timestamp=(\S+) level=\w+ event=started")
HEARTBEAT_S = 3.0
WORKERS = ["worker-1", "worker-2", "worker-3"]
TOGETHER = ["listener", *WORKERS, "web"]
CONFIG = """
[storage]
folder = {folder}
minimum_free_mb = 1
[listener]
port = {dicom}
[completion]
quiet_s = 60.0
quiet_after_release_s = 0.5
[analysis]
attempts = 20
[delivery]
first_pause_s = 0.5
longest_pause_s = 2.0
[web]
port = {web}
[worker]
self_test = false
heartbeat_s = {heartbeat}
[[destination]]
name = "archive"
address = "{archive}"
verify = "{verify}"
verify_within_s = {within}
"""


@dataclass(slots=True)
class Part:
    """One process; `serving` are the seconds that it took each time to serve again after it was killed."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    serving: list[float] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    mark: int = 0
    noted: bool = True

    def start(self) -> None:
        """Start; what the process before wrote stays in the log."""
        self.mark = self.log.stat().st_size if self.log.exists() else 0
        self.began, self.noted = time.time(), False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, cwd=ROOT, start_new_session=True, env=os.environ | self.environment
            )

    def is_ready(self) -> bool:
        """Whether this process serves; one that ended by itself is started again, as a supervisor does."""
        if self.process is not None and self.process.poll() is not None:
            self.start()
        ready = READY.search(self.log.read_bytes(), self.mark) if self.log.exists() else None
        if ready is not None and not self.noted:  # by its own clock: nobody may have looked for a long time
            self.serving.append(datetime.fromisoformat(ready[1].decode()).timestamp() - self.began)
            self.noted = True
        return ready is not None

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is None:
            return
        for pid in (self.process.pid, *descendants(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def has_child(self) -> bool:
        """Whether there is a process below it: the one that forks analyses, or an analysis."""
        return self.process is not None and next(descendants(self.process.pid), None) is not None

    def kill_child(self) -> bool:
        """Its analysis alone; False when it has none now."""
        below = list(descendants(self.process.pid)) if self.process else []
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(below)


class Parts:
    """A listener, workers and a web process on one storage.

    Several workers share the databases of a server; without one these rest in the storage folder, and there is one worker.
    """

    def __init__(  # noqa: PLR0913 what tests set of it has names
        self,
        folder: Path,
        archive: str,
        *,
        port: int,
        verify: str,
        pretend_s: float = 0.5,
        within_s: float = 20.0,
        shared: Server | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.notes = port, folder / "notes.txt"
        self.storage = folder / "storage"
        self._config = folder / "service.toml"
        self._config.write_text(
            CONFIG.format(
                folder=json.dumps(str(self.storage)),
                dicom=port,
                web=free_port(),
                archive=archive,
                verify=verify,
                within=within_s,
                heartbeat=HEARTBEAT_S,
            )
        )
        environment = {"PRETEND_NOTES": str(self.notes), "PRETEND_S": str(pretend_s)}
        self.workers = WORKERS if shared else ["worker"]
        commands = {"listener": "listen", **dict.fromkeys(self.workers, "work"), "web": "web"}
        self.all = {
            name: Part(
                name,
                [*(shared.hosts.command(name) if shared and shared.hosts else ()), *self._command(command)],
                environment | {"CRYOMARGIN_WORKER__NAME": name} | (shared.environment(name) if shared else {}),
                folder / f"{name}.log",
            )
            for name, command in commands.items()
        }

    def start(self) -> None:
        """Start all and wait until they serve."""
        for part in self.all.values():
            part.start()
        self.wait()

    def wait(self, seconds: float = 240.0) -> None:
        """Until all serve."""
        deadline = time.monotonic() + seconds
        while late := [name for name, part in self.all.items() if not part.is_ready()]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all parts serve: {', '.join(late)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End all."""
        for part in self.all.values():
            part.kill()

    def analyses(self) -> Iterator[tuple[str, str]]:
        """Word (begin, end) and version of every note that the analyses left."""
        for line in self.notes.read_text().splitlines() if self.notes.exists() else ():
            word, _, name = line.partition(" ")
            yield word, name

    def _command(self, command: str) -> list[str]:
        return [sys.executable, "-m", "tests.validation.engine.pretend", command, "--config", str(self._config)]
