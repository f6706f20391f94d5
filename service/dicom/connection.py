"""A connection whose every wait has an end: pynetdicom's socket, and the handshake of TLS."""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pynetdicom.transport import AssociationSocket

BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_LOST = "Evt17"  # PS3.8 table 9-10
_LOOK_MS = 100


class Connection(AssociationSocket):
    """A socket that never blocks for reading, and for a limited time for writing."""

    def __init__(self, association: Any, connection: socket.socket, stall_timeout_s: float) -> None:
        super().__init__(association, client_socket=connection)
        connection.setblocking(False)
        self._stall_timeout_s = stall_timeout_s

    def send(self, bytestream: bytes) -> None:
        """Send everything, or note that the connection is lost."""
        rest, deadline = memoryview(bytestream), time.monotonic() + self._stall_timeout_s
        try:
            while rest:
                rest = rest[self._send_some(rest, deadline) :]
        except OSError:
            self.event_queue.put(_LOST)

    def _send_some(self, content: memoryview, deadline: float) -> int:
        if self.socket is None:
            raise ConnectionError
        try:
            return int(self.socket.send(content))
        except BLOCKED:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            waiting = select.poll()
            waiting.register(self.socket, select.POLLOUT)
            waiting.poll(_LOOK_MS)
            return 0


class Bell:
    """Wakes a thread that waits in `poll`, from any other thread."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()

    def ring(self) -> None:
        """Wake it; nothing when it is gone."""
        with self._lock:
            if self.descriptor >= 0:
                os.eventfd_write(self.descriptor, 1)

    def hush(self) -> None:
        """It is awake."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.descriptor)

    def close(self) -> None:
        """It is gone."""
        with self._lock:
            os.close(self.descriptor)
            self.descriptor = -1


def shake_hands(connection: socket.socket, time_left_s: Callable[[], float]) -> bool:
    """Whether the peer may go on: after the handshake where TLS is spoken, at once elsewhere; False when its time was over.

    Raises:
        OSError: when it does not speak TLS, or not as it must.
    """
    while isinstance(connection, ssl.SSLSocket):
        try:
            connection.do_handshake()
        except BLOCKED as blocked:
            waiting = select.poll()
            waiting.register(connection, select.POLLOUT if isinstance(blocked, ssl.SSLWantWriteError) else select.POLLIN)
            waiting.poll(_LOOK_MS)
            if time_left_s() <= 0:
                return False
        else:
            return True
    return True
