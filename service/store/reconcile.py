"""Make files and rows agree again after a crash.

A file without a row was durable but perhaps not yet acknowledged: it gets its row. A row without a file is content that
somebody removed: it is marked, so that the same instance is taken as new when it comes again. An object of our own without a
row was replaced by a repeated analysis: it is removed. What is about to be removed because it was kept for long enough is left
to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy import Connection, select, update

from service.errors import CryomarginError
from service.store.arrivals import add_instance, note
from service.store.copies import Copies
from service.store.database import Database
from service.store.files import Files
from service.store.header import HeaderLike
from service.store.records import Added, Received, Reconciled, received
from service.store.schema import doomed, instance, made

_YOUNG = timedelta(days=1)
_LOST = "The file of an instance is gone; send the study again."

log = structlog.get_logger(__name__)


class ReadHeader(Protocol):
    """Reads the header of a stored file; raises a `CryomarginError` when it cannot."""

    def __call__(self, content: Path, /) -> HeaderLike:
        """The header of the file at `content`."""
        ...


def reconcile(database: Database, files: Files, read_header: ReadHeader) -> Reconciled:
    """Compare all files with all rows, both ways; each file is its own transaction."""
    with database.read() as connection:
        rows = set(connection.scalars(select(instance.c.content_key).where(~instance.c.lost)))
        leaving = set(connection.scalars(select(doomed.c.content_key)))
    on_disk = set(files.received_keys()) - leaving
    found = _add_all(database, files, read_header, _oldest_first(files, on_disk - rows))
    lost = _mark_lost(database, files, rows - on_disk)
    orphans = _remove_orphans(database, files)
    return Reconciled(tuple(found[_ADDED]), tuple(found[_DUPLICATE]), lost, tuple(found[_UNREADABLE]), orphans)


_ADDED, _DUPLICATE, _UNREADABLE = "added", "duplicate", "unreadable"


def _add_all(database: Database, files: Files, read_header: ReadHeader, keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {_ADDED: [], _DUPLICATE: [], _UNREADABLE: []}
    for key in keys:
        outcome = _add(database, files, read_header, key)
        found[outcome].append(key)
        log.warning("reconciled", key=key, outcome=outcome)
    return found


def _add(database: Database, files: Files, read_header: ReadHeader, key: str) -> str:
    try:
        header = read_header(files.path(key))
    except CryomarginError:
        return _UNREADABLE
    arrived = datetime.fromtimestamp(files.path(key).stat().st_mtime, UTC)
    found = received(header, files.describe(key), arrived)
    while _added(database, found) is Added.DUPLICATE:
        if Copies(database).keep_one(files, found):
            return _DUPLICATE
    return _ADDED


def _added(database: Database, found: Received) -> Added:
    with database.write(synced=False) as connection:
        return add_instance(connection, found)


def _mark_lost(database: Database, files: Files, suspects: Iterable[str]) -> tuple[str, ...]:
    # The rows were read before the folders, so a file that arrived in between is among neither; look once more anyway.
    lost = tuple(sorted(key for key in suspects if not files.exists(key)))
    with database.write() as connection:
        for key in lost:
            _mark(connection, key)
    for key in lost:
        log.error("lost", key=key)
    return lost


def _mark(connection: Connection, key: str) -> None:
    row = connection.execute(select(instance).where(instance.c.content_key == key)).one()
    connection.execute(update(instance).where(instance.c.content_key == key).values(lost=True))
    note(connection, row.study_instance_uid, "lost", _LOST, datetime.now(UTC))


def _remove_orphans(database: Database, files: Files) -> tuple[str, ...]:
    """Remove objects that no row names; a young one may be about to get its row from another process."""
    with database.read() as connection:
        named = set(connection.scalars(select(made.c.content_key)))
    before = (datetime.now(UTC) - _YOUNG).timestamp()
    unnamed = sorted(set(files.made_keys()) - named)
    orphans = tuple(key for key in unnamed if files.path(key).stat().st_mtime < before)
    for key in orphans:
        files.remove(key)
    return orphans


def _oldest_first(files: Files, keys: Iterable[str]) -> list[str]:
    """In the order of arrival, so that the first of two contents stays the first."""
    when: Callable[[str], int] = lambda key: files.path(key).stat().st_mtime_ns  # noqa: E731 - a sort key with a type
    return sorted(keys, key=when)
