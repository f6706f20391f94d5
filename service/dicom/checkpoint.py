"""Where the thread of an association stops by, of the listener and of a sender."""

from __future__ import annotations

import threading
from typing import Any

LOOK_S = 5.0  # the thread of an association looks around at least this often


class Checkpoint(threading.Event):
    """Of the fast listener: it sleeps until there is something to do. pynetdicom's own looks a thousand times a second."""

    def __init__(self, association: Any) -> None:
        super().__init__()
        self._association = association
        self._work = threading.Event()
        self.established = threading.Event()  # all who want to know of the association have been told
        super().set()

    def set(self) -> None:
        """Let the loop go on."""
        super().set()
        self.wake()

    def wake(self) -> None:
        """Something came, or ended."""
        self._work.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Until something comes, or silence has lasted too long."""
        self.established.set()
        silence_left: float = self._association.dul._idle_timer.remaining + 0.01  # noqa: SLF001
        self._work.wait(max(0.0, min(LOOK_S, silence_left)))
        self._work.clear()
        return super().wait(timeout)


class Gate:
    """Of a sender: who closes it waits until the thread stands before it, and only then sends.

    Otherwise that thread takes the answer for a request and drops it. pynetdicom's own gate leaves the thread marked as
    standing there for a moment after it went through: on a busy machine one answer in about a thousand was lost, and its
    sender waited until the time limit.
    """

    def __init__(self, association: Any) -> None:
        self._association = association
        self._changed = threading.Condition()
        self._open = True
        self._standing = False

    def set(self) -> None:
        """Let the thread through."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Keep it; it is marked as paused once it stands here, or never comes again."""
        with self._changed:
            self._open = False
            self._association._is_paused = self._standing  # noqa: SLF001
        if self._association._kill:  # noqa: SLF001 - after the mark: whoever ends the thread sets both, in this order
            self._association._is_paused = True  # noqa: SLF001

    def is_set(self) -> bool:
        """Whether it is open."""
        return self._open

    def wait(self, timeout: float | None = None) -> bool:
        """The thread stops by; it goes through unmarked."""
        with self._changed:
            self._standing = self._association._is_paused = True  # noqa: SLF001
            passed = self._changed.wait_for(self.is_set, timeout)
            self._standing = self._association._is_paused = False  # noqa: SLF001
        return passed
