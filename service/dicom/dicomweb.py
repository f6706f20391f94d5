"""Send objects by STOW-RS, and ask for them by QIDO-RS or WADO-RS (PS3.18 sections 10.4 to 10.6)."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info

from service.dicom import tls
from service.dicom.character_sets import rewritten
from service.dicom.destination import Caller, Destination
from service.dicom.query import Reference
from service.dicom.sender import SLOWEST_LINE, SUCCESS, UNREADABLE_FAULTS, Sent, outcome, unreadable
from service.errors import CryomarginError, Refused, TryAgain

JSON = {"Accept": "application/dicom+json"}
NO_CONTENT, NOT_FOUND, GONE, CONFLICT = 204, 404, 410, 409
NOT_OFFERED = (400, 405, 406, 501)  # of a search: then the object itself is asked for
FOR_NOW = (408, 425, 429)
# How the two ends are configured, not what was sent: it flows by itself once somebody has put that right.
_CONFIGURED = {401: "it asks for another login", 403: "it does not let this login in", NOT_FOUND: "nothing is at this address"}


def sending(objects: Sequence[Path], destination: Destination, caller: Caller) -> Generator[Sent]:
    """Store one object after another; each answer as it comes.

    Raises:
        TryAgain: Nobody is there, or nobody lets us in. What fails later stands in the answer for its object.
    """
    with _client(destination, caller) as client:
        for path in objects:
            yield _store(client, path, destination, caller)


def find(references: Sequence[Reference], destination: Destination, caller: Caller) -> frozenset[str]:
    """Those of the instances that the server shows (SOP Instance UIDs).

    Raises:
        TryAgain: Nobody is there, or it cannot answer now.
        Refused: It shows nothing to us.
    """
    with _client(destination, caller) as client, _answering(destination):
        return frozenset(one.sop_instance_uid for one in references if _shows(client, one, destination))


def echo(destination: Destination, caller: Caller) -> None:
    """Is a server there that lets us in?

    Raises:
        TryAgain: No, and why.
    """
    with _client(destination, caller) as client, _answering(destination):
        _must_be_let_in(client.get("/studies", params={"limit": "1"}, headers=JSON).status_code, destination)


@contextmanager
def _client(destination: Destination, caller: Caller) -> Iterator[httpx.Client]:
    login = None if destination.login is None else (destination.login.name, destination.login.password(destination.name))
    with httpx.Client(base_url=destination.url, auth=login, timeout=caller.timeout_s, verify=_trusted(destination)) as client:
        yield client


def _trusted(destination: Destination) -> ssl.SSLContext:
    """Whom we believe: the configured authorities, or those of the system."""
    if destination.tls is None:
        return ssl.create_default_context()
    try:
        return tls.requestor_context(destination.tls)
    except OSError as fault:
        sentence = f"{destination.name} ({destination.address}): the files of its TLS cannot be used: {tls.why(fault)}"
        raise TryAgain("destination.unreachable", sentence) from fault


@contextmanager
def _answering(destination: Destination) -> Iterator[None]:
    """What goes wrong on the way, in words."""
    try:
        yield
    except httpx.ConnectTimeout as fault:
        raise _unreachable(destination, "no answer to the connection request (timeout)") from fault
    except httpx.ConnectError as fault:
        raise _unreachable(destination, _why(fault)) from fault
    except httpx.TimeoutException as fault:
        raise TryAgain("destination.no_status", f"{destination.name} gave no answer in time") from fault
    except httpx.TransportError as fault:
        raise TryAgain("destination.lost", f"{destination.name} ended the connection") from fault


def _unreachable(destination: Destination, why: str) -> TryAgain:
    return TryAgain("destination.unreachable", f"{destination.name} ({destination.address}): {why}")


def _why(fault: httpx.ConnectError) -> str:
    cause: BaseException | None = fault
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLError):
        return f"no TLS: {tls.why(cause)}"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens at this address (connection refused)"
    return f"no connection ({cause.strerror or type(cause).__name__})" if cause else "no connection"


def _store(client: httpx.Client, path: Path, destination: Destination, caller: Caller) -> Sent:
    try:
        uid, content = str(read_file_meta_info(path).MediaStorageSOPInstanceUID), _content(path, destination)
    except UNREADABLE_FAULTS as fault:
        return Sent("", None, error=unreadable(fault))
    boundary, patience = uuid.uuid4().hex, caller.timeout_s + len(content) / SLOWEST_LINE
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    headers = JSON | {"Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}'}
    body = b"".join((head, content, f"\r\n--{boundary}--\r\n".encode()))
    try:
        with _answering(destination):
            timeout = httpx.Timeout(patience, connect=caller.timeout_s)
            answer = client.post("/studies", content=body, headers=headers, timeout=timeout)
    except TryAgain as fault:
        if fault.code == "destination.unreachable":
            raise
        return Sent(uid, None, error=fault)
    _must_be_let_in(answer.status_code, destination)
    return _judged(uid, answer, destination)


def _content(path: Path, destination: Destination) -> bytes:
    """The file as it is, or with its texts in the character set of the destination."""
    if not destination.character_set:
        return path.read_bytes()
    buffer = BytesIO()
    rewritten(dcmread(path), destination.character_set).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _must_be_let_in(status: int, destination: Destination) -> None:
    why = _CONFIGURED.get(status) or ("it answers with a redirection" if 300 <= status < 400 else "")
    if why:
        raise TryAgain("destination.rejected", f"{destination.name} ({destination.address}): {why} (HTTP {status})")


def _judged(uid: str, answer: httpx.Response, destination: Destination) -> Sent:
    """What became of the object (PS3.18 table 10.5.3-1): the answer's own words about it first."""
    said = _said(answer, uid)
    if said is not None:
        return outcome(uid, said, destination)
    if answer.is_success:
        return Sent(uid, SUCCESS)
    sentence, status = f"(HTTP {answer.status_code})", answer.status_code
    error: CryomarginError = Refused("destination.refused", f"{destination.name} refused the object {sentence}", status)
    if status >= 500 or status in FOR_NOW:
        error = TryAgain("destination.busy", f"{destination.name} cannot store it now {sentence}")
    return Sent(uid, None, error=error)


