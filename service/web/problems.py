"""Every error of the web as problem details: a stable code for machines and a sentence for people.

Source: RFC 9457. `type` is `urn:cryomargin:problem:<code>`; the codes are listed in docs/operators.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from service.errors import CryomarginError, Refused, TryAgain, Unusable
from service.web.headers import SECURITY_HEADERS

MEDIA_TYPE = "application/problem+json"
URN = "urn:cryomargin:problem:"
RETRY_AFTER_S = 10
STATUS_OF: Mapping[type[CryomarginError], int] = {Unusable: 409, TryAgain: 503, Refused: 502}
CODE_OF = {403: "forbidden", 404: "not-found", 405: "method-not-allowed", 422: "invalid-request", 500: "internal-error"}


class Invalid(BaseModel):
    """One parameter that was not understood."""

    where: str = Field(description="Place and name of the parameter.", examples=["query.limit"])
    sentence: str = Field(description="What is wrong with it.", examples=["Input should be less than or equal to 500"])


class Problem(BaseModel):
    """Problem details of RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A stable name of the kind of problem.", examples=["urn:cryomargin:problem:study-unknown"])
    title: str = Field(description="The kind of problem, for people.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What happened here, and what to do.", examples=["No study 1.2.3 was received."])
    instance: str = Field(description="The path that was asked for.", examples=["/api/v1/studies/1.2.3"])
    errors: list[Invalid] | None = Field(default=None, description="With status 422: each parameter that was not understood.")


class WebProblem(Exception):
    """Ends a request with a problem. `extra` holds members beside those of RFC 9457."""

    def __init__(self, status: int, code: str, detail: str, extra: Mapping[str, object] | None = None) -> None:
        super().__init__(status, code, detail)
        self.status, self.code, self.detail, self.extra = status, code, detail, extra or {}


def study_unknown(study_uid: str) -> WebProblem:
    """The problem of a study that was never received."""
    return WebProblem(404, "study-unknown", f"No study {study_uid} was received.")


def answer(request: Request, problem: WebProblem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response: a page for a browser that asked for a page, problem+json for all others."""
    body = Problem(
        type=URN + problem.code,
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        instance=request.url.path,
        **problem.extra,  # type: ignore[arg-type]  # members beside those of the RFC are allowed by the model
    )
    if wants_page(request):
        page: Response = request.app.state.problem_page(request, body, headers)
        return page
    content = jsonable_encoder(body, exclude_none=True)
    return JSONResponse(content, problem.status, headers=headers, media_type=MEDIA_TYPE)


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asked, outside the API."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.add_exception_handler(WebProblem, _web_problem)
    app.add_exception_handler(CryomarginError, _failure)
    app.add_exception_handler(SQLAlchemyError, _database)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)


def _web_problem(request: Request, exc: Exception) -> Response:
    return answer(request, exc) if isinstance(exc, WebProblem) else _unforeseen(request, exc)


def _failure(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, CryomarginError):
        return _unforeseen(request, exc)
    status = STATUS_OF.get(type(exc), 500)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return answer(request, WebProblem(status, exc.code, exc.sentence), headers)


def _database(request: Request, exc: Exception) -> Response:
    detail = f"The database does not answer ({type(exc).__name__}). Nothing that was received is lost."
    return answer(request, WebProblem(503, "database-down", detail), {"Retry-After": str(RETRY_AFTER_S)})


def _http(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        return _unforeseen(request, exc)
    code = CODE_OF.get(exc.status_code, "http-error")
    details = {404: f"There is nothing at {request.url.path}.", 405: f"{request.method} is not possible here."}
    return answer(request, WebProblem(exc.status_code, code, details.get(exc.status_code, str(exc.detail))), exc.headers)


def _invalid(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, RequestValidationError):
        return _unforeseen(request, exc)
    errors = [Invalid(where=".".join(str(part) for part in error["loc"]), sentence=error["msg"]) for error in exc.errors()]
    detail = "; ".join(f"{error.where}: {error.sentence}" for error in errors)
    return answer(request, WebProblem(422, CODE_OF[422], detail, {"errors": errors}))


def _unforeseen(request: Request, exc: Exception) -> Response:
    detail = f"The service failed with {type(exc).__name__}; the log has the details. Nothing that was received is lost."
    return answer(request, WebProblem(500, CODE_OF[500], detail), SECURITY_HEADERS)
