"""The pages: what the API answers, for eyes. Rendered here, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from service.report.wording import RESEARCH_USE
from service.store.orders import Queue
from service.store.records import AT_WORK, State
from service.web import answers, models, openapi
from service.web.allowed import ORDERS, StudyOrder
from service.web.api import InState, Knows, Offset, Reads, StudyUid, find
from service.web.orders import (
    Asked,
    DestinationName,
    DrainOrResume,
    PauseOrResume,
    QueueName,
    StudyOrdered,
    WorkerName,
    send_again,
)
from service.web.origin import refuse_other_sites
from service.web.problems import Problem
from service.web.templating import TEMPLATES

PAGE_LENGTH = 50
REFRESH_S = 10
MOVING = AT_WORK | {State.RECEIVING}

WORDS = {
    StudyOrder.ANALYSE: "Analyse again",
    StudyOrder.DELIVER: "Deliver again",
    StudyOrder.COMPLETE: "Wait for no more images",
    StudyOrder.RELEASE: "Release",
    StudyOrder.HOLD: "Hold",
    StudyOrder.CANCEL: "Cancel",
    StudyOrder.URGENT: "Make urgent",
    StudyOrder.NORMAL: "Make normal",
}
SHOWN_ACTIONS = 20
OURS = [Depends(refuse_other_sites)]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Still = Annotated[bool, Query(description="Do not renew the page by itself.")]


@router.get("/")
def studies(request: Request, index: Reads, state: InState = None, offset: Offset = 0, *, still: Still = False) -> Response:
    """The list of studies, newest first."""
    page = answers.studies(index, PAGE_LENGTH, offset, state)
    context = {
        "page": page,
        "state": state,
        "states": answers.states(index),
        "next": _list_url(request, state, offset + PAGE_LENGTH) if page.next else "",
        "previous": _list_url(request, state, max(0, offset - PAGE_LENGTH)) if page.previous else "",
        "still": _list_url(request, state, offset, still="1"),
        "refresh_s": None if still else REFRESH_S,
        "here": "studies",
    }
    return render(request, "studies.html", context)


@router.get("/studies/{study_uid}")
def study(request: Request, index: Reads, info: Knows, study_uid: StudyUid, *, still: Still = False) -> Response:
    """One study: verdict first, then findings, phases, series, deliveries and the timeline."""
    shown = answers.study(index, find(index, study_uid), show_patient_id=info.show_patient_id)
    context = {
        "study": shown,
        "current": _is_current(shown),
        "orders": {order: WORDS[StudyOrder(order)] for order in shown.possible},
        "still": f"{_root(request)}/studies/{quote(study_uid, safe='')}?still=1",
        "refresh_s": REFRESH_S if shown.state in MOVING and not still else None,
    }
    return render(request, "study.html", context)


@router.post("/studies/{study_uid}/destinations/{destination}/resend", dependencies=OURS)
def resend(
    request: Request, index: Reads, info: Knows, asked: Asked, study_uid: StudyUid, destination: DestinationName
) -> Response:
    """Send to one destination again, then show the study."""
    send_again(index, info, study_uid, destination, asked)
    return _back(request, f"studies/{quote(study_uid, safe='')}")


@router.post("/studies/{study_uid}/{order}", dependencies=OURS)
def of_study(request: Request, index: Reads, asked: Asked, study_uid: StudyUid, order: StudyOrdered) -> Response:
    """Carry out an order, then show the study."""
    find(index, study_uid)
    ORDERS[order](index.operators, study_uid, asked)
    return _back(request, f"studies/{quote(study_uid, safe='')}")


@router.post("/queues/{queue}/{order}", dependencies=OURS)
def of_queue(request: Request, index: Reads, asked: Asked, queue: QueueName, order: PauseOrResume) -> Response:
    """Pause a queue or go on, then show the service."""
    index.operators.pause(queue, asked, paused=order == "pause")
    return _back(request, "service")


@router.post("/workers/{worker}/{order}", dependencies=OURS)
def of_worker(request: Request, index: Reads, asked: Asked, worker: WorkerName, order: DrainOrResume) -> Response:
    """Drain a worker or let it work again, then show the service."""
    index.operators.drain(worker, asked, draining=order == "drain")
    return _back(request, "service")


@router.get("/service")
def service(request: Request, index: Reads, info: Knows) -> Response:
    """Health, destinations, queues, workers, what people did, and version."""
    context = {
        "checks": answers.checks(index, info),
        "destinations": answers.destinations(index, info),
        "workers": answers.workers(index),
        "queues": [queue.value for queue in Queue],
        "actions": index.operators.actions(limit=SHOWN_ACTIONS),
        "here": "service",
    }
    return render(request, "service.html", context)


@router.get("/refused")
def refused(request: Request, index: Reads) -> Response:
    """Callers that were turned away, and objects that cannot be understood."""
    context = {
        "rejections": answers.rejections(index).items,
        "quarantine": answers.quarantine(index).items,
        "here": "refused",
    }
    return render(request, "refused.html", context)


@router.get("/api")
def api(request: Request) -> Response:
    """The routes of the API, from its own description."""
    return render(request, "api.html", {"routes": openapi.routes(request.app.openapi()), "here": "api"})


def problem_page(request: Request, problem: Problem, headers: Mapping[str, str] | None) -> Response:
    """A problem for a browser."""
    return render(request, "problem.html", {"problem": problem}, status_code=problem.status, headers=headers)


def render(
    request: Request, name: str, context: Mapping[str, Any], *, status_code: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The template filled; every value is escaped."""
    always = {"info": request.app.state.info, "notice": RESEARCH_USE, "root": _root(request), "refresh_s": None, "here": ""}
    body = TEMPLATES.get_template(name).render(always | dict(context))
    return HTMLResponse(body, status_code=status_code, headers=dict(headers or {}))


def _is_current(study: models.Study) -> bool:
    """Whether the result is about what the state and the sentence are about."""
    has_answer = study.state in {State.DELIVERING, State.DONE}
    return study.result is not None and has_answer and study.result_version == study.content_version


def _back(request: Request, path: str) -> Response:
    return RedirectResponse(f"{_root(request)}/{path}", status_code=303)


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _list_url(request: Request, state: State | None, offset: int, **more: str) -> str:
    wanted = {"state": state.value if state else "", "offset": str(offset) if offset else ""} | more
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{_root(request)}/?{query}" if query else f"{_root(request)}/"
