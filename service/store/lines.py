"""The way to each destination: what is due there, which worker sends, and whether it is interrupted.

A worker holds a line while it sends, and gives signs of life. One that stopped to give them loses it, which the one who
looks judges by its own clock. One that was thought dead and comes back finds that the term has
changed: what it wants to note no longer counts, and what it sent was the same object once more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, insert, or_, select, update

from service.store import outbox
from service.store.database import Database
from service.store.records import Delivery, DeliveryState, State, Version
from service.store.schema import delivery, line, made, study, version
from service.store.versions import newest_delivering, set_state, version_of
from service.store.way import Held, Line, Noted, Sign


class Lines:
    """Deliveries as the workers that send them see them; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sign(self, destination: str) -> Sign | None:
        """What a worker that holds the line showed last; None when nobody does."""
        with self._database.read() as connection:
            held = line.c.worker != ""
            row = connection.execute(select(line).where(line.c.destination == destination, held)).first()
            return None if row is None else Sign(row.term, row.held_until)

    def take(self, destination: str, worker: str, until: datetime, dead: Sign | None = None) -> Held | None:
        """The right to send to `destination`; None while another worker has it, unless its last sign of life is `dead`."""
        with self._database.write(synced=False) as connection:
            return _take(connection, destination, worker, until, dead)

    def keep(self, held: Held, until: datetime) -> bool:
        """Hold it longer; False when somebody else has it now."""
        with self._database.write(synced=False) as connection:
            changed = connection.execute(update(line).where(_is(held)).values(held_until=until))
            return changed.rowcount == 1

    def leave(self, held: Held) -> None:
        """Let others have it."""
        with self._database.write(synced=False) as connection:
            connection.execute(update(line).where(_is(held)).values(worker="", held_until=None))

    def due(self, destination: str, now: datetime) -> list[Delivery]:
        """What is due there of the study that has waited longest, in sending order; nothing while the line is interrupted."""
        with self._database.read() as connection:
            return _due(connection, destination, now)

    def stored(self, destination: str, of: tuple[str, str], now: datetime) -> list[Delivery]:
        """What of a version (`of`: study, content) the destination took and has still to be asked for now."""
        with self._database.read() as connection:
            rows = connection.execute(_of(destination, now).where(delivery.c.state == DeliveryState.SENT, _is_of(*of)))
            return [outbox.to_delivery(row) for row in rows]

    def mark(self, objects: Collection[str], held: Held, noted: Noted) -> bool:
        """Note what became of these objects (SOP Instance UIDs) at the destination; False, and no change, when it is lost."""
        with self._database.write() as connection:
            if connection.scalar(select(line.c.term).where(_is(held))) is None:
                return False
            for uid in objects:
                outbox.mark_delivery(connection, (uid, held.destination), noted)
            return True

    def say(self, study_uid: str, content: str, sentence: str) -> None:
        """Let a study that is being delivered say why it waits; what has ended or was taken back meanwhile stands."""
        with self._database.write() as connection:
            if version_of(connection, study_uid, content).state is State.DELIVERING:
                set_state(connection, study_uid, content, State.DELIVERING, sentence)

    def interrupted(self, held: Held, sentence: str, now: datetime, next_try_at: datetime | None) -> None:
        """Count a failure, and let nobody try before then."""
        values = {
            "failures": line.c.failures + 1,
            "down_since": func.coalesce(line.c.down_since, now),
            "next_try_at": next_try_at,
            "sentence": sentence,
        }
        with self._database.write() as connection:
            connection.execute(update(line).where(_is(held)).values(values))

    def whole(self, held: Held) -> None:
        """Something went through."""
        values: Mapping[str, Any] = {"failures": 0, "down_since": None, "next_try_at": None, "sentence": ""}
        with self._database.write() as connection:
            connection.execute(update(line).where(_is(held), line.c.failures > 0).values(values))

    def give_up(self, held: Held, planned_before: datetime, noted: Noted) -> int:
        """Note this about all that has waited to be sent there since before then; gives how many."""
        with self._database.write() as connection:
            late = connection.execute(
                select(delivery.c.sop_instance_uid).where(
                    delivery.c.destination == held.destination,
                    delivery.c.state == DeliveryState.PENDING,
                    delivery.c.planned_at < planned_before,
                )
            ).all()
            for row in late:
                outbox.mark_delivery(connection, (row.sop_instance_uid, held.destination), noted)
            return len(late)

    def all(self) -> tuple[Line, ...]:
        """Every line that was ever used."""
        with self._database.read() as connection:
            rows = connection.execute(select(line).order_by(line.c.destination))
            return tuple(Line(row.destination, row.failures, row.down_since, row.next_try_at, row.sentence) for row in rows)

    def line(self, destination: str) -> Line:
        """One line; a line that was never used is whole."""
        return next((one for one in self.all() if one.destination == destination), Line(destination))

    def awaits(self, destination: str) -> bool:
        """Whether something is left to do for a destination, now or at its time."""
        left = select(delivery.c.destination).where(delivery.c.destination == destination, delivery.c.next_try_at.is_not(None))
        with self._database.read() as connection:
            return connection.execute(left.limit(1)).first() is not None

    def unfinished(self) -> frozenset[str]:
        """The destinations for which something is left to do."""
        with self._database.read() as connection:
            rows = connection.execute(select(delivery.c.destination).where(delivery.c.next_try_at.is_not(None)).distinct())
            return frozenset(row.destination for row in rows)

    def unverified(self) -> Mapping[str, int]:
        """How many objects each destination took and has still to be asked for."""
        asked = delivery.c.next_try_at.is_not(None) & (delivery.c.state == DeliveryState.SENT)
        query = select(delivery.c.destination, func.count().label("number")).where(asked).group_by(delivery.c.destination)
        with self._database.read() as connection:
            return {row.destination: row.number for row in connection.execute(query)}

    def drop(self, destination: str, noted: Noted) -> None:
        """Note this about all that is left to do for a destination that is no more."""
        with self._database.write() as connection:
            left = connection.execute(
                select(delivery.c.sop_instance_uid)
                .filter_by(destination=destination)
                .where(delivery.c.next_try_at.is_not(None))
            ).all()
            for row in left:
                outbox.mark_delivery(connection, (row.sop_instance_uid, destination), noted)

    def delivered(self) -> list[Version]:
        """The versions in `delivering` for which nothing is left to do at any destination."""
        with self._database.read() as connection:
            return newest_delivering(connection, ~_left())

    def of_transaction(self, transaction_uid: str) -> list[Delivery]:
        """The deliveries that wait for the answer to a storage commitment request."""
        with self._database.read() as connection:
            return outbox.of_transaction(connection, transaction_uid)

    def answered(self, transaction_uid: str, of: Mapping[str, Noted]) -> int:
        """Note what a storage commitment says about objects (SOP Instance UIDs), as far as they still wait for it.

        An answer to a request that a later one replaced changes nothing. Gives how many it was about.
        """
        with self._database.write() as connection:
            waiting = [one for one in outbox.of_transaction(connection, transaction_uid) if one.sop_instance_uid in of]
            for one in waiting:
                outbox.mark_delivery(connection, (one.sop_instance_uid, one.destination), of[one.sop_instance_uid])
                outbox.open_again(connection, one)
            return len(waiting)


