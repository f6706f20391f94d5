"""The command line as people and service managers meet it: as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.cli import DECODERS

pytestmark = pytest.mark.timeout(180)
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("CRYOMARGIN_")}
HEAVY = ("dbos", "pynetdicom", "fastapi", "uvicorn")


def cryomargin(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=ENVIRONMENT)


def loaded_by(code: str) -> set[str]:
    """Which of the heavy libraries are loaded after this code."""
    text = f"{code}\nimport sys\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=True, env=ENVIRONMENT
    )
    return set(done.stdout.splitlines()[-1].split())


def config(folder: Path, port: int, self_test: str = "false") -> Path:
    """A configuration with the given listener port and a free web port."""
    path = folder / "service.toml"
    path.write_text(
        f'[storage]\nfolder = "{folder}/storage"\nminimum_free_mb = 1\n[listener]\nport = {port}\n[web]\nport = 0\n'
        f"[worker]\nself_test = {self_test}\n"
    )
    return path


def test_help_loads_neither_engine_nor_network() -> None:
    code = "from service.cli import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass"
    assert loaded_by(code) == set()


def test_analyse_loads_neither_engine_nor_network(tmp_path: Path) -> None:
    code = f"from service.cli import app\ntry:\n    app(['analyse', {str(tmp_path)!r}])\nexcept SystemExit:\n    pass"
    assert loaded_by(code) == set()


NEVER = ("alembic", "httpx", "matplotlib", "scipy", "highdicom", "SimpleITK", "service.pipeline", "service.phantom")
ENGINE = ("dbos", "psycopg", "sqlalchemy.orm")
WEB = ("fastapi", "starlette", "uvicorn", "jinja2")
DICOM = ("pydicom", "pynetdicom")


@pytest.mark.parametrize(
    ("parts", "spared"),
    [
        ("True, False, False", (*NEVER, *ENGINE, *WEB, *DECODERS, "cryptography")),
        ("False, True, False", (*NEVER, *WEB, *DECODERS)),
        ("False, False, True", (*NEVER, *ENGINE, *DICOM)),
    ],
    ids=["listen", "work", "web"],
)
def test_a_part_loads_what_it_runs(tmp_path: Path, parts: str, spared: tuple[str, ...]) -> None:
    """Nobody waits for libraries, or keeps them in memory, that his part of the service does not use."""
    code = f"""
import os, sys
from pathlib import Path
from service.cli import without_decoders
without_decoders()
from service.app import Parts, Service
from service.settings import load
Service(load(Path({str(config(tmp_path, 0))!r})), Parts({parts})).start()
print(*(name for name in {spared!r} if sys.modules.get(name)), flush=True)
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, env=ENVIRONMENT
    )
    assert done.stdout.splitlines()[-1].split() == []


def test_every_command_stands_in_the_help() -> None:
    done = cryomargin("--help")
    assert done.returncode == 0
    for command in (
        "run",
        "listen",
        "work",
        "web",
        "demo",
        "analyse",
        "import",
        "backup",
        "restore",
        "replay",
        "doctor",
        "selftest",
    ):
        assert command in done.stdout


def test_a_bad_configuration_is_one_line_and_status_2(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text("[listener]\nprot = 1\n")
    done = cryomargin("run", "--config", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"cryomargin: {path}: listener.prot: there is no such setting\n"


def test_a_port_in_use_is_one_line_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = cryomargin("listen", "--config", str(config(tmp_path, port)))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"cryomargin: listener address 127.0.0.1:{port}: is in use")


def test_sigterm_ends_the_service_in_order(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "run", "--config", str(config(tmp_path, 0))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert process.stderr is not None
    seen = ""
    while "event=started" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert rest.splitlines()[-1].endswith("event=stopped")
    assert time.monotonic() - asked < 30


def test_a_folder_without_dicom_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no DICOM")
    done = cryomargin("analyse", str(tmp_path))
    assert done.returncode == 1
    assert "No DICOM instance that takes part" in done.stdout


def test_a_replay_of_an_unknown_study_is_one_line(tmp_path: Path) -> None:
    done = cryomargin("replay", "1.2.3", "--config", str(config(tmp_path, 0)))
    assert done.returncode == 2
    assert done.stderr.startswith("cryomargin: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_selftest_of_an_unknown_destination_is_one_line(tmp_path: Path) -> None:
    done = cryomargin("selftest", "vna", "--config", str(config(tmp_path, 0)))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cryomargin: No destination is named 'vna'; the configuration has: none")
    assert len(done.stderr.splitlines()) == 1
