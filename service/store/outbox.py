"""What was made and where it must go. One function, one transaction of the caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from service.errors import Unusable
from service.store.records import Delivery, DeliveryState, MadeObject
from service.store.schema import delivery, made, version

Only = Mapping[str, Collection[str]]

_ATTEMPTED = frozenset({DeliveryState.PENDING, DeliveryState.SENT, DeliveryState.FAILED})
_BY_A_NEWER = "A newer result goes in its place."


def save_result(
    connection: Connection, study_uid: str, content: str, record: Mapping[str, Any], objects: Sequence[MadeObject], at: datetime
) -> None:
    """Keep the result of a version and the objects made from it; a repeat with the same objects changes nothing else."""
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    changed = connection.execute(update(version).where(this).values(result=dict(record), result_at=at))
    if changed.rowcount != 1:
        raise Unusable("store.no_version", "This study has no such version.")
    _retire(connection, study_uid, content, {item.sop_instance_uid for item in objects})
    for position, item in enumerate(objects):
        _keep(connection, study_uid, content, position, item)


def objects_of(connection: Connection, study_uid: str, content: str) -> tuple[MadeObject, ...]:
    """The objects of a version's result, in sending order."""
    rows = connection.execute(select(made).where(_of_version(study_uid, content), made.c.current).order_by(made.c.position))
    return tuple(MadeObject(row.role, row.sop_class_uid, row.sop_instance_uid, row.content_key, row.size) for row in rows)


def plan_deliveries(
    connection: Connection, study_uid: str, content: str, destinations: Sequence[str], only: Only = MappingProxyType({})
) -> list[Delivery]:
    """Put the objects of a version on their way to every destination, once; older results still waiting stay at home.

    `only` names the roles that a destination gets; one that it does not name, or has no role for, gets all.
    """
    _supersede_older(connection, study_uid, content)
    for item in objects_of(connection, study_uid, content):
        for destination in (name for name in destinations if item.role in (only.get(name) or (item.role,))):
            row = {"sop_instance_uid": item.sop_instance_uid, "destination": destination}
            if connection.execute(select(delivery).filter_by(**row)).first() is None:
                connection.execute(insert(delivery).values(**row, state=DeliveryState.PENDING))
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
    return [_delivery(row) for row in connection.execute(query.order_by(*order))]


def mark_delivery(
    connection: Connection, of: tuple[str, str], state: DeliveryState, status: int | None, detail: str, at: datetime
) -> None:
    """Note how an attempt for `of` (SOP Instance UID, destination) ended; pending means that it will be tried again."""
    this = (delivery.c.sop_instance_uid == of[0]) & (delivery.c.destination == of[1])
    counted = 1 if state in _ATTEMPTED else 0
    values = {"state": state, "status": status, "detail": detail, "updated_at": at, "attempts": delivery.c.attempts + counted}
    if connection.execute(update(delivery).where(this).values(values)).rowcount != 1:
        raise Unusable("store.no_delivery", "No such delivery was planned.")


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
    connection.execute(update(delivery).where(waiting).values(state=DeliveryState.SUPERSEDED, detail=_BY_A_NEWER))


def _delivery(row: Row[Any]) -> Delivery:
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
    )
