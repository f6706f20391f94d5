"""What the index holds as what the API answers. Here it is decided what of a study may be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.exc import SQLAlchemyError

from service.errors import CryomarginError
from service.store.index import Index
from service.store.records import Delivery, DeliveryState, State, StudyDetail, StudySummary
from service.store.way import Line
from service.web import models
from service.web.allowed import possible
from service.web.info import ServiceInfo
from service.web.result import ResultRecord

LIST = "/api/v1/studies"


def states(index: Index) -> dict[str, int]:
    """The number of studies in each state, in the order of a study's life."""
    counted = index.gauges().studies
    return {state.value: counted.get(state, 0) for state in State}


def checks(index: Index, info: ServiceInfo) -> list[models.CheckAnswer]:
    """What each check sees now, the database first."""
    asked = [(check.name, check.probe()) for check in info.checks]
    return [
        _database(index),
        *(models.CheckAnswer(name=name, ok=probed.ok, sentence=probed.sentence) for name, probed in asked),
    ]


def destinations(index: Index, info: ServiceInfo) -> list[models.Destination]:
    """Each configured destination with what waits for it."""
    waiting = index.deliveries(state=DeliveryState.PENDING)
    refused = index.deliveries(state=DeliveryState.FAILED)
    unverified = index.lines.unverified()
    lines = {line.destination: line for line in index.lines.all()}
    return [
        models.Destination(
            name=destination.name,
            address=destination.address,
            **_line_of(lines.get(destination.name)),
            unverified=unverified.get(destination.name, 0),
            pending=sum(delivery.destination == destination.name for delivery in waiting),
            failed=sum(delivery.destination == destination.name for delivery in refused),
            last_failure=_last_detail(destination.name, [*waiting, *refused]),
        )
        for destination in info.destinations
    ]


def rejections(index: Index) -> models.Rejections:
    """The callers that were turned away."""
    return models.Rejections(items=[models.RejectionLine.model_validate(one) for one in index.rejections()])


def quarantine(index: Index) -> models.Quarantine:
    """The objects that cannot be understood."""
    return models.Quarantine(items=[models.QuarantineLine.model_validate(one) for one in index.quarantined()])


def _line_of(line: Line | None) -> dict[str, Any]:
    """How the way to a destination is; a failure or two do not make it down."""
    if line is None or line.next_try_at is None:
        return {"down_since": None, "next_try_at": None, "sentence": ""}
    return {"down_since": line.down_since, "next_try_at": line.next_try_at, "sentence": line.sentence}


def studies(index: Index, limit: int, offset: int, state: State | None) -> models.Studies:
    """One page of the list, newest first."""
    counted = states(index)
    total = counted[state.value] if state else sum(counted.values())
    return models.Studies(
        items=[_line(summary) for summary in index.studies(limit, offset, state)],
        total=total,
        limit=limit,
        offset=offset,
        next=_page(limit, offset + limit, state) if offset + limit < total else None,
        previous=_page(limit, max(0, offset - limit), state) if offset else None,
    )


def study(index: Index, detail: StudyDetail, *, show_patient_id: bool) -> models.Study:
    """All of one study. The patient ID is left out unless it is to be shown."""
    down = {line.destination: line for line in index.lines.all() if line.next_try_at is not None}
    detail = replace(detail, deliveries=tuple(_explained(delivery, down) for delivery in detail.deliveries))
    return models.Study(
        **dict(_line(detail.summary)),
        patient_id=detail.summary.patient_id if show_patient_id else None,
        series=[models.SeriesLine.model_validate(series) for series in detail.series],
        phases=[models.PhaseLine.model_validate(phase) for phase in detail.phases],
        versions=[models.VersionLine.model_validate(version) for version in detail.versions],
        events=[models.EventLine.model_validate(event) for event in detail.events],
        result_version=detail.result_version,
        result=ResultRecord.model_validate(detail.result) if detail.result else None,
        outputs=[*_current(detail), *_superseded(detail)],
        conflicts=[models.ConflictLine.model_validate(conflict) for conflict in detail.conflicts],
        errors=list(_errors(detail)),
        actions=[models.ActionLine.model_validate(action) for action in detail.actions],
        output=detail.output,
        possible=[order.value for order in possible(detail)],
    )


