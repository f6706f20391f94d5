"""A server, or a worker, that falls silent holds nobody up for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import make_url, text

from service.errors import TryAgain
from service.store import server
from service.store.database import Database
from service.store.server import limited
from tests.store.conftest import new_schema

SILENT_S = 0.3


@pytest.fixture
def shared(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose transactions may be silent for a moment only."""
    url = new_schema(postgresql)
    Database.open(url).close()
    monkeypatch.setattr(server, "IDLE_S", SILENT_S)
    return url


def add(database: Database, key: str, before: Callable[[], None] = lambda: None, *, unhurried: bool = False) -> None:
    """Add a row to the index, and then another one after something else that takes time."""
    with database.write() as connection:
        if unhurried:
            server.unhurried(connection)
        connection.execute(text("INSERT INTO doomed VALUES (:key)"), {"key": f"first {key}"})
        before()
        connection.execute(text("INSERT INTO doomed VALUES (:key)"), {"key": f"second {key}"})


def keys(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(text("SELECT content_key FROM doomed ORDER BY content_key")))


@pytest.mark.peer
def test_who_falls_silent_in_a_transaction_lets_the_others_write(shared: str) -> None:
    """As a machine does that is cut off in the middle of one; when it is back, it hears that it must begin anew."""
    silent, other = Database.open(shared), Database.open(shared)
    with pytest.raises(TryAgain):
        add(silent, "of the silent one", lambda: add(other, "of another"))  # who waits for the lock that the silent one holds
    assert keys(silent) == ["first of another", "second of another"]
    silent.close()
    other.close()


@pytest.mark.peer
def test_what_takes_time_by_itself_may_be_silent_in_one_transaction(shared: str) -> None:
    database = Database.open(shared)
    add(database, "a", lambda: time.sleep(2 * SILENT_S), unhurried=True)
    with pytest.raises(TryAgain):
        add(database, "b", lambda: time.sleep(2 * SILENT_S))
    assert keys(database) == ["first a", "second a"]
    database.close()


def test_a_url_gets_limits_and_keeps_its_own() -> None:
    url = limited(make_url("postgresql://a@b/c?connect_timeout=3"))
    assert (url.query["connect_timeout"], url.query["tcp_user_timeout"]) == ("3", "20000")
    assert url.query.keys() == server.LIMITS.keys()
