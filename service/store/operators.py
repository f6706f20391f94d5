"""What people may do to a study, a queue or a worker. Every method is one transaction, with its line in the audit.

A job that runs is never spoken to: it finds at its next step that it may not go on, because its version is in another state
or at another attempt. So an order reaches a job on any machine, and none that comes back late undoes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from service.errors import TryAgain, Unusable
from service.store import outbox, versions
from service.store.arrivals import note
from service.store.audit import actions, record
from service.store.database import Database
from service.store.orders import Action, Order, Queue
from service.store.records import AT_WORK, ENDED, Begin, DeliveryState, State, Version
from service.store.schema import delivery, machine, made, queue, study

NOT_NOW = "order.not_possible"
CANCELLED = "Cancelled by a person."

Change = tuple[str, str]


class Operators:
    """Orders of people. Each gives its line of the audit.

    All raise `Unusable` when the state does not allow what is asked for, and when there is no such study.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def actions(self, subject: str | None = None, limit: int = 500) -> tuple[Action, ...]:
        """What was done, newest first."""
        with self._database.read() as connection:
            return actions(connection, subject, limit)

    def hold(self, study_uid: str, order: Order) -> Action:
        """Let a study go no further: what is being analysed is finished, and nothing is sent."""
        return self._study("hold", study_uid, order, _hold)

    def release(self, study_uid: str, order: Order) -> Action:
        """Let a held study go on where it stood."""
        return self._study("release", study_uid, order, _release)

    def complete(self, study_uid: str, order: Order) -> Action:
        """Wait for no more images: the study is complete."""
        return self._study("complete", study_uid, order, _complete)

    def cancel(self, study_uid: str, order: Order) -> Action:
        """End the work on a study; its analysis is killed, and what is on its way to a destination stays here."""
        return self._study("cancel", study_uid, order, _cancel)

    def prioritise(self, study_uid: str, order: Order, *, urgent: bool) -> Action:
        """Let a study go before all that are not urgent, or no longer."""
        what = "urgent" if urgent else "normal"
        return self._study(what, study_uid, order, lambda connection, row, _order: _prioritise(connection, row, urgent=urgent))

    def rerun(self, study_uid: str, begin: Begin, order: Order) -> Action:
        """Do the newest version once more from a stage on, and what could not be delivered with it.

        Raises:
            TryAgain: when its work has not ended yet.
        """
        return self._study(begin.value, study_uid, order, lambda connection, row, order: _rerun(connection, row, begin, order))

    def resend(self, study_uid: str, destination: str, order: Order) -> Action:
        """Send the results of the newest version to one destination again.

        Raises:
            TryAgain: when its work has not ended yet.
        """
        return self._study(
            f"resend to {destination}", study_uid, order, lambda c, row, order: _resend(c, row, destination, order)
        )

    def pause(self, name: Queue, order: Order, *, paused: bool) -> Action:
        """Take nothing more from a queue, or go on."""
        with self._database.write() as connection:
            before = name in _paused(connection)
            if before == paused:
                raise Unusable(NOT_NOW, f"The queue {name} {'is paused already' if paused else 'is not paused'}.")
            _set_paused(connection, name, paused=paused)
            change = (_running(before), _running(paused))
            return record(connection, order, "pause" if paused else "resume", f"queue {name}", change)

    def paused(self) -> frozenset[Queue]:
        """The queues that people have paused."""
        with self._database.read() as connection:
            return _paused(connection)

    def drain(self, worker: str, order: Order, *, draining: bool) -> Action:
        """Let a worker take nothing more, so that it can be switched off; or let it work again."""
        with self._database.write() as connection:
            row = connection.execute(select(machine).where(machine.c.name == worker)).first()
            if row is None:
                raise Unusable("order.no_worker", f"No worker of the name {worker} was seen.")
            if row.draining == draining:
                raise Unusable(NOT_NOW, f"The worker {worker} {'drains already' if draining else 'does not drain'}.")
            connection.execute(update(machine).where(machine.c.name == worker).values(draining=draining))
            change = ("draining", "working") if row.draining else ("working", "draining")
            return record(connection, order, "drain" if draining else "resume", f"worker {worker}", change)

    def _study(self, what: str, study_uid: str, order: Order, act: Callable[[Connection, Row[Any], Order], Change]) -> Action:
        with self._database.write() as connection:
            change = act(connection, versions.study_of(connection, study_uid), order)
            return record(connection, order, what, study_uid, change)


def _hold(connection: Connection, row: Row[Any], _order: Order) -> Change:
    if row.held:
        raise Unusable(NOT_NOW, "The study is held already.")
    if row.state in ENDED:
        raise Unusable(NOT_NOW, f"The study is {_words(row.state)}: only what has not ended can be held.")
    connection.execute(update(study).where(study.c.study_instance_uid == row.study_instance_uid).values(held=True))
    if row.state in AT_WORK:
        _end(connection, row, State.HELD, versions.HELD)
    return row.state, "receiving, held" if row.state == State.RECEIVING else State.HELD.value


