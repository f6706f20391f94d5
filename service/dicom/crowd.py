"""Whether so many studies wait already that whoever brings more is told to come later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from service.errors import TryAgain
from service.store.index import Index

CROWDED = "So many studies wait for their analysis that new ones must come later."
LOW = 0.9  # of the most: below it everybody is let in again, so that it does not change with every study
LOOK_S = 1.0
_BRINGS_NOTHING = frozenset({str(Verification), str(StorageCommitmentPushModel)})

log = structlog.get_logger(__name__)


class Crowd:
    """Counts the studies that wait, at most every `LOOK_S`. With `most` = 0 there is no limit."""

    def __init__(self, index: Index, most: int, ticks: Callable[[], float] = time.monotonic) -> None:
        self._index = index
        self._most = most
        self._ticks = ticks
        self._next = ticks()
        self._full = False
        self._lock = threading.Lock()

    def turns_away(self, association: Any) -> bool:
        """Whether this caller is told to come later: an echo or a report about our own objects never is."""
        return bool(self._most) and _brings_something(association) and self._is_full()

    def _is_full(self) -> bool:
        with self._lock:
            if self._ticks() >= self._next:
                self._next = self._ticks() + LOOK_S
                self._look()
            return self._full

    def _look(self) -> None:
        """An index that does not answer changes nothing: the instances themselves are refused then."""
        try:
            waiting = self._index.work.waiting()
        except TryAgain:
            return
        full = waiting >= (self._most * LOW if self._full else self._most)
        if full != self._full:
            log.warning("crowded" if full else "crowded_no_more", waiting=waiting, most=self._most)
        self._full = full


def _brings_something(association: Any) -> bool:
    contexts = association.requestor.primitive.presentation_context_definition_list
    return any(str(context.abstract_syntax) not in _BRINGS_NOTHING for context in contexts)
