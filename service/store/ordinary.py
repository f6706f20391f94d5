"""The ordinary instance at the price of two bare statements: a new one, whose association goes on with its study.

They are written with SQLAlchemy, once for each kind of database, and given to its driver as they are: whatever lies between
costs several times what the database does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, and_, bindparam, exists, insert, not_, or_, select, update

from service.store.records import Received, State
from service.store.schema import Utc, association_study, instance, study

_GOES_ON = and_(
    study.c.study_instance_uid == bindparam("study_instance_uid"),
    study.c.state == State.RECEIVING.value,
    or_(study.c.patient_id != "", bindparam("patient_id") == ""),
)
_COLUMNS = [column for column in instance.c if column.name != "id"]
_INSERT = insert(instance).from_select(
    [column.name for column in _COLUMNS],
    select(*(bindparam(column.name, type_=column.type) for column in _COLUMNS)).where(
        not_(exists().where(instance.c.sop_instance_uid == bindparam("sop_instance_uid"), ~instance.c.lost)),
        exists().where(
            association_study.c.association_id == bindparam("association_id"),
            association_study.c.study_instance_uid == bindparam("study_instance_uid"),
        ),
        exists().where(_GOES_ON),
    ),
)
_TOUCH = (
    update(study)
    # What came earlier may get its row later, when several bring a study.
    .where(study.c.study_instance_uid == bindparam("study_instance_uid"), study.c.last_received_at < bindparam("received_at"))
    .values(last_received_at=bindparam("received_at"))
)


def add_next(connection: Connection, new: Received) -> bool:
    """Make the row of an ordinary instance; False, and nothing happened, when it is none."""
    if not new.relevant:
        return False
    time, insertion, touch = _statements(connection.dialect)
    values = row(new, conflict=False) | {"patient_id": new.patient_id, "received_at": time(new.received_at)}
    cursor = connection.connection.cursor()
    try:
        cursor.execute(*insertion.with_values(values))
        if cursor.rowcount != 1:
            return False
        cursor.execute(*touch.with_values(values))
    finally:
        cursor.close()
    return True


def row(new: Received, *, conflict: bool) -> dict[str, Any]:
    """The values of the row of an instance."""
    return {
        "study_instance_uid": new.study_instance_uid,
        "series_instance_uid": new.series_instance_uid,
        "sop_instance_uid": new.sop_instance_uid,
        "sop_class_uid": new.sop_class_uid,
        "transfer_syntax_uid": new.transfer_syntax_uid,
        "modality": new.modality,
        "series_number": new.series_number,
        "series_description": new.series_description,
        "content_key": new.key,
        "sha256": new.sha256,
        "size": new.size,
        "calling_ae": new.calling_ae,
        "association_id": new.association_id,
        "received_at": new.received_at,
        "relevant": new.relevant,
        "conflict": conflict,
        "lost": False,
        "reason_ignored": new.reason_ignored,
    }


class _Statement:
    """A statement as a driver takes it; times among its values are already what the driver takes."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self._text = str(compiled)
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}
        self._in_order = itemgetter(*compiled.positiontup) if compiled.positiontup else None

    def with_values(self, values: dict[str, Any]) -> tuple[str, Any]:
        """The text and its parameters."""
        named = self._constants | values
        return self._text, self._in_order(named) if self._in_order else named


@lru_cache(maxsize=4)
def _statements(dialect: Dialect) -> tuple[Callable[[Any], Any], _Statement, _Statement]:
    """What turns a time into a value for the driver, and the two statements."""
    time = Utc().dialect_impl(dialect).bind_processor(dialect) or (lambda at: at)
    return time, _Statement(_INSERT, dialect), _Statement(_TOUCH, dialect)