def _said(answer: httpx.Response, uid: str) -> int | None:
    """The DICOM status that a store response gives for an instance; None where it says nothing about it."""
    if not (answer.is_success or answer.status_code == CONFLICT):
        return None
    try:
        said = Dataset.from_json(answer.json())
        kept, failed = said.get("ReferencedSOPSequence") or (), said.get("FailedSOPSequence") or ()
        reasons = [(one, "FailureReason", 0x0110) for one in failed] + [(one, "WarningReason", SUCCESS) for one in kept]
        return next((int(one.get(key) or other) for one, key, other in reasons if one.ReferencedSOPInstanceUID == uid), None)
    except Exception:  # noqa: BLE001 - whatever a server sends as JSON: then its HTTP status alone counts
        return None


def _shows(client: httpx.Client, reference: Reference, destination: Destination) -> bool:
    series = f"/studies/{reference.study_instance_uid}/series/{reference.series_instance_uid}"
    answer = client.get(f"{series}/instances", params={"SOPInstanceUID": reference.sop_instance_uid}, headers=JSON)
    if answer.status_code in NOT_OFFERED:
        return _has(client, f"{series}/instances/{reference.sop_instance_uid}/metadata", destination)
    if answer.status_code in (NO_CONTENT, NOT_FOUND, GONE):
        return False
    _must_answer(answer, destination)
    return reference.sop_instance_uid in _uids(answer)


def _has(client: httpx.Client, path: str, destination: Destination) -> bool:
    """By its metadata (WADO-RS), where a search is not offered."""
    answer = client.get(path, headers=JSON)
    if answer.status_code in (NOT_FOUND, GONE):
        return False
    _must_answer(answer, destination)
    return True


def _must_answer(answer: httpx.Response, destination: Destination) -> None:
    status = answer.status_code
    if status >= 500 or status in FOR_NOW:
        raise TryAgain("destination.busy", f"{destination.name} cannot be asked now (HTTP {status})")
    if not answer.is_success:
        raise Refused("destination.find", f"{destination.name} refused the query (HTTP {status})", status)


def _uids(answer: httpx.Response) -> frozenset[str]:
    try:
        items: list[Any] = answer.json()
        return frozenset(str(uid) for item in items for uid in item.get("00080018", {}).get("Value", ()))
    except (ValueError, AttributeError, TypeError):
        return frozenset()
