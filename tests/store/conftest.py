"""Every test of the index runs on SQLite and, where it is installed, on a real PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.files import Files
from service.store.index import Index
from tests.peers import require_program


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a temporary cluster that only this session can reach."""
    places = sorted(str(path) for path in Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = Path(require_program("initdb", *places)).parent
    folder = Path(tempfile.mkdtemp(prefix="cm-pg-"))  # short: the path of a socket has at most 107 bytes
    user = _ordinary_user(folder)
    data = folder / "data"
    try:
        _as(user, str(programs / "initdb"), "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        _as(user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            _as(user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of its own for each test; in PostgreSQL a schema of its own, which is much cheaper."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/index.db"
    return new_schema(request.getfixturevalue("postgresql"))


def new_schema(cluster: str) -> str:
    """The URL of an empty schema of its own in a cluster."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return f"{cluster}&options=-csearch_path%3D{name}"


@pytest.fixture
def index(url: str) -> Iterator[Index]:
    with Index.open(url) as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "content")


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
