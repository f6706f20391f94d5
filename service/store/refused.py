"""What was refused: callers that were turned away, and objects that cannot be understood.

One function, one transaction of the caller. Both lists are bounded: whoever is refused decides how often that happens, and
must not decide how large the index gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, delete, insert, select, update

from service.store.records import Quarantined, Rejected
from service.store.schema import quarantine, rejection

MOST_REJECTIONS = 200


def note_rejections(connection: Connection, rejections: Sequence[Rejected]) -> None:
    """Count each; the same caller with the same reason is one row, and the oldest rows leave."""
    for one in rejections:
        _count(connection, rejection, ("address", "calling_ae", "called_ae", "reason"), one)
    _drop(connection, rejection, [row.id for row in _newest_first(connection, rejection)[MOST_REJECTIONS:]])


def rejections(connection: Connection) -> list[Rejected]:
    """All, newest first."""
    return [Rejected(**_fields(row)) for row in _newest_first(connection, rejection)]


def note_quarantined(connection: Connection, entry: Quarantined, most: int, most_bytes: int) -> tuple[str, ...]:
    """Count the object; the same bytes with the same reason are one row. Gives the files that no row names any more."""
    again = _count(connection, quarantine, ("sha256", "reason"), entry)
    rows = _newest_first(connection, quarantine)
    gone = rows[_within(rows, most, most_bytes) :]
    _drop(connection, quarantine, [row.id for row in gone])
    unnamed = [row.file for row in gone if row.file]
    return (*unnamed, entry.file) if again and entry.file else tuple(unnamed)


def quarantined(connection: Connection) -> list[Quarantined]:
    """All, newest first."""
    return [Quarantined(**_fields(row)) for row in _newest_first(connection, quarantine)]


def _count(connection: Connection, table: Table, same: Sequence[str], new: Rejected | Quarantined) -> bool:
    """Add a row, or to its number; True when there was one."""
    values = {column.name: getattr(new, column.name) for column in table.columns if column.name != "id"}
    condition = and_(*(table.c[name] == values[name] for name in same))
    known = connection.execute(select(table.c.id, table.c.times).where(condition)).first()
    if known is None:
        connection.execute(insert(table).values(values))
        return False
    changes = {"times": known.times + new.times, "last_at": new.last_at}
    connection.execute(update(table).where(table.c.id == known.id).values(changes))
    return True


def _newest_first(connection: Connection, table: Table) -> Sequence[Row[Any]]:
    return connection.execute(select(table).order_by(table.c.last_at.desc(), table.c.id.desc())).all()


def _within(rows: Sequence[Row[Any]], most: int, most_bytes: int) -> int:
    """How many of the rows may stay."""
    total = 0
    for number, row in enumerate(rows[:most]):
        total += row.size if row.file else 0
        if total > most_bytes:
            return number
    return min(len(rows), most)


def _drop(connection: Connection, table: Table, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(delete(table).where(table.c.id.in_(ids)))


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name != "id"}  # noqa: SLF001 the documented way to the names