def _take(connection: Connection, destination: str, worker: str, until: datetime, dead: Sign | None) -> Held | None:
    known = connection.execute(select(line).filter_by(destination=destination)).first()
    if known is None:
        connection.execute(insert(line).values(destination=destination, worker=worker, term=1, held_until=until))
        return Held(destination, 1)
    if known.worker not in ("", worker) and Sign(known.term, known.held_until) != dead:
        return None
    held = Held(destination, known.term + 1)
    values = {"worker": worker, "term": held.term, "held_until": until}
    connection.execute(update(line).filter_by(destination=destination).values(values))
    return held


def _is(held: Held) -> Any:
    return (line.c.destination == held.destination) & (line.c.term == held.term)


def _due(connection: Connection, destination: str, now: datetime) -> list[Delivery]:
    blocked = select(line.c.destination).where(line.c.destination == destination, line.c.next_try_at > now)
    if connection.execute(blocked).first() is not None:
        return []
    ready = _of(destination, now).where(_may_go())
    longest = ready.order_by(None).order_by(delivery.c.next_try_at, made.c.study_instance_uid).limit(1)
    first = connection.execute(longest).first()
    if first is None:
        return []
    same = _is_of(first.study_instance_uid, first.content_version)
    return [outbox.to_delivery(row) for row in connection.execute(ready.where(same))]


def _of(destination: str, now: datetime) -> Select[Any]:
    """What is due at a destination, in sending order."""
    return (
        select(delivery, made)
        .join(made, made.c.sop_instance_uid == delivery.c.sop_instance_uid)
        .join(study, study.c.study_instance_uid == made.c.study_instance_uid)
        .where(delivery.c.destination == destination, delivery.c.next_try_at <= now)
        .order_by(made.c.position)
    )


def _is_of(study_uid: str, content: str) -> Any:
    return (made.c.study_instance_uid == study_uid) & (made.c.content_version == content)


def _may_go() -> Any:
    """What was stored is asked for in any case; what waits goes while its version is the newest and being delivered."""
    newest = (study.c.content_version == made.c.content_version) & (study.c.state == State.DELIVERING)
    return or_(delivery.c.state == DeliveryState.SENT, and_(delivery.c.state == DeliveryState.PENDING, newest))


def _left() -> Any:
    return (
        select(delivery.c.sop_instance_uid)
        .join(made, made.c.sop_instance_uid == delivery.c.sop_instance_uid)
        .where(
            made.c.study_instance_uid == version.c.study_instance_uid,
            made.c.content_version == version.c.content_version,
            made.c.current,
            delivery.c.next_try_at.is_not(None),
        )
        .exists()
    )
