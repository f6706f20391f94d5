"""What arrives: instances and the associations that bring them. One function, one transaction of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, select, update

from service.store import ordinary
from service.store.records import Added, Received, State
from service.store.schema import association, association_study, event, instance, study, version
from service.study.complete import Activity
from service.study.required import RECEIVING

_CONFLICT = "An instance came again with other content: the first one is used, the second is kept beside it."


# Built once: building them would cost more than running them.
_SAME = select(instance.c.content_key, instance.c.sha256, instance.c.conflict).where(
    instance.c.sop_instance_uid == bindparam("uid"), ~instance.c.lost
)
_CARRIED = select(association_study.c.association_id).where(
    association_study.c.association_id == bindparam("association"),
    association_study.c.study_instance_uid == bindparam("study"),
)
_INSERT = insert(instance)
_OPENED = insert(association)
_CLOSED = update(association).where(association.c.id == bindparam("association")).values(closed_at=bindparam("at"))


def add_instance(connection: Connection, new: Received) -> Added:
    """Make the row of an instance and say what it is to its study."""
    if ordinary.add_next(connection, new):
        return Added.NEW
    same = connection.execute(_SAME, {"uid": new.sop_instance_uid}).all()
    _carry(connection, new)
    known = next((row for row in same if row.content_key == new.key), None)
    if known is not None:
        # Start-up of another process met the file between its rename and this call: it is the same instance.
        return Added.CONFLICT if known.conflict else Added.NEW
    if any(row.sha256 == new.sha256 for row in same):
        _touch(connection, new)
        return Added.DUPLICATE
    added = Added.CONFLICT if _has_first(same) else Added.NEW
    connection.execute(_INSERT, ordinary.row(new, conflict=added is Added.CONFLICT))
    _tell_study(connection, new, added)
    return added


def association_opened(connection: Connection, association_id: str, peer: str, calling_ae: str, at: datetime) -> None:
    """Note an accepted association."""
    row = {"id": association_id, "peer": peer, "calling_ae": calling_ae, "opened_at": at}
    connection.execute(_OPENED, row)


def association_closed(connection: Connection, association_id: str, at: datetime) -> None:
    """Note that it ended; a second call moves the end."""
    connection.execute(_CLOSED, {"association": association_id, "at": at})


def close_all_associations(connection: Connection, at: datetime) -> None:
    """Nothing is open when the only listener starts."""
    connection.execute(update(association).where(association.c.closed_at.is_(None)).values(closed_at=at))


def activities(connection: Connection) -> list[Activity]:
    """The studies that are being received."""
    receiving = select(study.c.study_instance_uid).where(study.c.state == State.RECEIVING)
    carried = association_study.join(association, association.c.id == association_study.c.association_id)
    links = (
        select(
            association_study.c.study_instance_uid.label("study"),
            func.count().filter(association.c.closed_at.is_(None)).label("open"),
            func.max(association.c.closed_at, type_=association.c.closed_at.type).label("released"),
        )
        .select_from(carried)
        .where(association_study.c.study_instance_uid.in_(receiving))
        .group_by(association_study.c.study_instance_uid)
        .subquery()
    )
    used = (
        select(
            instance.c.study_instance_uid.label("study"),
            func.count().label("instances"),
            func.max(instance.c.id).label("newest"),
        )
        .where(is_used(), instance.c.study_instance_uid.in_(receiving))
        .group_by(instance.c.study_instance_uid)
        .subquery()
    )
    looked_at = and_(
        version.c.study_instance_uid == study.c.study_instance_uid,
        version.c.content_version == study.c.content_version,
        version.c.up_to == used.c.newest,
    )
    rows = connection.execute(
        select(study, links.c.open, links.c.released, used.c.instances, version.c.lacks)
        .outerjoin(links, links.c.study == study.c.study_instance_uid)
        .outerjoin(used, used.c.study == study.c.study_instance_uid)
        .outerjoin(version, looked_at)
        .where(study.c.state == State.RECEIVING)
        .order_by(study.c.first_received_at)
    )
    return [_activity(row) for row in rows]


def _activity(row: Row[Any]) -> Activity:
    return Activity(
        study_instance_uid=row.study_instance_uid,
        last_received_at=row.last_received_at,
        open_associations=row.open or 0,
        last_released_at=row.released,
        instances=row.instances or 0,
        sentence=row.sentence,
        lacks=row.lacks or "",
    )


def modalities(connection: Connection, study_uid: str) -> frozenset[str]:
    """The modalities of what the analysis of a study may read."""
    return frozenset(connection.scalars(select(instance.c.modality).filter_by(study_instance_uid=study_uid).where(is_used())))


def say_receiving(connection: Connection, study_uid: str, sentence: str) -> None:
    """Let a study that is being received say what it waits for."""
    receiving = and_(study.c.study_instance_uid == study_uid, study.c.state == State.RECEIVING)
    connection.execute(update(study).where(receiving).values(sentence=sentence))


def is_used() -> Any:
    """The condition for an instance that the analysis may read."""
    return and_(instance.c.relevant, ~instance.c.conflict, ~instance.c.lost)


def _has_first(same: Sequence[Any]) -> bool:
    return any(not row.conflict for row in same)


def _carry(connection: Connection, new: Received) -> None:
    """Remember that this association carried this study: completeness waits for its release."""
    if not new.association_id:
        return
    if connection.execute(_CARRIED, {"association": new.association_id, "study": new.study_instance_uid}).first() is None:
        link = {"association_id": new.association_id, "study_instance_uid": new.study_instance_uid}
        connection.execute(insert(association_study).values(link))


def _touch(connection: Connection, new: Received) -> None:
    """A repetition shows that the sender is still at it, but never opens a study again."""
    receiving = and_(study.c.study_instance_uid == new.study_instance_uid, study.c.state == State.RECEIVING)
    connection.execute(update(study).where(receiving).values(last_received_at=new.received_at))


def _tell_study(connection: Connection, new: Received, added: Added) -> None:
    known = connection.execute(select(study).where(study.c.study_instance_uid == new.study_instance_uid)).first()
    opens = new.relevant and added is Added.NEW
    if known is None:
        _first_of_study(connection, new, opens=opens)
    elif opens:
        _next_of_study(connection, new, known)
    if added is Added.CONFLICT:
        note(connection, new.study_instance_uid, "conflict", _CONFLICT, new.received_at)


def _first_of_study(connection: Connection, new: Received, *, opens: bool) -> None:
    connection.execute(
        insert(study).values(
            study_instance_uid=new.study_instance_uid,
            patient_id=new.patient_id,
            state=State.RECEIVING if opens else State.NOTHING_TO_DO,
            sentence=RECEIVING if opens else (new.reason_ignored or _CONFLICT),
            first_received_at=new.received_at,
            last_received_at=new.received_at,
        )
    )
    if opens:
        note(connection, new.study_instance_uid, "receiving", "The first instance arrived.", new.received_at)


def _next_of_study(connection: Connection, new: Received, known: Row[Any]) -> None:
    changes = {
        "state": State.RECEIVING,
        "sentence": RECEIVING,
        "last_received_at": max(known.last_received_at, new.received_at),
        "patient_id": known.patient_id or new.patient_id,
    }
    connection.execute(update(study).where(study.c.study_instance_uid == new.study_instance_uid).values(changes))
    if known.state != State.RECEIVING:
        late = "A late instance arrived: the study is open again." if known.content_version else "The first instance arrived."
        note(connection, new.study_instance_uid, "receiving", late, new.received_at)


def note(connection: Connection, study_uid: str, word: str, sentence: str, at: datetime) -> None:
    """Add a line to the history of a study."""
    connection.execute(insert(event).values(study_instance_uid=study_uid, word=word, sentence=sentence, at=at))
