"""Make files and rows agree again after a crash.

A file without a row was durable but perhaps not yet acknowledged: it gets its row. A row without a file is content that
somebody removed: it is marked, so that the same instance is taken as new when it comes again; a file that comes back is taken
back (`returned`). An object of our own without a row was replaced by a repeated analysis: it is removed. What is about to be
removed because it was kept for long enough is left to that.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from sqlalchemy import Connection, select, update

from service.errors import CryomarginError, TryAgain
from service.store.arrivals import add_instance, note
from service.store.copies import Copies
from service.store.database import Database
from service.store.files import Files
from service.store.header import HeaderLike
from service.store.records import Added, Received, Reconciled, received
from service.store.returned import take_back
from service.store.schema import doomed, instance, made

_YOUNG = timedelta(days=1)
_SOME = 10  # files that are missing before it is asked whether all of them should be
_WORD = "files-are-lost"  # the file by which a person says so
_LOST = "The file of an instance is gone; send the study again."

log = structlog.get_logger(__name__)


class ReadHeader(Protocol):
    """Reads the header of a stored file; raises a `CryomarginError` when it cannot."""

    def __call__(self, content: Path, /) -> HeaderLike:
        """The header of the file at `content`."""
        ...


def reconcile(database: Database, files: Files, read_header: ReadHeader) -> Reconciled:
    """Compare all files with all rows, both ways; each file is its own transaction. What vanishes meanwhile is passed over.

    Raises:
        TryAgain: when most files are missing.
    """
    rows, gone, leaving = _named(database)
    on_disk = set(files.received_keys()) - leaving
    if _most(rows - on_disk, rows) and _most(_named(database)[0] - on_disk, rows):  # retention may have taken some meanwhile
        _let_be_lost(files, f"{len(rows - on_disk)} of {len(rows)}")
    back = take_back(database, files, on_disk & gone)
    found = _add_all(database, files, read_header, _oldest_first(files, on_disk - rows - gone))
    lost = _mark_lost(database, files, rows - on_disk)
    orphans = _remove_orphans(database, files)
    duplicates, unreadable = found[_DUPLICATE] + back.repetitions, found[_UNREADABLE] + back.damaged
    return Reconciled(tuple(found[_ADDED]), tuple(duplicates), lost, tuple(unreadable), orphans, tuple(back.returned))


_ADDED, _DUPLICATE, _UNREADABLE, _VANISHED = "added", "duplicate", "unreadable", "vanished"


def _named(database: Database) -> tuple[set[str], set[str], set[str]]:
    """The keys of rows, of rows whose file was gone, and of files that are to go."""
    with database.read() as connection:
        rows = set(connection.scalars(select(instance.c.content_key).where(~instance.c.lost)))
        gone = set(connection.scalars(select(instance.c.content_key).where(instance.c.lost)))
        return rows, gone, set(connection.scalars(select(doomed.c.content_key)))


def _most(missing: set[str], rows: set[str]) -> bool:
    return len(missing) >= _SOME and len(missing) * 2 > len(rows)


def _let_be_lost(files: Files, how_many: str) -> None:
    """Only when a person said so, once: a disk that is not mounted looks the same as one that lost everything."""
    word = files.root / _WORD
    if not word.exists():
        raise TryAgain(
            "store.files_missing",
            f"{how_many} files that the index names are not in {files.root}: is its disk mounted, and is it the right folder? "
            f"If they are lost for good, create an empty file {_WORD} there and start again.",
        )
    word.unlink()


def _add_all(database: Database, files: Files, read_header: ReadHeader, keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {_ADDED: [], _DUPLICATE: [], _UNREADABLE: [], _VANISHED: []}
    for key in keys:
        outcome = _add(database, files, read_header, key)
        found[outcome].append(key)
        log.warning("reconciled", key=key, outcome=outcome)
    return found


def _add(database: Database, files: Files, read_header: ReadHeader, key: str) -> str:
    try:
        header = read_header(files.path(key))
        arrived = datetime.fromtimestamp(files.path(key).stat().st_mtime, UTC)
        kept = files.describe(key)
    except FileNotFoundError:  # another process, such as an import, found that it is a repetition
        return _VANISHED
    except CryomarginError:
        return _UNREADABLE if files.exists(key) else _VANISHED
    while _added(database, received(header, kept, arrived)) is Added.DUPLICATE:
        if Copies(database).keep_one(files, header.sop_instance_uid, kept):
            return _DUPLICATE
    return _ADDED


def _added(database: Database, found: Received) -> Added:
    with database.write(synced=False) as connection:
        return add_instance(connection, found)


def _mark_lost(database: Database, files: Files, suspects: Iterable[str]) -> tuple[str, ...]:
    # The rows were read before the folders, so a file that arrived in between is among neither; look once more anyway.
    gone = sorted(key for key in suspects if not files.exists(key))
    with database.write() as connection:
        lost = tuple(key for key in gone if _mark(connection, key))
    for key in lost:
        log.error("lost", key=key)
    return lost


def _mark(connection: Connection, key: str) -> bool:
    """False when retention took the row, and then the file, since the rows were read."""
    row = connection.execute(select(instance).where(instance.c.content_key == key)).first()
    if row is None:
        return False
    connection.execute(update(instance).where(instance.c.content_key == key).values(lost=True))
    note(connection, row.study_instance_uid, "lost", _LOST, datetime.now(UTC))
    return True


def _remove_orphans(database: Database, files: Files) -> tuple[str, ...]:
    """Remove objects that no row names; a young one may be about to get its row from another process."""
    with database.read() as connection:
        named = set(connection.scalars(select(made.c.content_key)))
    before = (datetime.now(UTC) - _YOUNG).timestamp()
    unnamed = sorted(set(files.made_keys()) - named)
    orphans = tuple(key for key in unnamed if 0 < _changed_ns(files, key) < before * 1e9)
    for key in orphans:
        files.remove(key)
    return orphans


def _oldest_first(files: Files, keys: Iterable[str]) -> list[str]:
    """In the order of arrival, so that the first of two contents stays the first."""
    return sorted(keys, key=lambda key: _changed_ns(files, key))


def _changed_ns(files: Files, key: str) -> int:
    """When a file was written, ns since 1970; 0 when it vanished."""
    try:
        return files.path(key).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
