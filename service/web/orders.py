"""What people may order, version 1 of the API: each order has its line in the audit, with the user that the proxy named."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request

from service.store.index import Index
from service.store.orders import Action, Order, Queue
from service.store.records import Begin
from service.web import corrections, models
from service.web.allowed import ORDERS, StudyOrder
from service.web.api import Knows, Reads, StudyUid, find, problems
from service.web.info import ServiceInfo
from service.web.origin import refuse_other_sites
from service.web.problems import WebProblem

NOBODY = "local"

router = APIRouter(prefix="/api/v1", tags=["orders"], dependencies=[Depends(refuse_other_sites)])


def order_of(request: Request) -> Order:
    """Who asks, now: the user that the proxy names, where the configuration says how."""
    info: ServiceInfo = request.app.state.info
    who = request.headers.get(info.user_header, "") if info.user_header else ""
    return Order(who or NOBODY, datetime.now(UTC))


Asked = Annotated[Order, Depends(order_of)]
DestinationName = Annotated[str, Path(description="Its name in the configuration.", max_length=64)]
WorkerName = Annotated[str, Path(description="Its name in the configuration.", max_length=200)]
StudyOrdered = Annotated[StudyOrder, Path(description="What is to be done.")]
QueueName = Annotated[Queue, Path(description="Which queue.")]
PauseOrResume = Annotated[Literal["pause", "resume"], Path(description="What is to be done.")]
DrainOrResume = Annotated[Literal["drain", "resume"], Path(description="What is to be done.")]
FAULTS = (403, 404, 409, 422, 500, 503)


@router.post("/studies/{study_uid}/replay", status_code=202, summary="Analyse once more", responses=problems(*FAULTS))
def replay(index: Reads, order: Asked, study_uid: StudyUid) -> models.Replayed:
    """Starts the analysis of the received images again. The same input gives the same objects, with the same UIDs."""
    find(index, study_uid)
    return _replayed(index, study_uid, order)


@router.post(
    "/studies/{study_uid}/destinations/{destination}/resend",
    status_code=202,
    summary="Send the results to one destination again",
    responses=problems(*FAULTS),
)
def resend(index: Reads, info: Knows, order: Asked, study_uid: StudyUid, destination: DestinationName) -> models.Ordered:
    """Puts the newest results on their way to the destination, whether or not it has them: they are the same objects."""
    return ordered(index, send_again(index, info, study_uid, destination, order))


@router.post(
    "/studies/{study_uid}/corrections",
    status_code=202,
    summary="Say what a phase is, where the zone is, or when the ablation was",
    responses=problems(*FAULTS),
)
def correct(index: Reads, order: Asked, study_uid: StudyUid, said: corrections.Correction) -> models.Replayed:
    """Keeps what a person says and analyses again; roles are remembered for the scanner and protocol.

    With 409 or 503 it is kept too, and used by the next analysis.
    """
    corrections.keep(index, find(index, study_uid), said)
    return _replayed(index, study_uid, order)


@router.post("/studies/{study_uid}/{order}", status_code=202, summary="Order something of a study", responses=problems(*FAULTS))
def of_study(index: Reads, asked: Asked, study_uid: StudyUid, order: StudyOrdered) -> models.Ordered:
    """`possible` in the answer of the study says which orders its state allows.

    `hold` lets it go no further until `release`; `complete` waits for no more images; `cancel` ends the work and kills the
    analysis; `analyse` and `deliver` do it once more from that stage on; `urgent` and `normal` say which goes first.
    """
    find(index, study_uid)
    return ordered(index, ORDERS[order](index.operators, study_uid, asked))


@router.post("/queues/{queue}/{order}", summary="Pause a queue, or go on", responses=problems(*FAULTS))
def of_queue(index: Reads, asked: Asked, queue: QueueName, order: PauseOrResume) -> models.Ordered:
    """While `analysis` is paused no analysis begins, and while `delivery` is, nothing is sent; what runs is finished."""
    return ordered(index, index.operators.pause(queue, asked, paused=order == "pause"))


@router.post("/workers/{worker}/{order}", summary="Drain a worker, or let it work again", responses=problems(*FAULTS))
def of_worker(index: Reads, asked: Asked, worker: WorkerName, order: DrainOrResume) -> models.Ordered:
    """A worker that drains takes nothing more: once its `jobs` are 0 it can be switched off and nothing waits for it."""
    return ordered(index, index.operators.drain(worker, asked, draining=order == "drain"))


def send_again(index: Index, info: ServiceInfo, study_uid: str, destination: str, order: Order) -> Action:
    """Send the results of a study to one destination again.

    Raises:
        WebProblem: No such study was received, or no such destination is configured.
    """
    find(index, study_uid)
    if destination not in {one.name for one in info.destinations}:
        raise WebProblem(404, "destination-unknown", f"No destination {destination} is configured.")
    return index.operators.resend(study_uid, destination, order)


def _replayed(index: Index, study_uid: str, order: Order) -> models.Replayed:
    index.operators.rerun(study_uid, Begin.ANALYSE, order)
    summary = find(index, study_uid).summary
    return models.Replayed(study_instance_uid=study_uid, job_id=f"{study_uid}/{summary.content_version}/{summary.attempt}")


def ordered(index: Index, action: Action) -> models.Ordered:
    """The answer to an order."""
    study = index.study(action.subject)
    return models.Ordered(
        action=models.ActionLine.model_validate(action), state=study.summary.state.value if study is not None else ""
    )