def workers(index: Index) -> models.Workers:
    """Every worker, and the queues that are paused."""
    return models.Workers(
        items=[models.WorkerLine.model_validate(one) for one in index.machines.all()],
        paused=sorted(queue.value for queue in index.operators.paused()),
    )


def _explained(delivery: Delivery, down: Mapping[str, Line]) -> Delivery:
    """With the reason of its destination where nobody has tried yet because that is down."""
    line = down.get(delivery.destination)
    if line is None or delivery.state is not DeliveryState.PENDING or delivery.detail:
        return delivery
    return replace(delivery, detail=line.sentence, next_try_at=line.next_try_at)


def _line(summary: StudySummary) -> models.StudyLine:
    return models.StudyLine(
        study_instance_uid=summary.study_instance_uid,
        state=summary.state,
        sentence=summary.sentence,
        stage=summary.stage,
        percent=summary.percent,
        content_version=summary.content_version,
        attempt=summary.attempt,
        counts=models.StudyCounts.model_validate(summary),
        first_received_at=summary.first_received_at,
        last_received_at=summary.last_received_at,
        held=summary.held,
        urgent=summary.urgent,
    )


def _current(detail: StudyDetail) -> Iterator[models.Output]:
    """The objects of the newest result."""
    for made in detail.outputs:
        deliveries = [delivery for delivery in detail.deliveries if delivery.sop_instance_uid == made.sop_instance_uid]
        yield models.Output(
            role=made.role,
            sop_class_uid=made.sop_class_uid,
            sop_instance_uid=made.sop_instance_uid,
            content_version=detail.result_version,
            size=made.size,
            deliveries=[models.DeliveryLine.model_validate(delivery) for delivery in deliveries],
        )


def _superseded(detail: StudyDetail) -> Iterator[models.Output]:
    """The objects of earlier results, known by their deliveries, newest first."""
    current = {made.sop_instance_uid for made in detail.outputs}
    earlier = {
        delivery.sop_instance_uid: delivery for delivery in detail.deliveries if delivery.sop_instance_uid not in current
    }
    for uid, first in reversed(earlier.items()):
        deliveries = [delivery for delivery in detail.deliveries if delivery.sop_instance_uid == uid]
        yield models.Output(
            role=first.role,
            sop_class_uid=first.sop_class_uid,
            sop_instance_uid=uid,
            content_version=first.content_version,
            size=None,
            deliveries=[models.DeliveryLine.model_validate(delivery) for delivery in deliveries],
        )


def _errors(detail: StudyDetail) -> Iterator[models.ErrorLine]:
    """The newest version when it failed, and each object that a destination did not take."""
    newest = max(detail.versions, key=lambda version: version.ordinal, default=None)
    if newest is not None and newest.state is State.FAILED:
        yield models.ErrorLine(at=newest.closed_at, where="analysis", sentence=newest.sentence)
    for delivery in detail.deliveries:
        if _went_wrong(delivery):
            sentence = f"{delivery.role.upper()}: {delivery.detail}"
            yield models.ErrorLine(at=delivery.updated_at, where=delivery.destination, sentence=sentence)


def _went_wrong(delivery: Delivery) -> bool:
    """Refused, or tried and still waiting."""
    tried = delivery.state is DeliveryState.PENDING and delivery.attempts > 0
    return tried or delivery.state is DeliveryState.FAILED


def _database(index: Index) -> models.CheckAnswer:
    try:
        waiting = len(index.waiting_jobs())
    except (CryomarginError, SQLAlchemyError) as failure:
        return models.CheckAnswer(name="database", ok=False, sentence=f"It does not answer ({type(failure).__name__}).")
    return models.CheckAnswer(name="database", ok=True, sentence=f"It answers; {waiting} studies wait for their result.")


def _last_detail(destination: str, deliveries: Iterable[Delivery]) -> str:
    tried = [
        (delivery.updated_at, delivery.detail)
        for delivery in deliveries
        if delivery.destination == destination and delivery.updated_at
    ]
    return max(tried)[1] if tried else ""


def _page(limit: int, offset: int, state: State | None) -> str:
    query = {"limit": str(limit), "offset": str(offset)} | ({"state": state.value} if state else {})
    return f"{LIST}?{urlencode(query)}"
