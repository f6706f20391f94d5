"""Versions of a study's content and how far their analysis came. One function, one transaction of the caller."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, insert, or_, select, update

from service.errors import Unusable
from service.store.arrivals import is_used, note
from service.store.records import AT_WORK, ENDED, Begin, DeliveryState, State, StoredInstance, Version
from service.store.schema import delivery, instance, made, study, version

WAITS = "Waiting for a worker."
HELD = "Held by a person: release the study to let it go on."

# PS3.4 table B.5-1: the structured reports that a later result may supersede.
_MAIN = frozenset({"sr", "not_assessable"})
_REPORTS = tuple(f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (11, 22, 33, 34, 35))


def close_version(connection: Connection, study_uid: str, at: datetime, because: str = "") -> Version:
    """Name the content that is there, as the version to analyse; `because` goes into the history."""
    known = study_of(connection, study_uid)
    rows = connection.execute(_used(study_uid)).all()
    content = content_version(rows)
    if known.state != State.RECEIVING and known.content_version == content:
        return version_of(connection, study_uid, content)
    existing = connection.execute(_select(study_uid, content)).first()
    up_to = max((row.id for row in rows), default=0)
    if because and known.state == State.RECEIVING:
        note(connection, study_uid, "complete", because, at)
    if existing is None:
        _new_version(connection, study_uid, content, up_to=up_to, at=at)
    else:
        # The same content may stand in other rows: a lost instance came again.
        change(connection, study_uid, content, up_to=up_to)
    if existing is not None and existing.state not in ENDED:
        # Its job gave up when the study opened again: it needs another one.
        renew(connection, version_of(connection, study_uid, content))
    if known.held and (existing is None or existing.state not in ENDED):
        change(connection, study_uid, content, state=State.HELD, sentence=HELD)
    show(connection, study_uid, content)
    return version_of(connection, study_uid, content)


def renew(connection: Connection, of: Version, **more: Any) -> Version:
    """Queue a version under a new attempt, for whichever worker is free; what its older jobs say counts for nothing."""
    anew = {"state": State.QUEUED, "sentence": WAITS, "stage": "", "percent": 0, "attempt": of.attempt + 1, "owner": ""}
    change(connection, of.study_instance_uid, of.content_version, **(anew | more))
    show(connection, of.study_instance_uid, of.content_version)
    return version_of(connection, of.study_instance_uid, of.content_version)


class StaleError(Exception):
    """The job that speaks was ended, or begun anew by somebody else: what it says counts for nothing."""


def must_be_at(connection: Connection, study_uid: str, content: str, attempt: int | None) -> None:
    """Raises StaleError when the job of this attempt was begun anew."""
    if attempt is not None and version_of(connection, study_uid, content).attempt != attempt:
        raise StaleError


def must_be_at_work(connection: Connection, study_uid: str, content: str, attempt: int | None) -> None:
    """Raises StaleError also when the job of this attempt was ended, or newer content is there."""
    if attempt is not None and not _may_change(connection, study_uid, content, attempt):
        raise StaleError


def content_version(rows: Sequence[Row[Any]]) -> str:
    """First 12 hex digits of the SHA-256 over the sorted pairs of SOP Instance UID and content hash."""
    digest = hashlib.sha256()
    for uid, sha256 in sorted((row.sop_instance_uid, row.sha256) for row in rows):
        digest.update(f"{uid} {sha256}\n".encode())
    return digest.hexdigest()[:12]


def version_of(connection: Connection, study_uid: str, content: str) -> Version:
    """The record of one version.

    Raises:
        Unusable: when there is no such version.
    """
    row = connection.execute(_select(study_uid, content)).first()
    if row is None:
        raise Unusable("store.no_version", "This study has no such version.")
    return to_version(row)


def versions_of(connection: Connection, study_uid: str) -> tuple[Version, ...]:
    """All versions, oldest first."""
    rows = connection.execute(select(version).where(version.c.study_instance_uid == study_uid).order_by(version.c.ordinal))
    return tuple(to_version(row) for row in rows)


def waiting_jobs(connection: Connection) -> list[Version]:
    """The newest versions whose work has not ended, in the order in which they were closed."""
    rows = connection.execute(of_studies().where(study.c.state.in_(AT_WORK)).order_by(version.c.closed_at))
    return [to_version(row) for row in rows]


def of_studies() -> Select[Any]:
    """The newest version of each study."""
    same = (version.c.study_instance_uid == study.c.study_instance_uid) & (version.c.content_version == study.c.content_version)
    return select(version).join(study, same)


def instances(connection: Connection, study_uid: str, content: str | None = None) -> list[StoredInstance]:
    """The instances that the analysis may read: all there are, or those of one version."""
    query = _used(study_uid)
    if content is not None:
        limit = select(version.c.up_to).where(version.c.study_instance_uid == study_uid, version.c.content_version == content)
        query = query.where(instance.c.id <= limit.scalar_subquery())
    return [_stored(row) for row in connection.execute(query)]


def predecessors(connection: Connection, study_uid: str, content: str) -> list[str]:
    """SOP Instance UIDs of the reports of the latest version before this one that has any.

    A report that never went out is no predecessor: no archive could follow the reference. Nor are reports without the one
    of the findings (or of why there are none), beside which they are known.
    """
    this = version_of(connection, study_uid, content)
    arrived = delivery.c.state.in_((DeliveryState.SENT, DeliveryState.VERIFIED))
    went_out = exists().where(delivery.c.sop_instance_uid == made.c.sop_instance_uid, arrived)
    same = (made.c.study_instance_uid == version.c.study_instance_uid) & (made.c.content_version == version.c.content_version)
    rows = connection.execute(
        select(made.c.sop_instance_uid, made.c.role, version.c.ordinal)
        .join(version, same)
        .where(made.c.study_instance_uid == study_uid, version.c.ordinal < this.ordinal)
        .where(made.c.current, made.c.sop_class_uid.in_(_REPORTS), or_(version.c.state == State.DONE, went_out))
        .order_by(version.c.ordinal.desc(), made.c.position)
    ).all()
    latest = [row for row in rows if row.ordinal == rows[0].ordinal]
    return [row.sop_instance_uid for row in latest] if any(row.role in _MAIN for row in latest) else []


def set_state(
    connection: Connection, study_uid: str, content: str, state: State, sentence: str, *, attempt: int | None = None
) -> bool:
    """Change the state, unless the version is out of date: other content is newer, or is arriving.

    With an `attempt` it is the job of this attempt that speaks: nothing changes when that was ended or begun anew.
    """
    if not _may_change(connection, study_uid, content, attempt):
        return False
    change(connection, study_uid, content, state=state, sentence=sentence)
    show(connection, study_uid, content)
    return True


def newest_delivering(connection: Connection, condition: Any) -> list[Version]:
    """The newest versions in `delivering` that meet a condition."""
    query = of_studies().where(study.c.state == State.DELIVERING, condition)
    return [to_version(row) for row in connection.execute(query.order_by(version.c.closed_at))]


def settle(connection: Connection, of: Version, state: State, sentence: str, at: datetime) -> bool:
    """End what is being delivered, once: with a state, and a line in the history."""
    if version_of(connection, of.study_instance_uid, of.content_version).state is not State.DELIVERING:
        return False
    if not set_state(connection, of.study_instance_uid, of.content_version, state, sentence):
        return False
    change(connection, of.study_instance_uid, of.content_version, stage="delivered", percent=100)
    note(connection, of.study_instance_uid, state.value, sentence, at)
    return True


def set_progress(
    connection: Connection, study_uid: str, content: str, stage: str, percent: int, *, attempt: int | None = None
) -> bool:
    """Say how far the analysis is, unless the version is out of date."""
    if not _may_change(connection, study_uid, content, attempt):
        return False
    change(connection, study_uid, content, stage=stage, percent=max(0, min(100, percent)))
    return True


def _may_change(connection: Connection, study_uid: str, content: str, attempt: int | None) -> bool:
    if not is_newest(connection, study_uid, content):
        return False
    if attempt is None:
        return True
    this = version_of(connection, study_uid, content)
    return this.attempt == attempt and this.state in AT_WORK


def is_newest(connection: Connection, study_uid: str, content: str) -> bool:
    """Whether the version is the newest and nothing newer is arriving."""
    row = connection.execute(select(study).where(study.c.study_instance_uid == study_uid)).first()
    return row is not None and row.content_version == content and row.state != State.RECEIVING


def newest(connection: Connection, study_uid: str) -> Version:
    """The newest version of a study.

    Raises:
        Unusable: when the study is unknown or was never complete.
    """
    return version_of(connection, study_uid, study_of(connection, study_uid).content_version)


def retry_deliveries(connection: Connection, of: Version, at: datetime) -> None:
    """Put what was not delivered with a version on its way again."""
    objects = select(made.c.sop_instance_uid).where(
        made.c.study_instance_uid == of.study_instance_uid, made.c.content_version == of.content_version, made.c.current
    )
    failed = delivery.c.sop_instance_uid.in_(objects) & (delivery.c.state == DeliveryState.FAILED)
    values = {"state": DeliveryState.PENDING, "planned_at": at, "next_try_at": at}
    connection.execute(update(delivery).where(failed).values(values))


def study_of(connection: Connection, study_uid: str) -> Row[Any]:
    """The row of a study.

    Raises:
        Unusable: when there is no such study.
    """
    row = connection.execute(select(study).where(study.c.study_instance_uid == study_uid)).first()
    if row is None:
        raise Unusable("store.no_study", "There is no such study.")
    return row


def _used(study_uid: str) -> Any:
    return select(instance).where(instance.c.study_instance_uid == study_uid, is_used()).order_by(instance.c.id)


def _select(study_uid: str, content: str) -> Any:
    return select(version).where(version.c.study_instance_uid == study_uid, version.c.content_version == content)


def _new_version(connection: Connection, study_uid: str, content: str, *, up_to: int, at: datetime) -> None:
    last = connection.scalar(select(func.max(version.c.ordinal)).where(version.c.study_instance_uid == study_uid))
    connection.execute(
        insert(version).values(
            study_instance_uid=study_uid,
            content_version=content,
            ordinal=(last or 0) + 1,
            attempt=1,
            up_to=up_to,
            closed_at=at,
            state=State.QUEUED,
            sentence="Complete; waiting for its analysis.",
        )
    )
    note(connection, study_uid, "queued", "The study is complete and waits for its analysis.", at)


def change(connection: Connection, study_uid: str, content: str, **values: Any) -> None:
    """Change columns of a version."""
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    connection.execute(update(version).where(this).values(**values))


def show(connection: Connection, study_uid: str, content: str) -> None:
    """Let the study say what its newest version says."""
    row = connection.execute(_select(study_uid, content)).one()
    values = {"content_version": content, "state": row.state, "sentence": row.sentence}
    connection.execute(update(study).where(study.c.study_instance_uid == study_uid).values(values))


def to_version(row: Row[Any]) -> Version:
    """The record of a row."""
    return Version(
        study_instance_uid=row.study_instance_uid,
        content_version=row.content_version,
        ordinal=row.ordinal,
        attempt=row.attempt,
        closed_at=row.closed_at,
        state=State(row.state),
        sentence=row.sentence,
        stage=row.stage,
        percent=row.percent,
        owner=row.owner,
        begin=Begin(row.begin),
        refusal=row.refusal,
        prior_study_uid=(row.prior or {}).get("study_instance_uid", ""),
    )


def _stored(row: Row[Any]) -> StoredInstance:
    return StoredInstance(
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        modality=row.modality,
        series_number=row.series_number,
        series_description=row.series_description,
        key=row.content_key,
        sha256=row.sha256,
        size=row.size,
        received_at=row.received_at,
        used=row.relevant and not row.conflict and not row.lost,
        conflict=row.conflict,
        reason_ignored=row.reason_ignored,
    )
