"""What was made and where it must go. One function, one transaction of the caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from service.errors import TryAgain, Unusable
from service.store.records import ENDED, Delivery, DeliveryState, MadeObject, State
from service.store.schema import delivery, made, study, version
from service.store.way import Noted

Only = Mapping[str, Collection[str]]

_BY_A_NEWER = "A newer result goes in its place."


def save_result(
    connection: Connection, study_uid: str, content: str, record: Mapping[str, Any], objects: Sequence[MadeObject], at: datetime
) -> None:
    """Keep the result of a version and the objects made from it; a repeat with the same objects changes nothing else."""
    _say(connection, study_uid, content, result=dict(record), result_at=at, refusal="")
    _keep_all(connection, study_uid, content, objects)


def save_refusal(connection: Connection, study_uid: str, content: str, refusal: str, objects: Sequence[MadeObject]) -> None:
    """Keep the object that says why a version has no result; a result that it had before counts no more."""
    _say(connection, study_uid, content, result=None, result_at=None, refusal=refusal)
    _keep_all(connection, study_uid, content, objects)


def _say(connection: Connection, study_uid: str, content: str, **values: Any) -> None:
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    if connection.execute(update(version).where(this).values(values)).rowcount != 1:
        raise Unusable("store.no_version", "This study has no such version.")


def _keep_all(connection: Connection, study_uid: str, content: str, objects: Sequence[MadeObject]) -> None:
    _retire(connection, study_uid, content, {item.sop_instance_uid for item in objects})
    for position, item in enumerate(objects):
        _keep(connection, study_uid, content, position, item)


def objects_of(connection: Connection, study_uid: str, content: str) -> tuple[MadeObject, ...]:
    """The objects of a version's result, in sending order."""
    rows = connection.execute(select(made).where(_of_version(study_uid, content), made.c.current).order_by(made.c.position))
    return tuple(MadeObject(row.role, row.sop_class_uid, row.sop_instance_uid, row.content_key, row.size) for row in rows)


def plan_deliveries(
    connection: Connection,
    of: tuple[str, str],
    destinations: Sequence[str],
    at: datetime,
    only: Only = MappingProxyType({}),
) -> list[Delivery]:
    """Put the objects of a version (`of`: study, content) on their way to every destination, once.

    Older results that still wait stay at home.

    `only` names the roles that a destination gets; one that it does not name, or has no role for, gets all.
    """
    study_uid, content = of
    _supersede_older(connection, study_uid, content)
    for item in objects_of(connection, study_uid, content):
        for destination in (name for name in destinations if item.role in (only.get(name) or (item.role,))):
            row = {"sop_instance_uid": item.sop_instance_uid, "destination": destination}
            if connection.execute(select(delivery).filter_by(**row)).first() is None:
                new = {"state": DeliveryState.PENDING, "planned_at": at, "next_try_at": at}
                connection.execute(insert(delivery).values(**row, **new))
    return deliveries(connection, study_uid, content)


def deliveries(
    connection: Connection,
    study_uid: str | None = None,
    content: str | None = None,
    state: DeliveryState | None = None,
) -> list[Delivery]:
    """Deliveries, narrowed by study, version and state, in sending order."""
    query = select(delivery, made).join(made, made.c.sop_instance_uid == delivery.c.sop_instance_uid)
    if study_uid is not None:
        query = query.where(made.c.study_instance_uid == study_uid)
    if content is not None:
        query = query.where(made.c.content_version == content)
    if state is not None:
        query = query.where(delivery.c.state == state)
    order = (made.c.study_instance_uid, made.c.content_version, delivery.c.destination, made.c.position)
    return [to_delivery(row) for row in connection.execute(query.order_by(*order))]


def mark_delivery(connection: Connection, of: tuple[str, str], noted: Noted) -> None:
    """Note what became of `of` (SOP Instance UID, destination); what would wait for a result that a newer one replaces ends.

    What a person or a newer result has ended meanwhile stays ended, unless the destination took it all the same.
    """
    if not _is_open(connection, of) and not (noted.state is DeliveryState.SENT and noted.tried):
        return
    if noted.state is DeliveryState.PENDING and _is_replaced(connection, of[0]):
        noted = Noted(DeliveryState.SUPERSEDED, noted.at, noted.status, _BY_A_NEWER, tried=noted.tried)
    this = (delivery.c.sop_instance_uid == of[0]) & (delivery.c.destination == of[1])
    values: dict[str, Any] = {
        "state": noted.state,
        "detail": noted.detail,
        "updated_at": noted.at,
        "next_try_at": noted.next_try_at,
        "attempts": delivery.c.attempts + int(noted.tried),
    }
    if noted.tried:
        values["status"] = noted.status
    if noted.state is DeliveryState.SENT and noted.tried:
        values |= {"sent_at": noted.at, "transaction_uid": ""}
    if noted.transaction_uid:
        values["transaction_uid"] = noted.transaction_uid
    connection.execute(update(delivery).where(this).values(values))


def _is_open(connection: Connection, of: tuple[str, str]) -> bool:
    """Whether nobody has ended it: neither a person, nor a newer result, nor a refusal."""
    this = (delivery.c.sop_instance_uid == of[0]) & (delivery.c.destination == of[1])
    state = connection.scalar(select(delivery.c.state).where(this))
    if state is None:
        raise Unusable("store.no_delivery", "No such delivery was planned.")
    return state not in {DeliveryState.FAILED, DeliveryState.SUPERSEDED}


