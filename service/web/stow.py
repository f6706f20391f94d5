"""STOW-RS: instances over HTTP through the door that a C-STORE goes through. Success is said only of what is durable.

Source: DICOM PS3.18 section 10.5. A part goes to disk as it comes: no part, and no body, is ever held in memory.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from service.dicom.header_scan import is_uid
from service.dicom.part10 import ArrivingFile, Bringer, FileDoor
from service.dicom.reception import CANNOT_UNDERSTAND, Answer
from service.store.index import Index
from service.web import problems
from service.web.guard import Guard, guarded
from service.web.headers import SecurityHeaders
from service.web.origin import refuse_other_sites
from service.web.problems import RETRY_AFTER_S, WebProblem
from service.web.related import Events, Malformed, Related, media_type
from service.web.stow_answer import MEDIA_TYPE, Part, response_module, status_of

AE_TITLE = "STOW-RS"  # where the index has the calling AE title of a sender
DICOM = "application/dicom"
_PIECE = 1 << 20  # bytes that are gathered before a thread writes them
_ACCEPTABLE = (MEDIA_TYPE, "application/json", "application/*", "*/*")

log = structlog.get_logger(__name__)
router = APIRouter(dependencies=[Depends(guarded), Depends(refuse_other_sites)])


@dataclass(frozen=True, slots=True)
class Storing:
    """What the routes need: the door, the index that knows of open uploads, a clock, and limits (bytes, seconds)."""

    door: FileDoor
    index: Index
    clock: Callable[[], datetime]
    longest_body: int
    stall_s: float


def create_stow(storing: Storing, guard: Guard) -> FastAPI:
    """The ASGI application that takes instances in; `guard` says from whom."""
    app = FastAPI(title="Cryomargin STOW-RS", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.storing, app.state.guard = storing, guard
    app.state.problem_page = lambda _request, body, headers: JSONResponse(
        body.model_dump(exclude_none=True), body.status, headers=headers, media_type=problems.MEDIA_TYPE
    )
    app.add_middleware(SecurityHeaders)
    problems.install(app)
    app.include_router(router)
    return app


@router.post("/studies")
async def store(request: Request) -> Response:
    """Store instances of any study."""
    return await _store(request, "")


@router.post("/studies/{study_uid}")
async def store_in_study(request: Request, study_uid: Annotated[str, Path(max_length=64)]) -> Response:
    """Store instances of this study; those of another one are refused."""
    return await _store(request, study_uid)


async def _store(request: Request, study_uid: str) -> Response:
    storing: Storing = request.app.state.storing
    boundary = _boundary(request, storing)
    started, upload = time.monotonic(), _Upload(storing.door, Bringer(AE_TITLE, uuid.uuid4().hex, study_uid))
    peer = f"{request.client.host}:{request.client.port}" if request.client else ""
    await run_in_threadpool(storing.index.association_opened, upload.bringer.association_id, peer, AE_TITLE, storing.clock())
    end = "the connection was lost"
    try:
        await _receive(request, storing, Related(boundary, upload.events()), upload)
        end = "answered"
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    except Malformed as error:
        end = "malformed"
        if not upload.parts:
            raise WebProblem(400, "malformed-body", f"{error} Nothing was stored.") from error
        upload.parts.append(Part("", "", Answer(CANNOT_UNDERSTAND, str(error))))
    finally:
        await run_in_threadpool(_close, storing, upload)
        _tell(upload, peer, time.monotonic() - started, end)
    return _response(upload)


async def _receive(request: Request, storing: Storing, related: Related, upload: _Upload) -> None:
    """Read the body to its end.

    Raises:
        Malformed: when it is not what its boundary says.
        WebProblem: when it is longer than allowed (413), or nothing comes for too long (408).
    """
    async for piece in _pieces(request, storing.stall_s):
        upload.bytes += len(piece)
        if upload.bytes > storing.longest_body:
            raise _too_large(storing.longest_body)
        await run_in_threadpool(related.feed, piece)
    related.finish()


async def _pieces(request: Request, stall_s: float) -> AsyncIterator[bytes]:
    """The body in pieces that are worth a thread each."""
    gathered, stream = bytearray(), aiter(request.stream())
    while True:
        try:
            piece = await asyncio.wait_for(anext(stream), stall_s)
        except StopAsyncIteration:
            break
        except TimeoutError as error:
            raise WebProblem(408, "stalled", f"Nothing came for {stall_s:g} s; what was stored is safe.") from error
        gathered += piece
        if len(gathered) >= _PIECE:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


@dataclass(slots=True)
class _Upload:
    """One request: the part that is on its way, and what became of those before it."""

    door: FileDoor
    bringer: Bringer
    parts: list[Part] = field(default_factory=list)
    bytes: int = 0
    arriving: ArrivingFile | None = None

    def events(self) -> Events:
        """What to do with the parts."""
        return Events(self._begin, self._data, self._end)

    def _begin(self, headers: Mapping[str, str]) -> None:
        kind, _ = media_type(headers.get("content-type", DICOM))
        length = headers.get("content-length", "")
        if kind == DICOM:
            self.arriving = self.door.begin(self.bringer, int(length) if length.isascii() and length.isdigit() else 0)

    def _data(self, piece: memoryview) -> None:
        if self.arriving is not None:
            self.arriving.write(piece)

    def _end(self) -> None:
        arriving, self.arriving = self.arriving, None
        if arriving is None:
            self.parts.append(Part("", "", Answer(CANNOT_UNDERSTAND, "A part is not application/dicom.")))
            return
        with arriving:
            answer = arriving.finish()
        named = is_uid(arriving.meta.sop_class_uid) and is_uid(arriving.meta.sop_instance_uid)
        names = (arriving.meta.sop_class_uid, arriving.meta.sop_instance_uid) if named else ("", "")
        self.parts.append(Part(*names, answer))


def _boundary(request: Request, storing: Storing) -> str:
    """The boundary of a body that can be taken.

    Raises:
        WebProblem: when its type (415), its size (413) or the wanted answer (406) is not possible.
    """
    kind, parameters = media_type(request.headers.get("content-type", ""))
    if kind != "multipart/related" or parameters.get("type", DICOM).lower() != DICOM:
        raise WebProblem(415, "unsupported-media-type", f'The body must be multipart/related with type="{DICOM}".')
    if request.headers.get("content-encoding", "identity") != "identity":
        raise WebProblem(415, "unsupported-media-type", "The body must not be compressed.")
    accepted = request.headers.get("accept", MEDIA_TYPE).lower()
    if not any(media in accepted for media in _ACCEPTABLE):
        raise WebProblem(406, "not-acceptable", f"The answer can only be {MEDIA_TYPE}.")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > storing.longest_body:
        raise _too_large(storing.longest_body)
    return parameters.get("boundary", "")


def _too_large(longest: int) -> WebProblem:
    return WebProblem(413, "too-large", f"A body may have {longest} bytes (dicomweb.maximum_body_mb); send fewer instances.")


def _close(storing: Storing, upload: _Upload) -> None:
    if upload.arriving is not None:
        with upload.arriving:  # not finished: nothing of it stays
            pass
    storing.index.association_closed(upload.bringer.association_id, storing.clock())


def _tell(upload: _Upload, peer: str, seconds: float, end: str) -> None:
    stored = sum(part.stored for part in upload.parts)
    log.info(
        "upload_closed",
        peer=peer,
        association=upload.bringer.association_id,
        instances=stored,
        refused=len(upload.parts) - stored,
        bytes=upload.bytes,
        seconds=round(seconds, 3),
        cause=end,
    )


def _response(upload: _Upload) -> Response:
    status = status_of(upload.parts)
    if not upload.parts:
        raise WebProblem(400, "malformed-body", "The body has no part.")
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return JSONResponse(response_module(upload.parts), status, headers=headers, media_type=MEDIA_TYPE)
