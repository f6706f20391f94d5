"""What may leave after so many days, and how it leaves: never what is unsent, held, failed or still awaited.

A study's rows go in one transaction that names their files as doomed; then the files go, then the names. Killed in between,
the names are still there: the files go at the next look, and no start takes them for new ones (`reconcile`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from service.store.arrivals import note
from service.store.database import Database
from service.store.records import DeliveryState, State
from service.store.schema import delivery, doomed, instance, made, study, version

FINISHED = (State.DONE, State.NOTHING_TO_DO, State.CANCELLED)
_UNSENT = (DeliveryState.PENDING, DeliveryState.FAILED)
_ARRIVED = (DeliveryState.SENT, DeliveryState.VERIFIED)


class Stock(StrEnum):
    """What is kept for a time of its own."""

    RECEIVED = "received"
    RESULTS = "results"
    OUTPUT = "output"


_SAID = {
    Stock.RECEIVED: "Its images were removed, as retention.received_days says: to analyse it again, send it again.",
    Stock.RESULTS: "Its results were removed here, as retention.results_days says: they are where they were sent to.",
    Stock.OUTPUT: "What its analysis wrote was removed, as retention.output_days says.",
}


@dataclass(frozen=True, slots=True)
class Old:
    """What of one study is to leave."""

    stock: Stock
    study_instance_uid: str


class Retention:
    """Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def old(self, stock: Stock, before: datetime, limit: int = 100) -> list[Old]:
        """Studies that ended and to which nothing came since `before`, oldest first, as far as they still have this."""
        with self._database.read() as connection:
            query = select(study.c.study_instance_uid).where(_may_leave(stock, before)).order_by(study.c.last_received_at)
            return [Old(stock, uid) for uid in connection.scalars(query.limit(limit))]

    def doom(self, old: Sequence[Old], before: datetime, at: datetime) -> int:
        """Let these leave, but for studies to which something happened since; the files are left to do. Gives how many left."""
        with self._database.write() as connection:
            return sum(_doom(connection, one, before, at) for one in old)

    def doomed(self, limit: int = 100) -> list[str]:
        """Keys of files that no row names any more and that are to go."""
        with self._database.read() as connection:
            return list(connection.scalars(select(doomed.c.content_key).limit(limit)))

    def gone(self, keys: Sequence[str]) -> None:
        """These files are gone."""
        with self._database.write(synced=False) as connection:
            connection.execute(delete(doomed).where(doomed.c.content_key.in_(keys)))


def _doom(connection: Connection, old: Old, before: datetime, at: datetime) -> bool:
    this = (study.c.study_instance_uid == old.study_instance_uid) & _may_leave(old.stock, before)
    if connection.execute(select(study.c.study_instance_uid).where(this)).first() is None:
        return False
    _LEAVE[old.stock](connection, old.study_instance_uid)
    note(connection, old.study_instance_uid, "removed", _SAID[old.stock], at)
    return True


def _may_leave(stock: Stock, before: datetime) -> Any:
    return study.c.state.in_(FINISHED) & ~study.c.held & (study.c.last_received_at < before) & ~_open() & _has(stock)


def _open() -> Any:
    """Whether something of the study did not arrive everywhere, or is still asked for."""
    left = delivery.c.next_try_at.is_not(None) | delivery.c.state.in_(_UNSENT)
    objects = made.join(delivery, delivery.c.sop_instance_uid == made.c.sop_instance_uid)
    return exists().select_from(objects).where(made.c.study_instance_uid == study.c.study_instance_uid, left)


def _has(stock: Stock) -> Any:
    if stock is Stock.RECEIVED:
        return exists().where(instance.c.study_instance_uid == study.c.study_instance_uid)
    if stock is Stock.OUTPUT:
        return exists().where(version.c.study_instance_uid == study.c.study_instance_uid, version.c.output != "")
    objects = made.c.study_instance_uid == study.c.study_instance_uid
    arrived = exists().where(delivery.c.sop_instance_uid == made.c.sop_instance_uid, delivery.c.state.in_(_ARRIVED))
    return exists().where(objects) & ~exists().where(objects, made.c.current, ~arrived)


def _received_leave(connection: Connection, study_uid: str) -> None:
    mine = instance.c.study_instance_uid == study_uid
    connection.execute(insert(doomed).from_select(["content_key"], select(instance.c.content_key).where(mine)))
    connection.execute(delete(instance).where(mine))


def _results_leave(connection: Connection, study_uid: str) -> None:
    mine = made.c.study_instance_uid == study_uid
    connection.execute(insert(doomed).from_select(["content_key"], select(made.c.content_key).where(mine).distinct()))
    connection.execute(delete(delivery).where(delivery.c.sop_instance_uid.in_(select(made.c.sop_instance_uid).where(mine))))
    connection.execute(delete(made).where(mine))
    of_study = version.c.study_instance_uid == study_uid
    connection.execute(update(version).where(of_study).values(result=None, result_at=None, refusal=""))


def _output_leaves(connection: Connection, study_uid: str) -> None:
    connection.execute(update(version).where(version.c.study_instance_uid == study_uid).values(output=""))


_LEAVE = {Stock.RECEIVED: _received_leave, Stock.RESULTS: _results_leave, Stock.OUTPUT: _output_leaves}
