"""Every test of the index runs on SQLite and, where it is installed, on a real PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.files import Files
from service.store.index import Index
from tests.store.cluster import cluster


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a temporary cluster that only this session can reach."""
    with cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of its own for each test; in PostgreSQL a schema of its own, which is much cheaper."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/index.db"
    return new_schema(request.getfixturevalue("postgresql"))


def new_schema(server: str) -> str:
    """The URL of an empty schema of its own in a cluster."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return f"{server}&options=-csearch_path%3D{name}"


@pytest.fixture
def index(url: str) -> Iterator[Index]:
    with Index.open(url) as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "content")
