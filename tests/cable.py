"""The network between a program and a server, which can be cut: then nothing passes any more, and nobody is told."""

from __future__ import annotations

import os
import selectors
import socket
import struct
import threading
from contextlib import suppress

RESET = struct.pack("ii", 1, 0)  # linger for no time: the other side is told that the connection is no more


class Cable:
    """Listens on a port of loopback and passes on to the socket file `target`, both ways, in a thread of its own."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self._ends: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._told, self._tell = os.pipe()
        self._is_cut = self._is_over = False
        self._changed = threading.Event()
        self._selector.register(self._told, selectors.EVENT_READ)
        self._selector.register(self._door, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """From now on nothing passes; who connects hears nothing."""
        self._is_cut = True
        self._say()

    def mend(self) -> None:
        """What connects now passes; what was there when it was cut is forgotten, and its ends hear that."""
        self._is_cut = False
        self._say()

    def close(self) -> None:
        """End."""
        self._is_over = True
        os.write(self._tell, b".")
        self._thread.join()
        for one in (self._told, self._tell):
            os.close(one)

    def _say(self) -> None:
        """Return once the thread has done it."""
        self._changed.clear()
        os.write(self._tell, b".")
        self._changed.wait()

    def _pass_on(self) -> None:
        while not self._is_over:
            for key, _ in self._selector.select():
                if key.fileobj == self._told:
                    os.read(self._told, 1)
                    if not self._is_over:
                        self._change()
                    break  # what else is there to read may not be passed on any more
                if key.fileobj is self._door:
                    self._open()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._ends:
                    self._read(key.fileobj)
        self._forget()
        self._selector.close()
        self._door.close()

    def _change(self) -> None:
        if self._is_cut:
            for one in (self._door, *self._ends):
                self._selector.unregister(one)
        elif self._door not in {key.fileobj for key in self._selector.get_map().values()}:
            self._forget()
            self._selector.register(self._door, selectors.EVENT_READ)
        self._changed.set()

    def _open(self) -> None:
        near, _ = self._door.accept()
        far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        far.connect(self._target)
        for one, other in ((near, far), (far, near)):
            self._ends[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _read(self, one: socket.socket) -> None:
        other = self._ends[one]
        try:
            read = one.recv(65536)
            other.sendall(read)
        except OSError:
            read = b""
        if not read:
            self._end(one)

    def _end(self, one: socket.socket) -> None:
        for end in (one, self._ends.pop(one)):
            self._ends.pop(end, None)
            with suppress(KeyError):
                self._selector.unregister(end)
            end.close()

    def _forget(self) -> None:
        for one in list(self._ends):
            if one in self._ends:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self._end(one)