def of_transaction(connection: Connection, transaction_uid: str) -> list[Delivery]:
    """The deliveries that wait for the answer to a storage commitment request."""
    query = select(delivery, made).join(made, made.c.sop_instance_uid == delivery.c.sop_instance_uid)
    waiting = query.where(delivery.c.transaction_uid == transaction_uid, delivery.c.state == DeliveryState.SENT)
    return [to_delivery(row) for row in connection.execute(waiting.order_by(made.c.position))]


def resend(connection: Connection, study_uid: str, destination: str, at: datetime) -> int:
    """Send what a destination got of a study's newest version once more; gives the number of objects.

    Raises:
        TryAgain: The study is being received or analysed.
        Unusable: There is no such study.
    """
    known = connection.execute(select(study).filter_by(study_instance_uid=study_uid)).first()
    if known is None:
        raise Unusable("store.no_study", "There is no such study.")
    if known.state not in {*ENDED, State.DELIVERING}:
        raise TryAgain("store.not_ended", f"The study is still {known.state}: send its results when that has ended.")
    objects = select(made.c.sop_instance_uid).where(_of_version(study_uid, known.content_version), made.c.current)
    this = (delivery.c.destination == destination) & delivery.c.sop_instance_uid.in_(objects)
    values = {"state": DeliveryState.PENDING, "planned_at": at, "next_try_at": at, "transaction_uid": "", "detail": ""}
    number = connection.execute(update(delivery).where(this).values(values)).rowcount
    if number:
        _deliver(connection, study_uid, known.content_version, f"The results are being sent to {destination} again.")
    return number


def open_again(connection: Connection, of: Delivery) -> None:
    """Let a study that has ended say anew what became of its results."""
    known = connection.execute(select(study).filter_by(study_instance_uid=of.study_instance_uid)).first()
    if known is not None and known.content_version == of.content_version and known.state in ENDED:
        _deliver(connection, of.study_instance_uid, of.content_version, known.sentence)


def _deliver(connection: Connection, study_uid: str, content: str, sentence: str) -> None:
    values = {"state": State.DELIVERING, "sentence": sentence}
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    connection.execute(update(version).where(this).values(values))
    connection.execute(update(study).filter_by(study_instance_uid=study_uid).values(values))


def _is_replaced(connection: Connection, sop_instance_uid: str) -> bool:
    """Whether the newest version of the study has planned its own result, or this object is no longer the result."""
    row = connection.execute(select(made).filter_by(sop_instance_uid=sop_instance_uid)).first()
    if row is None:
        return False
    newest = select(study.c.content_version).filter_by(study_instance_uid=row.study_instance_uid)
    return not row.current or connection.scalar(newest) != row.content_version


def _of_version(study_uid: str, content: str) -> Any:
    return (made.c.study_instance_uid == study_uid) & (made.c.content_version == content)


def _retire(connection: Connection, study_uid: str, content: str, wanted: set[str]) -> None:
    """A replay with other settings makes other objects: the old ones are no longer the result."""
    old = select(made.c.sop_instance_uid).where(
        _of_version(study_uid, content), made.c.current, made.c.sop_instance_uid.not_in(wanted)
    )
    _supersede(connection, old)
    retired = _of_version(study_uid, content) & made.c.sop_instance_uid.not_in(wanted)
    connection.execute(update(made).where(retired).values(current=False))


def _keep(connection: Connection, study_uid: str, content: str, position: int, item: MadeObject) -> None:
    values = {
        "study_instance_uid": study_uid,
        "content_version": content,
        "position": position,
        "role": item.role,
        "sop_class_uid": item.sop_class_uid,
        "content_key": item.key,
        "size": item.size,
        "current": True,
    }
    known = made.c.sop_instance_uid == item.sop_instance_uid
    if connection.execute(update(made).where(known).values(values)).rowcount == 0:
        connection.execute(insert(made).values(sop_instance_uid=item.sop_instance_uid, **values))


def _supersede_older(connection: Connection, study_uid: str, content: str) -> None:
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    ordinal = select(version.c.ordinal).where(this).scalar_subquery()
    older = select(version.c.content_version).where(version.c.study_instance_uid == study_uid, version.c.ordinal < ordinal)
    _supersede(
        connection,
        select(made.c.sop_instance_uid).where(made.c.study_instance_uid == study_uid, made.c.content_version.in_(older)),
    )


def _supersede(connection: Connection, objects: Any) -> None:
    waiting = delivery.c.sop_instance_uid.in_(objects) & (delivery.c.state == DeliveryState.PENDING)
    values = {"state": DeliveryState.SUPERSEDED, "detail": _BY_A_NEWER, "next_try_at": None}
    connection.execute(update(delivery).where(waiting).values(values))


def to_delivery(row: Row[Any]) -> Delivery:
    """The record of a row of `delivery` joined with `made`."""
    return Delivery(
        study_instance_uid=row.study_instance_uid,
        content_version=row.content_version,
        role=row.role,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        key=row.content_key,
        destination=row.destination,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        status=row.status,
        detail=row.detail,
        updated_at=row.updated_at,
        planned_at=row.planned_at,
        next_try_at=row.next_try_at,
        sent_at=row.sent_at,
        transaction_uid=row.transaction_uid,
    )
