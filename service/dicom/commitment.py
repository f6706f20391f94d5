"""Storage commitment: ask a destination to promise that it keeps what it took, and hear its answer (PS3.4 annex J).

The answer comes as an N-EVENT-REPORT: on the association of the request, or later on one that the destination opens to our
listener. Either way it is matched by its Transaction UID alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from service.dicom.association import NO_CONTEXT, Handlers, associate
from service.dicom.destination import Caller, Destination
from service.errors import CryomarginError, Refused, TryAgain

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
NO_SUCH_ARGUMENT = 0x0114
CLASS_NOT_SUPPORTED = 0x0122
REQUEST = 1  # PS3.4 table J.3-1
# PS3.3 section C.14.1.1: what may succeed when the object is sent again.
_FOR_NOW = {
    0x0110: "a failure in processing",
    0x0112: "it has no such object",
    0x0131: "another request is under way",
    0x0213: "it has no room",
}
_FOR_EVER = {0x0119: "the class is not that of the object that it has", 0x0122: "it does not support the class"}
LOOK_S = 0.02
ANSWERED_S = 5.0  # how long a report that was heard may take to be answered

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What a destination promises to keep and what not, with its reason (PS3.3 C.14.1.1), by SOP Instance UID."""

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, int]


Take = Callable[[Report], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """Who takes the report of a request, whether it is here by whatever way, and how long to wait for it (s)."""

    take: Take
    complete: Callable[[], bool]
    wait_s: float = 1.0


def ignore(report: Report) -> None:
    """For a listener that nobody waits behind."""
    log.warning("commitment_unknown", promised=len(report.committed), failed=len(report.failed))


def request(
    objects: Sequence[tuple[str, str]], transaction_uid: str, destination: Destination, caller: Caller, answers: Answers
) -> None:
    """Ask for a promise about `objects` (SOP class, SOP instance), and leave the association open for its answer for a while.

    Raises:
        TryAgain: No association, or no answer.
        Refused: It offers no storage commitment, or refused the request.
    """
    answering: list[threading.Thread] = []
    try:
        with associate(
            destination, caller, [build_context(StorageCommitmentPushModel)], handlers(answers.take, answering.append)
        ) as association:
            status, _ = association.send_n_action(
                _request(objects, transaction_uid), REQUEST, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            _must_have_been_taken(status.get("Status"), destination)
            _listen(association, answers)
            _let_answer(answering)
    except TryAgain as fault:
        if fault.code != NO_CONTEXT:
            raise
        raise Refused(fault.code, f"{destination.name} does not offer storage commitment", CLASS_NOT_SUPPORTED) from fault


def handlers(take: Take, begun: Callable[[threading.Thread], object] = lambda _: None) -> Handlers:
    """What to bind to the events of an association, or of the listener, so that `take` gets the reports.

    `take` may raise: the destination then hears that its report was not taken, and may repeat it. `begun` hears of each thread
    that answers a report.
    """

    def heard(event: Any) -> tuple[int, None]:
        begun(threading.current_thread())
        return _heard(event, take), None

    return [(evt.EVT_N_EVENT_REPORT, heard)]


def context() -> PresentationContext:
    """What the listener accepts for reports: the one that calls is the provider (PS3.4 section J.3.3, PS3.7 D.3.3.4)."""
    accepted = build_context(StorageCommitmentPushModel)
    accepted.scu_role, accepted.scp_role = False, True
    return accepted


def is_for_now(reason: int) -> bool:
    """Whether sending again may help; of a reason that the standard does not name nobody knows."""
    return reason not in _FOR_EVER


def failure(reason: int) -> str:
    """A reason in words.

    >>> failure(0x0112)
    'it has no such object (0x0112)'
    """
    return f"{(_FOR_NOW | _FOR_EVER).get(reason, 'no reason that the standard names')} (0x{reason:04X})"


def _request(objects: Iterable[tuple[str, str]], transaction_uid: str) -> Dataset:
    asked = Dataset()
    asked.TransactionUID = transaction_uid
    asked.ReferencedSOPSequence = [_item(sop_class, uid) for sop_class, uid in objects]
    return asked


def _item(sop_class: str, uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    return item


def _listen(association: Any, answers: Answers) -> None:
    deadline = time.monotonic() + answers.wait_s
    while association.is_established and not answers.complete() and time.monotonic() < deadline:
        time.sleep(LOOK_S)


def _let_answer(threads: Iterable[threading.Thread]) -> None:
    """A report is answered in a thread of its own after it was heard: a release before that would overtake the answer."""
    deadline = time.monotonic() + ANSWERED_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def _must_have_been_taken(status: int | None, destination: Destination) -> None:
    if status is None:
        raise TryAgain("destination.no_status", f"{destination.name} gave no answer to the request for storage commitment")
    if status in (PROCESSING_FAILURE, 0x0213):
        raise TryAgain(
            "destination.busy", f"{destination.name} cannot take the request for storage commitment (0x{status:04X})"
        )
    if status != SUCCESS:
        sentence = f"{destination.name} refused the request for storage commitment (0x{status:04X})"
        raise Refused("destination.commitment", sentence, status)


def _heard(event: Any, take: Take) -> int:
    """The status of the answer to a report."""
    try:
        report = _report(event.event_information)
    except Exception as fault:  # noqa: BLE001 - whatever a peer sends as a data set
        log.warning("commitment_unreadable", fault=type(fault).__name__)
        return PROCESSING_FAILURE
    if not report.transaction_uid:
        return NO_SUCH_ARGUMENT
    try:
        take(report)
    except CryomarginError as fault:
        log.warning("commitment_not_taken", reason=fault.sentence)
        return PROCESSING_FAILURE
    return SUCCESS


def _report(said: Dataset) -> Report:
    failed = {
        str(one.ReferencedSOPInstanceUID): int(one.get("FailureReason") or 0) for one in said.get("FailedSOPSequence") or ()
    }
    kept = frozenset(str(one.ReferencedSOPInstanceUID) for one in said.get("ReferencedSOPSequence") or ())
    return Report(str(said.get("TransactionUID", "")), kept - failed.keys(), failed)
