"""What people ask the index: the list of studies, one study, and the whole in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, case, func, or_, select

from service.store.arrivals import is_used
from service.store.audit import actions
from service.store.outbox import deliveries, objects_of
from service.store.records import (
    Conflict,
    Counts,
    DeliveryState,
    Event,
    SeriesSummary,
    State,
    StudyDetail,
    StudySummary,
)
from service.store.schema import association, delivery, event, instance, study, version
from service.store.told import phases_of
from service.store.versions import versions_of


def studies(connection: Connection, limit: int, offset: int, state: State | None = None) -> list[StudySummary]:
    """The studies, last active first. The page is found before anything is counted, so that its length is what it costs."""
    order = (study.c.last_received_at.desc(), study.c.study_instance_uid)
    page = select(study.c.study_instance_uid).order_by(*order).limit(limit).offset(offset)
    if state is not None:
        page = page.where(study.c.state == state)
    uids = connection.scalars(page).all()
    return [_summary(row) for row in connection.execute(_summaries(uids).order_by(*order))]


def study_detail(connection: Connection, study_uid: str) -> StudyDetail | None:
    """Everything about one study; None when it is unknown."""
    row = connection.execute(_summaries((study_uid,))).first()
    if row is None:
        return None
    result_version, result = _result(connection, study_uid)
    return StudyDetail(
        summary=_summary(row),
        series=_series(connection, study_uid),
        conflicts=_conflicts(connection, study_uid),
        versions=versions_of(connection, study_uid),
        events=_events(connection, study_uid),
        result_version=result_version,
        result=result,
        outputs=objects_of(connection, study_uid, result_version),
        deliveries=tuple(deliveries(connection, study_uid)),
        phases=phases_of(connection, study_uid),
        actions=actions(connection, study_uid),
        output=_output(connection, row),
    )


def counts(connection: Connection) -> Counts:
    """The whole index in numbers."""
    present = ~instance.c.lost
    total = connection.execute(
        select(
            func.count().filter(is_used()).label("used"),
            func.count().filter(present & ~instance.c.relevant).label("ignored"),
            func.count().filter(present & instance.c.conflict).label("conflicts"),
            func.coalesce(func.sum(instance.c.size).filter(present), 0).label("size"),
        )
    ).one()
    by_state, by_delivery = _tally(connection, study), _tally(connection, delivery)
    return Counts(
        studies={state: by_state.get(state, 0) for state in State},
        deliveries={state: by_delivery.get(state, 0) for state in DeliveryState},
        instances=total.used,
        ignored=total.ignored,
        conflicts=total.conflicts,
        bytes_received=int(total.size),
        open_associations=connection.scalar(select(func.count()).where(association.c.closed_at.is_(None))) or 0,
    )


def _tally(connection: Connection, table: Table) -> dict[str, int]:
    rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state)).all()
    return {state: number for state, number in rows}  # noqa: C416 - dict() of rows is not understood by the type checker


def _summaries(uids: Sequence[str]) -> Select[Any]:
    present = ~instance.c.lost
    numbers = (
        select(
            instance.c.study_instance_uid.label("uid"),
            func.count().filter(is_used()).label("used"),
            func.count().filter(present & ~instance.c.relevant).label("ignored"),
            func.count().filter(present & instance.c.conflict).label("conflicts"),
            func.count(func.distinct(instance.c.series_instance_uid)).label("series"),
        )
        .where(instance.c.study_instance_uid.in_(uids))
        .group_by(instance.c.study_instance_uid)
        .subquery()
    )
    newest = (version.c.study_instance_uid == study.c.study_instance_uid) & (
        version.c.content_version == study.c.content_version
    )
    return (
        select(study, numbers, version.c.stage, version.c.percent, version.c.attempt)
        .outerjoin(numbers, numbers.c.uid == study.c.study_instance_uid)
        .outerjoin(version, newest)
        .where(study.c.study_instance_uid.in_(uids))
    )


def _summary(row: Row[Any]) -> StudySummary:
    return StudySummary(
        study_instance_uid=row.study_instance_uid,
        patient_id=row.patient_id,
        state=State(row.state),
        sentence=row.sentence,
        stage=row.stage or "",
        percent=row.percent or 0,
        content_version=row.content_version,
        attempt=row.attempt or 0,
        series=row.series or 0,
        instances=row.used or 0,
        ignored=row.ignored or 0,
        conflicts=row.conflicts or 0,
        first_received_at=row.first_received_at,
        last_received_at=row.last_received_at,
        held=row.held,
        urgent=row.urgent,
    )


def _series(connection: Connection, study_uid: str) -> tuple[SeriesSummary, ...]:
    rows = connection.execute(
        select(
            instance.c.series_instance_uid,
            func.min(instance.c.series_number).label("number"),
            func.max(instance.c.series_description).label("description"),
            func.max(instance.c.modality).label("modality"),
            func.max(instance.c.sop_class_uid).label("sop_class_uid"),
            func.count().filter(is_used()).label("used"),
            func.count().filter(~instance.c.relevant).label("ignored"),
            func.count().filter(instance.c.conflict).label("conflicts"),
            func.max(instance.c.reason_ignored).label("reason"),
        )
        .where(instance.c.study_instance_uid == study_uid, ~instance.c.lost)
        .group_by(instance.c.series_instance_uid)
        .order_by(_unnumbered_last(), func.min(instance.c.series_number), instance.c.series_instance_uid)
    )
    return tuple(_one_series(row) for row in rows)


def _unnumbered_last() -> Any:
    # The two databases disagree about where NULL sorts.
    return case((func.min(instance.c.series_number).is_(None), 1), else_=0)


def _one_series(row: Row[Any]) -> SeriesSummary:
    return SeriesSummary(
        series_instance_uid=row.series_instance_uid,
        number=row.number,
        description=row.description,
        modality=row.modality,
        sop_class_uid=row.sop_class_uid,
        instances=row.used,
        ignored=row.ignored,
        conflicts=row.conflicts,
        reason_ignored=row.reason,
    )


def _conflicts(connection: Connection, study_uid: str) -> tuple[Conflict, ...]:
    rows = connection.execute(
        select(instance)
        .where(instance.c.study_instance_uid == study_uid, instance.c.conflict, ~instance.c.lost)
        .order_by(instance.c.id)
    )
    return tuple(Conflict(row.sop_instance_uid, row.content_key, row.sha256, row.received_at) for row in rows)


def _events(connection: Connection, study_uid: str) -> tuple[Event, ...]:
    rows = connection.execute(select(event).where(event.c.study_instance_uid == study_uid).order_by(event.c.id))
    return tuple(Event(row.at, row.word, row.sentence) for row in rows)


def _output(connection: Connection, of: Row[Any]) -> str:
    same = (version.c.study_instance_uid == of.study_instance_uid) & (version.c.content_version == of.content_version)
    return connection.scalar(select(version.c.output).where(same)) or ""


def _result(connection: Connection, study_uid: str) -> tuple[str, Mapping[str, Any] | None]:
    row = connection.execute(
        select(version.c.content_version, version.c.result)
        .where(version.c.study_instance_uid == study_uid, or_(version.c.result_at.is_not(None), version.c.refusal != ""))
        .order_by(version.c.ordinal.desc())
        .limit(1)
    ).first()
    return (row.content_version, row.result) if row is not None else ("", None)
