"""Callers that are turned away: one line in the log for each, and a count in the index for the page.

The index is written at most every `PAUSE_S`: whoever knocks decides how often, and must not keep the database busy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog

from service.dicom.access import printable
from service.errors import CryomarginError
from service.store.index import Index
from service.store.records import Rejected

PAUSE_S = 0.5
MOST_WAITING = 200

log = structlog.get_logger(__name__)


class Rejections:
    """The rejections of one listener."""

    def __init__(self, index: Index, clock: Callable[[], datetime]) -> None:
        self._index = index
        self._clock = clock
        self._waiting: dict[tuple[str, str, str, str], Rejected] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._timer: threading.Timer | None = None
        self._open = True

    def note(self, address: str, calling_ae: str, called_ae: str, reason: str) -> None:
        """Say it in the log, and count it."""
        calling, called = printable(calling_ae), printable(called_ae)
        log.warning("association_rejected", peer=address, calling_ae=calling, called_ae=called, reason=reason)
        now = self._clock()
        one = Rejected(address, calling, called, reason, now, now)
        with self._lock:
            self._count((address, calling, called, reason), one)
            if self._timer is None and self._open:
                self._timer = threading.Timer(PAUSE_S, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:  # whoever returns from here may close the index
            waiting = self._taken()
            if not waiting:
                return
            try:
                self._index.note_rejections(waiting)
            except CryomarginError as fault:
                log.error("rejections_not_counted", error=fault.code)  # noqa: TRY400 a database that is down is no fault of ours

    def close(self) -> None:
        """Write what waits; what comes from now on only the log has."""
        with self._lock:
            self._open = False
        self.flush()

    def _taken(self) -> list[Rejected]:
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        return waiting

    def _count(self, key: tuple[str, str, str, str], one: Rejected) -> None:
        before = self._waiting.get(key)
        if before is not None:
            self._waiting[key] = replace(before, times=before.times + 1, last_at=one.last_at)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[key] = one
