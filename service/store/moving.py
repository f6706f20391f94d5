"""Everything that an index knows, moved to another database: all of it or nothing.

It is one transaction of the target, which is compared with the source before it ends. Killed at any moment, the target is as
empty as before, or holds everything; a repeat tells which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text

from service.errors import Unusable
from service.store.database import Database
from service.store.schema import metadata
from service.store.server import unhurried

_ROWS = 1000  # at a time

Told = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Digest:
    """The rows of a table in any order: how many, and the sum of their hashes."""

    rows: int
    total: int


def move(source: Database, target: Database, told: Told) -> Mapping[str, Digest]:
    """Copy every row; gives the digest of each table. `told` hears each table with its rows. The source is not changed.

    Nobody else writes to the source meanwhile; who tries waits, and is then told to try again.

    Raises:
        Unusable: The target holds something else, or a row would not be in it as it is here.
    """
    with source.write() as here, target.write() as there:
        unhurried(there)
        wanted = {table.name: digest(here, table) for table in metadata.sorted_tables}
        if any(not _is_empty(there, table) for table in metadata.sorted_tables):
            _require_same(there, wanted, "The database to move to is not empty and holds something else: nothing was changed.")
            return wanted
        for table in metadata.sorted_tables:
            told(table.name, wanted[table.name].rows)
            for rows in _batches(here, table):
                there.execute(insert(table), rows)
            _go_on_counting(there, table)
        _require_same(there, wanted, "Not every row arrived as it was: nothing was moved. Report this sentence.")
    return wanted


def digest(connection: Connection, table: Table) -> Digest:
    """What a table holds, for a comparison between databases that sort differently."""
    rows, total = 0, 0
    for batch in _batches(connection, table):
        for row in batch:
            rows += 1
            total += int.from_bytes(hashlib.sha256(repr(sorted(row.items())).encode()).digest()[:16])
    return Digest(rows, total % (1 << 128))


def _require_same(connection: Connection, wanted: Mapping[str, Digest], sentence: str) -> None:
    for table in metadata.sorted_tables:
        if digest(connection, table) != wanted[table.name]:
            raise Unusable("migrate.differs", f"{sentence} [table {table.name}]")


def _is_empty(connection: Connection, table: Table) -> bool:
    return connection.execute(select(table).limit(1)).first() is None


def _batches(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    result = connection.execute(select(table), execution_options={"yield_per": _ROWS})
    for part in result.mappings().partitions():
        yield [{name: _storable(value) for name, value in row.items()} for row in part]


def _storable(value: Any) -> Any:
    """PostgreSQL takes no text with a zero byte, which a program's output may hold."""
    return value.replace("\0", "") if isinstance(value, str) else value


def _go_on_counting(connection: Connection, table: Table) -> None:
    """New rows are numbered after those that came."""
    if connection.dialect.name == "postgresql" and "id" in table.c and table.c.id.autoincrement and table.c.id.primary_key:
        last = connection.scalar(select(func.max(table.c.id)))
        if isinstance(last, int):
            sequence = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
            connection.execute(sequence, {"name": table.name, "last": last})
