"""The status API, version 1. Each route reads the index and answers with one of `models`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from service.codes import PRODUCT
from service.report.wording import RESEARCH_USE
from service.store.index import Index
from service.store.records import State
from service.web import answers, models
from service.web.info import ServiceInfo
from service.web.problems import MEDIA_TYPE, WebProblem, study_unknown

router = APIRouter(prefix="/api/v1")


def index_of(request: Request) -> Index:
    """The index that this application reads."""
    index: Index = request.app.state.index
    return index


def info_of(request: Request) -> ServiceInfo:
    """Who serves."""
    info: ServiceInfo = request.app.state.info
    return info


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of the problems that a route can answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": MEANING[status], "content": content} for status in statuses}


MEANING = {
    403: "The request came from a page of another site.",
    404: "No such study was received.",
    409: "The study is in no state in which this is possible.",
    422: "A parameter was not understood.",
    500: "The service failed; the log has the details.",
    503: "Not now: something that the service needs is missing or down.",
}

Reads = Annotated[Index, Depends(index_of)]
Knows = Annotated[ServiceInfo, Depends(info_of)]
StudyUid = Annotated[str, Path(description="StudyInstanceUID.", max_length=64, examples=[models.UID])]
Limit = Annotated[int, Query(ge=1, le=500, description="Studies on a page.")]
Offset = Annotated[int, Query(ge=0, le=2**31, description="Studies before the page.")]
InState = Annotated[State | None, Query(description="Only studies in this state.")]


@router.get("/health/live", tags=["health"], summary="Whether the process answers", responses=problems(500))
def live(info: Knows) -> models.Alive:
    """Answers as long as the process does; asks nothing else. For a supervisor that restarts."""
    return models.Alive(version=info.version)


@router.get("/health/ready", tags=["health"], summary="Whether the service serves", responses=problems(500, 503))
def ready(index: Reads, info: Knows) -> models.Ready:
    """Asks the index and every check; a check that fails makes 503 with `checks` beside the detail."""
    checks = answers.checks(index, info)
    failed = [check for check in checks if not check.ok]
    if failed:
        sentence = " ".join(f"{check.name}: {check.sentence}" for check in failed)
        raise WebProblem(503, "not-ready", sentence, {"checks": checks})
    return models.Ready(checks=checks)


@router.get("/service", tags=["health"], summary="Who serves, and how many studies are in which state", responses=problems(500))
def service(index: Reads, info: Knows) -> models.Service:
    """Version, settings, listener and the number of studies in each state."""
    return models.Service(
        product=PRODUCT,
        version=info.version,
        settings_hash=info.settings_hash,
        listener=info.listener,
        studies=answers.states(index),
        notice=RESEARCH_USE,
    )


@router.get("/destinations", tags=["destinations"], summary="Where results go", responses=problems(500))
def destinations(index: Reads, info: Knows) -> models.Destinations:
    """Each destination with what waits for it and what it refused."""
    return models.Destinations(items=answers.destinations(index, info))


@router.get("/rejections", tags=["refused"], summary="The callers that were turned away", responses=problems(500))
def rejections(index: Reads) -> models.Rejections:
    """Address, AE titles, reason and number of the associations that were rejected, newest first; the oldest leave the list."""
    return answers.rejections(index)


@router.get("/quarantine", tags=["refused"], summary="The objects that cannot be understood", responses=problems(500))
def quarantine(index: Reads) -> models.Quarantine:
    """The objects that were refused because of their header, with status and reason, newest first; the oldest leave."""
    return answers.quarantine(index)


@router.get("/studies", tags=["studies"], summary="The studies, newest first", responses=problems(422, 500))
def studies(index: Reads, limit: Limit = 50, offset: Offset = 0, state: InState = None) -> models.Studies:
    """One page of the studies with the state and the sentence of each. No patient is named."""
    return answers.studies(index, limit, offset, state)


@router.get("/studies/{study_uid}", tags=["studies"], summary="One study", responses=problems(404, 422, 500))
def study(index: Reads, info: Knows, study_uid: StudyUid) -> models.Study:
    """Series, versions, timeline, findings, outputs with their deliveries, conflicts and errors of one study."""
    return answers.study(index, find(index, study_uid), show_patient_id=info.show_patient_id)


@router.get("/workers", tags=["workers"], summary="Who works, and which queues are paused", responses=problems(500))
def workers(index: Reads) -> models.Workers:
    """Every worker that was ever seen, with what it has taken."""
    return answers.workers(index)


@router.get("/actions", tags=["orders"], summary="What people did, newest first", responses=problems(422, 500))
def actions(index: Reads, limit: Limit = 50) -> models.Actions:
    """Who did what when, and what it was before and after."""
    done = index.operators.actions(limit=limit)
    return models.Actions(items=[models.ActionLine.model_validate(one) for one in done])


@router.get("/roles", tags=["studies"], summary="Roles that people said", responses=problems(500))
def roles(index: Reads) -> models.Roles:
    """What is remembered about the phases of each scanner and protocol, the newest first."""
    return models.Roles(items=[models.RoleLine.model_validate(rule) for rule in index.role_rules()])


def find(index: Index, study_uid: str) -> Any:
    """The study as the index holds it.

    Raises:
        WebProblem: It was never received.
    """
    detail = index.study(study_uid)
    if detail is None:
        raise study_unknown(study_uid)
    return detail
