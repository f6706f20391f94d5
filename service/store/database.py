"""One database with one writer at a time, whether it is an SQLite file or a PostgreSQL server.

SQLite: WAL, so that readers never wait; every write takes a thread lock and then flock on "<file>.lock", because several
writers have corrupted WAL files before SQLite 3.51.3. PostgreSQL: an advisory lock does the same for all machines.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

from service.errors import TryAgain, Unusable
from service.store import server
from service.store.changes import FileChanges, ServerChanges
from service.store.migrate import migrate

_ADVISORY_LOCK = 0x43525950  # "CRYP": any number will do, as long as all of us use the same
_CACHE_KIB = 32 * 1024  # of each connection: a new row touches a page in each index, and those of a large one are not 2 MB
_CHECKPOINT_PAGES = 8000  # 32 MB: a checkpoint waits for the disk, and copies a page that changed often only once
_BEGIN, _SYNCHRONOUS = (
    "begin_with",
    "synchronous",
)  # what is noted at a connection: how its next transaction starts, and how it is


class Database:
    """Connections, the single writer, and the schema brought up to date when opened."""

    def __init__(self, engine: Engine, lock_file: Path | None) -> None:
        self._engine = engine
        self._thread_lock = threading.Lock()
        self._lock_descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o640) if lock_file else None
        self._changes = FileChanges(engine) if lock_file else ServerChanges(engine)
        self._available = _Available(engine.dialect.loaded_dbapi)
        # Kept where there is one writer on this machine: to get a connection costs as much as a row.
        self._writing: Connection | None = None

    @classmethod
    def open(cls, url: str) -> Database:
        """The database at an SQLAlchemy `url`, created and migrated as needed; several processes may do so at once.

        Raises:
            Unusable: when the database was written by a newer version of this program, or `url` names no database of ours.
            TryAgain: when the database does not answer or is damaged.
        """
        parsed = _parsed(url)
        database = cls._sqlite(parsed) if parsed.get_backend_name() == "sqlite" else cls._postgresql(parsed)
        try:
            with database.write() as connection:
                migrate(connection)
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def _sqlite(cls, url: URL) -> Database:
        if not url.database:
            raise Unusable("store.url", "The index needs a file: an SQLite database in memory does not survive anything.")
        file = Path(url.database).absolute()
        file.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o640))  # SQLite would let everybody read it; its WAL follows the file
        engine = create_engine(url, hide_parameters=True, connect_args={"timeout": 30})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return cls(engine, file.with_name(f"{file.name}.lock"))

    @classmethod
    def _postgresql(cls, url: URL) -> Database:
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(server.limited(url), hide_parameters=True, pool_pre_ping=True)
        event.listen(engine, "connect", server.prepare)
        return cls(engine, None)

    def close(self) -> None:
        """Give the connections and the lock file back."""
        self._changes.close()
        with self._thread_lock:
            self._let_go()
        self._engine.dispose()
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def mark(self) -> object:
        """Another value after any change, by whatever process; cheap enough to be asked for many times a second.

        Raises:
            TryAgain: when the database does not answer.
        """
        with self._available:
            return self._changes.mark()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the index and changes nothing.

        Raises:
            TryAgain: when the database does not answer.
        """
        with self._available, self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[Connection]:
        """A transaction of the only writer.

        With `synced` false a power failure may take it back (a killed process never does): for rows that start-up can make
        again from the files.

        Raises:
            TryAgain: when the database does not answer.
        """
        with self._available, self._thread_lock, self._process_lock(), self._writer() as connection:
            connection.info[_BEGIN] = "FULL" if synced else "NORMAL"
            with connection.begin():
                if self._lock_descriptor is None:
                    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
                yield connection

    @contextmanager
    def _writer(self) -> Iterator[Connection]:
        """The connection of the writer. A server's is asked for each time, which finds out when it is gone."""
        if self._lock_descriptor is None:
            with self._engine.connect() as connection:
                yield connection
            return
        self._writing = self._writing or self._engine.connect()
        try:
            yield self._writing
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Take another connection next time."""
        kept, self._writing = self._writing, None
        if kept is not None:
            kept.close()

    def _process_lock(self) -> AbstractContextManager[None]:
        return nullcontext() if self._lock_descriptor is None else _Lock(self._lock_descriptor)


class _Available:
    """Says it in our words when the database does not answer or is damaged, whether SQLAlchemy or a driver finds that out."""

    def __init__(self, driver: Any) -> None:
        self._silent = OperationalError, driver.OperationalError
        self._damaged = DatabaseError, driver.DatabaseError

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, self._silent) or (isinstance(error, DBAPIError) and error.connection_invalidated):
            raise TryAgain("store.unavailable", "The index cannot be reached or its disk is full.") from error
        if kind in self._damaged:  # what is derived from them are faults of a statement, not of the file
            sentence = "The index is damaged or no database: restore a backup, or move it away to index what was received anew."
            raise TryAgain("store.damaged", sentence) from error


def _parsed(url: str) -> URL:
    """The URL, which may hold a password and so is never quoted."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Unusable("store.url", "The URL of the index is no SQLAlchemy URL.") from error
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise Unusable("store.url", "The index can be kept in SQLite or PostgreSQL, and in no other database.")
    return parsed


class _Lock:
    """A lock of a file against other processes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; the driver would begin only before the first change
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")


def _begin_sqlite(connection: Connection) -> None:
    driver, synchronous = connection.connection.driver_connection, connection.info.pop(_BEGIN, None)
    if driver is None:
        return
    if synchronous is None:
        driver.execute("BEGIN")
        return
    if connection.info.get(_SYNCHRONOUS) != synchronous:
        driver.execute(f"PRAGMA synchronous={synchronous}")
        connection.info[_SYNCHRONOUS] = synchronous
    driver.execute("BEGIN IMMEDIATE")
