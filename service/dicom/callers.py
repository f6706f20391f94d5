"""Who is connected: associations noted in the index when they open and close, with the cause of every end.

pynetdicom calls every end of a connection but a release "aborted"; the cause is gathered here from its events. They come
from two threads of the association: the one that serves it and the one that reads its socket.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pynetdicom import evt
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT

from service import metrics
from service.dicom.access import Access, Denied
from service.dicom.crowd import CROWDED, Crowd
from service.dicom.rejections import Rejections
from service.store.index import Index

log = structlog.get_logger(__name__)

# PS3.8 section 9.3.8.
_PROVIDER = {
    1: "unrecognised PDU",
    2: "unexpected PDU",
    4: "unrecognised parameter",
    5: "unexpected parameter",
    6: "invalid value",
}
_PERMANENT, _SERVICE_USER = 1, 1  # PS3.8 table 9-21
_LOST = "the connection was lost"
_GRACE_S = 2.0
_COME_LATER = 2, 3, 1  # transient, by the provider (presentation), temporary congestion: PS3.8 table 9-21


@dataclass(slots=True)
class Caller:
    """One open association; `cause` is why it ends, as soon as that is known."""

    association_id: str
    peer: str
    ae_title: str
    opened: float
    instances: int = 0
    bytes: int = 0
    cause: str = ""
    ended: bool = False


class Callers:
    """The open associations of one listener, and who is let in."""

    def __init__(self, index: Index, clock: Callable[[], datetime], access: Access, crowd: Crowd) -> None:
        self._index = index
        self._clock = clock
        self._access = access
        self._crowd = crowd
        self.rejections = Rejections(index, clock)
        self._open: dict[Any, Caller] = {}
        self._sockets: MutableMapping[Any, Any] = weakref.WeakKeyDictionary()
        self._causes: MutableMapping[Any, str] = weakref.WeakKeyDictionary()  # of those that are no association
        self._lock = threading.Lock()
        self._busy = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def idle(self) -> bool:
        """Whether no association is open and nothing is being written for one."""
        return not self._open and not self._busy

    def handlers(self) -> list[tuple[Any, Callable[[Any], None]]]:
        """What to bind to the events of the server."""
        return [
            (evt.EVT_CONN_OPEN, self._connected),
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_ACSE_RECV, self._told),
            (evt.EVT_ACSE_SENT, self._answered),
            (evt.EVT_RELEASED, lambda event: self._ended(event.assoc, "released")),
            (evt.EVT_ABORTED, lambda event: self._ended(event.assoc, "aborted")),
            (evt.EVT_CONN_CLOSE, self._closed),
        ]

    def of(self, association: Any) -> Caller:
        """Who is at the other end."""
        return self._open.get(association) or _unknown(association)

    @contextmanager
    def storing(self, association: Any) -> Iterator[Caller]:
        """The caller that stores; when its connection went away meanwhile, it counts as closed only now."""
        caller = self.of(association)
        self._count(1)
        try:
            yield caller
            caller.instances += 1
            if caller.ended:
                self._index.association_closed(caller.association_id, self._clock())
        finally:
            self._count(-1)

    def hang_up(self) -> None:
        """End every connection: with an A-ABORT where there is an association, else by closing it."""
        for association, connection in list(self._sockets.items()):
            if association in self._open:
                association.abort(block=False)
            else:
                with suppress(OSError):  # it may just have ended by itself
                    connection.shutdown(socket.SHUT_RDWR)

    def _count(self, step: int) -> None:
        with self._lock:
            self._busy += step

    def _connected(self, event: Any) -> None:
        self._sockets[event.assoc] = event.assoc.dul.socket.socket

    def _requested(self, event: Any) -> None:
        """Reject whoever may not call, and whoever must come later, before anything is negotiated."""
        denied = self._denied(event.assoc)
        if denied is not None:
            event.assoc.acse.send_reject(_PERMANENT, _SERVICE_USER, denied.diagnostic)
            event.assoc.kill()
        elif self._crowd.turns_away(event.assoc):
            event.assoc.acse.send_reject(*_COME_LATER)
            event.assoc.kill()

    def _denied(self, association: Any) -> Denied | None:
        asked = association.requestor.primitive
        return self._access.denial(asked.called_ae_title, asked.calling_ae_title, association.requestor.address)

    def _accepted(self, event: Any) -> None:
        caller = Caller(uuid.uuid4().hex, _peer(event.assoc), event.assoc.requestor.ae_title, time.monotonic())
        with self._lock:
            self._open[event.assoc] = caller
        self._index.association_opened(caller.association_id, caller.peer, caller.ae_title, self._clock())
        log.debug("association_opened", peer=caller.peer, calling_ae=caller.ae_title, association=caller.association_id)

    def _told(self, event: Any) -> None:
        """The peer, or the reader of its socket, says why it ends."""
        if isinstance(event.primitive, A_ABORT):
            self.because(event.assoc, "the peer sent A-ABORT")
        elif isinstance(event.primitive, A_P_ABORT):
            self.because(event.assoc, _PROVIDER.get(event.primitive.provider_reason, _LOST))

    def _answered(self, event: Any) -> None:
        """We say no, or end it."""
        primitive = event.primitive
        if isinstance(primitive, A_ASSOCIATE) and primitive.result:
            denied = self._denied(event.assoc)
            reason = denied.sentence if denied else _why(primitive)
            asked = event.assoc.requestor.primitive
            self._reject(event.assoc.requestor.address, reason, asked.calling_ae_title, asked.called_ae_title)
        elif isinstance(primitive, A_ABORT | A_P_ABORT):
            self.because(event.assoc, "this service sent A-ABORT: silence for too long, a bad message, or the end of its drain")

    def because(self, association: Any, cause: str) -> None:
        """Why an association or a mere connection is about to end; the first that is said counts."""
        caller = self._open.get(association)
        if caller is None:
            self._causes.setdefault(association, cause)
        elif not caller.cause:
            caller.cause = cause

    def turned_away(self, peer: str, reason: str) -> None:
        """A connection was told to come later before it could ask for anything."""
        self._reject(peer, reason)

    def _reject(self, peer: str, reason: str, calling_ae: str = "", called_ae: str = "") -> None:
        self.rejections.note(peer, calling_ae, called_ae, reason)
        metrics.association_rejected(reason)

    def _closed(self, event: Any) -> None:
        association = event.assoc
        # pynetdicom forgets to close its socket when the peer ended the connection first.
        connection = self._sockets.pop(association, None)
        if connection is not None:
            connection.close()
        if association.requestor.primitive is None:
            cause = self._causes.pop(association, "no association was asked for")
            log.info("connection_closed", peer=_peer(association), cause=cause)
        elif association in self._open:
            # The thread that serves the association knows the cause better; if it ended without a word, it was lost.
            last_word = threading.Timer(_GRACE_S, self._ended, (association, _LOST))
            last_word.daemon = True
            last_word.start()

    def _ended(self, association: Any, cause: str) -> None:
        with self._lock:
            caller = self._open.pop(association, None)
            if caller is None:
                return
            self._busy += 1
        try:
            self._note_end(caller, caller.cause or cause)
        finally:
            self._count(-1)

    def _note_end(self, caller: Caller, cause: str) -> None:
        caller.ended = True
        self._index.association_closed(caller.association_id, self._clock())
        metrics.association_ended(cause)
        log.info(
            "association_closed",
            peer=caller.peer,
            calling_ae=caller.ae_title,
            association=caller.association_id,
            instances=caller.instances,
            bytes=caller.bytes,
            seconds=round(time.monotonic() - caller.opened, 3),
            cause=cause,
        )


def _why(primitive: Any) -> str:
    if (primitive.result, primitive.result_source, primitive.diagnostic) == _COME_LATER:
        return CROWDED
    return f"{primitive.result_str}, {primitive.reason_str}"


def _unknown(association: Any) -> Caller:
    """An association whose opening could not be noted: its instances count, its release cannot be waited for."""
    return Caller("", _peer(association), association.requestor.ae_title, time.monotonic())


def _peer(association: Any) -> str:
    return f"{association.requestor.address}:{association.requestor.port}"
