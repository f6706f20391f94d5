"""Open an association as requestor, and say what is really wrong when there is none.

pynetdicom calls every failure "aborted". The cause is in the peer's rejection, or is found by trying the address with a plain
socket: only after a failure, because a connection without a request occupies many archives until their timeout.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.presentation import PresentationContext

from service.dicom.checkpoint import Gate
from service.dicom.destination import Caller, Destination
from service.dicom.tls import Credentials, requestor_context, why
from service.errors import TryAgain

Handlers = Sequence[tuple[Any, Callable[..., Any]]]
NO_CONTEXT = "destination.no_context"
SYNTAXES_REFUSED = 4  # PS3.8 table 9-18
_REASONS = {1: "refused by its user", 3: "SOP class not supported"}
_PAUSE_S = 5.0  # how long a release waits for the other thread of its association
_LOOK_S = 0.001
_ALERT_S = 2.0  # how long a peer may take to say what it does not like about our certificate
MAXIMUM_PDU = 131072  # larger brings nothing (measured)


@contextmanager
def associate(
    destination: Destination, caller: Caller, contexts: Sequence[PresentationContext], handlers: Handlers = ()
) -> Iterator[Any]:
    """An established association, released at the end; `handlers` hear what comes on it.

    Raises:
        TryAgain: There is none, with the cause: nothing listens, no answer, rejected and why. A rejection counts as
            temporary too: it is about how the two ends are configured, not about what was to be sent, and the results
            must flow by themselves once somebody has put that right.
    """
    tls = _Tls(*_tls(destination)) if destination.tls is not None else None
    entity = _Entity(caller)
    association = entity.associate(
        _resolved(destination),
        destination.port,
        contexts=list(contexts),
        ae_title=destination.ae_title,
        max_pdu=MAXIMUM_PDU,
        tls_args=tls and (tls, tls.host_name),
        evt_handlers=[(evt.EVT_CONN_OPEN, entity.note_connection), *handlers],
    )
    if not association.is_established:
        cause = entity.cause(association, destination)
        if tls is not None:
            tls.close()
        raise cause
    try:
        yield association
    finally:
        if association.is_established:
            _release(association)
            entity.close()
            if tls is not None:
                tls.close()


def _release(association: Any) -> None:
    """What `Association.release` does, with a limit: abort when its other thread does not pause.

    pynetdicom waits for that without end, and who answers a message at the wrong moment takes back that it paused.
    """
    association._reactor_checkpoint.clear()  # noqa: SLF001
    deadline = time.monotonic() + _PAUSE_S
    while not association._is_paused and time.monotonic() < deadline:  # noqa: SLF001
        time.sleep(_LOOK_S)
    if association._is_paused:  # noqa: SLF001
        association.acse.negotiate_release()
        association._reactor_checkpoint.set()  # noqa: SLF001
    else:
        association.abort()


def refusal(context: Any) -> str:
    """What the other end said no to, with its reason: the SOP class as a whole, or the transfer syntaxes offered for it."""
    name = UID(context.abstract_syntax).name
    if context.result == SYNTAXES_REFUSED:
        return f"{name} in {' or '.join(UID(syntax).name for syntax in context.transfer_syntax)} (transfer syntax refused)"
    return f"{name} ({_REASONS.get(context.result, 'no reason given')})"


class _Entity(AE):
    """An application entity for one association, that knows how far it came."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(ae_title=caller.ae_title)
        self.connection_timeout = caller.timeout_s
        self.acse_timeout = caller.timeout_s
        self.dimse_timeout = caller.timeout_s
        self.network_timeout = caller.timeout_s
        self._connected = False
        self._raw: socket.socket | None = None

    def note_connection(self, event: Any) -> None:
        """The other end took the connection. From now on no read or write of it may stand still for longer than the time limit.

        The library takes the limit away once connected, and then waits for its thread without end: an archive that hung in the
        middle of a PDU held up all that was to follow, for ever.
        """
        self._connected = True
        event.assoc.dul.socket.socket.settimeout(self.network_timeout)

    def cause(self, association: Any, destination: Destination) -> TryAgain:
        """Why there is no association."""
        if association.is_rejected:
            return _rejection(association, destination)
        if not self._connected:
            self.close()
            reason = _probe(destination, float(self.connection_timeout))
            return TryAgain("destination.unreachable", f"{destination.name} ({destination.address}): {reason}")
        if association.rejected_contexts and not association.accepted_contexts:
            refused = "; ".join(dict.fromkeys(refusal(context) for context in association.rejected_contexts))
            sentence = f"{destination.name} ({destination.address}) accepts none of the object types offered to it: {refused}"
            return TryAgain(NO_CONTEXT, sentence)
        self.close()
        if reason := _tls_fault(destination, float(self.connection_timeout)):
            return TryAgain("destination.tls", f"{destination.name} ({destination.address}): {reason}")
        sentence = f"{destination.name} ({destination.address}) can be reached but did not answer as a DICOM node"
        return TryAgain("destination.no_answer", sentence)

    def _create_socket(self, association: Any, *arguments: Any) -> Any:
        """Keep the socket: the library forgets to close it when nothing listens. And its thread steals no answers."""
        association._reactor_checkpoint = Gate(association)  # noqa: SLF001
        made = super()._create_socket(association, *arguments)
        self._raw = made.socket
        return made

    def close(self) -> None:
        """Close the connection, if there was one."""
        if self._raw is not None:
            self._raw.close()


