"""Who connects: let in, told to come later, or made to give way. The fast listener's part of `socketserver`."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from pynetdicom import AE
from pynetdicom.transport import ThreadedAssociationServer

from service.dicom.door import Door
from service.dicom.fast import Handler
from service.dicom.half_open import HalfOpen
from service.dicom.known_uids import remember
from service.dicom.pdus import COME_LATER

_TOO_MANY = "too many connections that ask for nothing"
_LINGER_S = 1.0
_MOST_LEAVING = 64
_OUT_OF_DESCRIPTORS_S = 0.05

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most connections without an association, in all and from one peer."""

    half_open: int
    half_open_per_peer: int


class Server(ThreadedAssociationServer):
    """Accepts connections; an association counts from when it is asked for, a connection without one has limits of its own."""

    request_queue_size = 256

    def __init__(self, entity: AE, address: tuple[str, int], door: Door, limits: Limits, **more: Any) -> None:
        remember()
        self.door = door
        self._lock = threading.Lock()
        self._half_open: HalfOpen[Any] = HalfOpen(limits.half_open, limits.half_open_per_peer)
        self._asked: set[Any] = set()
        self._leaving: deque[tuple[float, socket.socket]] = deque()
        super().__init__(entity, address, entity.ae_title, request_handler=Handler, **more)

    @property
    def busy(self) -> bool:
        """Whether a thread still serves a connection."""
        with self._lock:
            return bool(self._asked or len(self._half_open))

    @property
    def active_associations(self) -> list[Any]:
        """The associations that were asked for and have not ended: those that the maximum is about."""
        with self._lock:
            return list(self._asked)

    # What readers say

    def entered(self, association: Any) -> None:
        """A connection was taken in."""
        with self._lock:
            self._half_open.add(association, association.requestor.address, time.monotonic())

    def asked(self, association: Any) -> None:
        """It has asked for an association."""
        with self._lock:
            self._half_open.remove(association)
            self._asked.add(association)

    def ended(self, association: Any) -> None:
        """It is over."""
        with self._lock:
            self._half_open.remove(association)
            self._asked.discard(association)

    # What socketserver calls

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection; a handshake is left to the thread that serves it."""
        try:
            connection, address = self.socket.accept()
        except OSError:
            time.sleep(_OUT_OF_DESCRIPTORS_S)  # it stays readable: without a pause this would spin
            raise
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection in, or tell it to come later."""
        with self._lock:
            room = self._half_open.make_room(client_address[0], time.monotonic())
        if room.gives_way:
            self.door.turned_away(client_address[0], f"{_TOO_MANY}: the oldest gave way")
            room.gives_way.dul.turn_away()
        if room.admitted:
            self.finish_request(request, client_address)
        else:
            self.door.turned_away(client_address[0], _TOO_MANY)
            self._say_later(request)

    def _say_later(self, connection: socket.socket) -> None:
        """A rejection, and a moment in which it can be read: a socket closed at once would take it back."""
        if not isinstance(connection, ssl.SSLSocket):
            with suppress(OSError):
                connection.setblocking(False)
                connection.send(COME_LATER)
                connection.shutdown(socket.SHUT_WR)
        self._leaving.append((time.monotonic() + _LINGER_S, connection))
        while len(self._leaving) > _MOST_LEAVING:
            self._leaving.popleft()[1].close()

    def service_actions(self) -> None:
        """Now and then: close those that have had their moment."""
        while self._leaving and self._leaving[0][0] < time.monotonic():
            self._leaving.popleft()[1].close()

    def server_close(self) -> None:
        """Stop listening."""
        super().server_close()
        while self._leaving:
            self._leaving.popleft()[1].close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver gives it
        """A connection that could not be taken in, for want of threads or descriptors."""
        log.error("connection_not_served", peer=client_address[0])


def accept(server: ThreadedAssociationServer) -> None:
    """Let a server that has its address take connections, in a thread of its own."""
    threading.Thread(target=server.serve_forever, name="dicom-accept", daemon=True).start()
    server.ae._servers.append(server)  # noqa: SLF001 - where `shutdown` takes it from
