"""Open an association as requestor, and say what is really wrong when there is none.

pynetdicom calls every failure "aborted" (and leaves its socket open when nothing listens): so the address is tried with a
plain socket first, and a rejection is looked up in the peer's answer.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE
from pynetdicom.presentation import PresentationContext

from service.dicom.destination import Caller, Destination
from service.errors import TryAgain

NO_CONTEXT = "destination.no_context"
MAXIMUM_PDU = 131072  # larger brings nothing (measured)


@contextmanager
def associate(destination: Destination, caller: Caller, contexts: Sequence[PresentationContext]) -> Iterator[Any]:
    """An established association, released at the end.

    Raises:
        TryAgain: There is none, with the cause: nothing listens, no answer, rejected and why. A rejection counts as
            temporary too: it is about how the two ends are configured, not about what was to be sent, and the results
            must flow by themselves once somebody has put that right.
    """
    unreachable = _probe(destination, caller)
    if unreachable:
        raise TryAgain("destination.unreachable", f"{destination.name} ({destination.address}): {unreachable}")
    association = _ae(caller).associate(
        destination.host, destination.port, contexts=list(contexts), ae_title=destination.ae_title, max_pdu=MAXIMUM_PDU
    )
    if not association.is_established:
        raise _cause(association, destination)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def _ae(caller: Caller) -> AE:
    entity = AE(ae_title=caller.ae_title)
    entity.connection_timeout = caller.timeout_s
    entity.acse_timeout = caller.timeout_s
    entity.dimse_timeout = caller.timeout_s
    entity.network_timeout = caller.timeout_s
    return entity


def _cause(association: Any, destination: Destination) -> TryAgain:
    if association.is_rejected:
        return _rejection(association, destination)
    if association.rejected_contexts and not association.accepted_contexts:
        sentence = f"{destination.name} ({destination.address}) accepts none of the object types offered to it"
        return TryAgain(NO_CONTEXT, sentence)
    sentence = f"{destination.name} ({destination.address}) can be reached but did not answer as a DICOM node"
    return TryAgain("destination.no_answer", sentence)


def _rejection(association: Any, destination: Destination) -> TryAgain:
    answer = association.acceptor.primitive
    reason = f"{answer.result_str}, {answer.reason_str}" if answer is not None else "no reason given"
    sentence = f"{destination.name} ({destination.address}) rejected the association: {reason}"
    return TryAgain("destination.rejected", sentence)


def _probe(destination: Destination, caller: Caller) -> str:
    """Why no connection can be made, "" when one can."""
    try:
        with socket.create_connection((destination.host, destination.port), min(caller.timeout_s, 5.0)):
            return ""
    except ConnectionRefusedError:
        return "nothing listens at this address (connection refused)"
    except TimeoutError:
        return "no answer to the connection request (timeout)"
    except OSError as fault:
        return f"no connection ({fault.strerror or fault})"
