"""Whether an analysis that runs is still wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from service.errors import TryAgain
from service.jobs.job import Interrupted, Job, Unwanted
from service.store.index import Index

LOOK_S = 1.0  # how often the index is asked, so how long a cancelled analysis may still run


class Watch:
    """Asks the index now and then: whoever cancels may do it in another process, on another machine."""

    def __init__(self, index: Index, job: Job, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._index = index
        self._job = job
        self._stop = stop
        self._clock = clock
        self._next = clock() + LOOK_S

    def look(self) -> None:
        """Does nothing while the analysis is wanted.

        Raises:
            Interrupted: The service stops; the job goes on at the next start.
            Unwanted: It was cancelled, or begun anew elsewhere.
        """
        if self._stop.is_set():
            raise Interrupted
        if self._clock() < self._next:
            return
        self._next = self._clock() + LOOK_S
        if not self._is_wanted():
            raise Unwanted

    def _is_wanted(self) -> bool:
        """An index that does not answer now is no reason to end an analysis."""
        try:
            return self._index.work.is_wanted(self._job.key)
        except TryAgain:
            return True
