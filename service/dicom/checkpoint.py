"""Where the thread of an association waits in the fast listener: that of pynetdicom looks a thousand times a second."""

from __future__ import annotations

import threading
from typing import Any

LOOK_S = 5.0  # the thread of an association looks around at least this often


class Checkpoint(threading.Event):
    """Where pynetdicom's loop of an association stops by: here it sleeps until there is something to do."""

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
