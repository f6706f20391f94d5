"""Whether anything in the database changed: asked many times a second, so it must cost next to nothing."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress

from sqlalchemy import Engine, PoolProxiedConnection, text

from service.errors import TryAgain


class FileChanges:
    """Of an SQLite file, by whatever process: a counter in the memory that all connections share.

    Source: https://www.sqlite.org/pragma.html#pragma_data_version. It counts what other connections commit, so this one is
    kept for the question alone.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: PoolProxiedConnection | None = None

    def mark(self) -> object:
        """Another value after any change.

        Raises:
            TryAgain: when the file cannot be read.
        """
        with self._lock:
            self._connection = self._connection or self._engine.raw_connection()
            try:
                cursor = self._connection.cursor()
                cursor.execute("PRAGMA data_version")
                version: object = cursor.fetchone()
                cursor.close()
            except sqlite3.Error as error:
                raise TryAgain("store.unavailable", "The index cannot be read.") from error
            return version

    def close(self) -> None:
        """Give the connection back."""
        with self._lock, suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.close()
            self._connection = None


class ServerChanges:
    """Of a PostgreSQL server: which transactions have ended, of all its databases."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def mark(self) -> object:
        """Another value after any change."""
        with self._engine.connect() as connection:
            return connection.scalar(text("SELECT txid_current_snapshot()::text"))

    def close(self) -> None:
        """Nothing is kept open."""