class _Tls:
    """What pynetdicom takes for a context: it remembers the connection, which the library forgets to close when it fails."""

    def __init__(self, context: ssl.SSLContext, host_name: str) -> None:
        self._context = context
        self.host_name = host_name
        self._connection: ssl.SSLSocket | None = None

    def wrap_socket(self, plain: socket.socket, **more: Any) -> ssl.SSLSocket:
        """The connection behind TLS."""
        self._connection = self._context.wrap_socket(plain, **more)
        return self._connection

    def close(self) -> None:
        """Close it."""
        if self._connection is not None:
            self._connection.close()


def _resolved(destination: Destination) -> str:
    try:
        return str(socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as fault:
        sentence = f"{destination.name} ({destination.address}): the name of the host is not known ({fault.strerror})"
        raise TryAgain("destination.unknown_host", sentence) from fault


def _rejection(association: Any, destination: Destination) -> TryAgain:
    answer = association.acceptor.primitive
    reason = f"{answer.result_str}, {answer.reason_str}" if answer is not None else "no reason given"
    sentence = f"{destination.name} ({destination.address}) rejected the association: {reason}"
    return TryAgain("destination.rejected", sentence)


def _tls(destination: Destination) -> tuple[ssl.SSLContext, str]:
    """A context, and the name that the certificate must hold; read anew each time, so that a new certificate counts at once.

    Raises:
        TryAgain: The files cannot be used.
    """
    credentials = destination.tls or Credentials()
    try:
        return requestor_context(credentials), destination.tls_name
    except OSError as fault:
        files = ", ".join(str(path) for path in credentials.files)
        raise TryAgain("destination.tls", f"{destination.name}: {files} cannot be used for TLS: {why(fault)}") from fault


def _tls_fault(destination: Destination, timeout_s: float) -> str:
    """Why there is no TLS with it; "" when there is. In TLS 1.3 a peer says no to our certificate only after the handshake."""
    if destination.tls is None:
        return ""
    context, name = _tls(destination)
    try:
        with (
            socket.create_connection((destination.host, destination.port), min(timeout_s, 5.0)) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            connection.settimeout(_ALERT_S)
            connection.recv(1)
    except TimeoutError:
        return ""
    except OSError as fault:
        return f"no TLS: {why(fault)}"
    return ""


def _probe(destination: Destination, timeout_s: float) -> str:
    """Why no connection can be made."""
    try:
        with socket.create_connection((destination.host, destination.port), min(timeout_s, 5.0)):
            pass
        return _tls_fault(destination, timeout_s) or "no connection could be made a moment ago"
    except ConnectionRefusedError:
        return "nothing listens at this address (connection refused)"
    except TimeoutError:
        return "no answer to the connection request (timeout)"
    except OSError as fault:
        return f"no connection ({fault.strerror or fault})"
