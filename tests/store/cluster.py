"""A PostgreSQL of our own: a temporary cluster, started from the programs of the machine's package."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.peers import require_program


@contextmanager
def cluster(address: str = "", network: str = "") -> Iterator[str]:
    """The URL of a temporary cluster that only this machine can reach, by a socket; or `network` too, at `address`."""
    places = sorted(str(path) for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = Path(require_program("initdb", *places)).parent
    folder = Path(tempfile.mkdtemp(prefix="cm-pg-"))  # short: the path of a socket has at most 107 bytes
    user = _ordinary_user(folder)
    data = folder / "data"
    try:
        _as(user, str(programs / "initdb"), "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync")
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network} trust\n" if network else "")
        options = f"-c listen_addresses='{address}' -c unix_socket_directories={folder} -c fsync=off"
        _as(user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            _as(user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ordinary_user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root: then somebody else runs it, who owns `folder`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        return name
    pytest.skip("this machine has no ordinary user to run PostgreSQL as")


def _as(user: str | None, *command: str) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        pytest.fail(f"{command[0]} failed: {done.stderr}")