def _release(connection: Connection, row: Row[Any], _order: Order) -> Change:
    if not row.held:
        raise Unusable(NOT_NOW, "The study is not held.")
    connection.execute(update(study).where(study.c.study_instance_uid == row.study_instance_uid).values(held=False))
    if row.state != State.HELD:
        return f"{row.state}, held", row.state
    versions.renew(connection, versions.newest(connection, row.study_instance_uid))
    return State.HELD.value, State.QUEUED.value


def _complete(connection: Connection, row: Row[Any], order: Order) -> Change:
    if row.state != State.RECEIVING:
        raise Unusable(NOT_NOW, f"The study is {_words(row.state)}: only one that is receiving can be declared complete.")
    closed = versions.close_version(connection, row.study_instance_uid, order.at, "A person declared it complete.")
    versions.change(connection, row.study_instance_uid, closed.content_version, lacks="")
    return row.state, closed.state.value


def _cancel(connection: Connection, row: Row[Any], _order: Order) -> Change:
    if row.state not in AT_WORK | {State.HELD}:
        raise Unusable(NOT_NOW, f"The study is {_words(row.state)}: only what waits or is at work can be cancelled.")
    this = versions.newest(connection, row.study_instance_uid)
    waiting = delivery.c.sop_instance_uid.in_(_objects(this)) & (delivery.c.state == DeliveryState.PENDING)
    connection.execute(update(delivery).where(waiting).values(state=DeliveryState.FAILED, detail=CANCELLED, next_try_at=None))
    connection.execute(update(study).where(study.c.study_instance_uid == row.study_instance_uid).values(held=False))
    _end(connection, row, State.CANCELLED, CANCELLED)
    return row.state, State.CANCELLED.value


def _prioritise(connection: Connection, row: Row[Any], *, urgent: bool) -> Change:
    words = {True: "urgent", False: "normal"}
    if row.urgent == urgent:
        raise Unusable(NOT_NOW, f"The study is {words[urgent]} already.")
    connection.execute(update(study).where(study.c.study_instance_uid == row.study_instance_uid).values(urgent=urgent))
    return words[not urgent], words[urgent]


def _rerun(connection: Connection, row: Row[Any], begin: Begin, order: Order) -> Change:
    this = _ended(connection, row)
    if begin is not Begin.ANALYSE and not _has_objects(connection, this):
        raise Unusable(NOT_NOW, "This version of the study has no result: let it be analysed again.")
    if begin is Begin.ANALYSE and not versions.instances(connection, row.study_instance_uid, this.content_version):
        raise Unusable(NOT_NOW, "The images of this study are no longer here: send it again.")
    versions.retry_deliveries(connection, this, order.at)
    versions.renew(connection, this, begin=begin, unfinished=0)
    note(connection, row.study_instance_uid, "replay", f"Asked for again from the stage '{begin}' on.", order.at)
    return row.state, State.QUEUED.value


def _resend(connection: Connection, row: Row[Any], destination: str, order: Order) -> Change:
    if not outbox.resend(connection, row.study_instance_uid, destination, order.at):
        raise Unusable(NOT_NOW, f"The newest version of the study has no result for {destination}: let it be delivered again.")
    return row.state, State.DELIVERING.value


def _ended(connection: Connection, row: Row[Any]) -> Version:
    if row.state not in ENDED:
        raise TryAgain("store.not_ended", f"The study is still {_words(row.state)}: ask again when that has ended.")
    return versions.newest(connection, row.study_instance_uid)


def _end(connection: Connection, row: Row[Any], state: State, sentence: str) -> None:
    versions.change(connection, row.study_instance_uid, row.content_version, state=state, sentence=sentence)
    versions.show(connection, row.study_instance_uid, row.content_version)


def _objects(of: Version) -> Select[Any]:
    same = (made.c.study_instance_uid == of.study_instance_uid) & (made.c.content_version == of.content_version)
    return select(made.c.sop_instance_uid).where(same, made.c.current)


def _has_objects(connection: Connection, of: Version) -> bool:
    return connection.execute(_objects(of)).first() is not None


def _paused(connection: Connection) -> frozenset[Queue]:
    return frozenset(Queue(name) for name in connection.scalars(select(queue.c.name).where(queue.c.paused)))


def _set_paused(connection: Connection, name: Queue, *, paused: bool) -> None:
    if connection.execute(update(queue).where(queue.c.name == name).values(paused=paused)).rowcount == 0:
        connection.execute(insert(queue).values(name=name, paused=paused))


def _running(paused: bool) -> str:  # noqa: FBT001 - a state as a word
    return "paused" if paused else "running"


def _words(state: str) -> str:
    return state.replace("_", " ")
