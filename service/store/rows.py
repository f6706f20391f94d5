"""Rows for files that are durable, and what to do about the repetitions among them and while the index is away."""

from __future__ import annotations

import threading
from collections import deque

import structlog

from service.errors import TryAgain
from service.store.files import Files
from service.store.index import Index
from service.store.records import Added, Kept, Received

_PATIENCE_S = 2.0  # a row takes milliseconds; whoever waits longer hears that the index is away

log = structlog.get_logger(__name__)


class Rows:
    """Gives files their rows, for many threads. While the index is away no file is taken that would only lie about.

    A file whose row could not be made stays: the row may have been committed although the answer did not come. It is looked
    after before the next one is taken, so that a sender who repeats and repeats fills no disk.
    """

    def __init__(self, files: Files, index: Index) -> None:
        self._files = files
        self._index = index
        self._left: deque[Received] = deque()
        self._turn = threading.Lock()

    def add(self, new: Received) -> Added:
        """Make the row of a durable file and say what it is to its study; a repetition leaves no file.

        Raises:
            TryAgain: when the index does not answer; the file is remembered.
            OSError: when a damaged first copy cannot be replaced.
        """
        try:
            return self._add(new)
        except TryAgain:
            self._left.append(new)
            raise

    def catch_up(self) -> None:
        """Make the rows that were left to do; most of the time there is none.

        Raises:
            TryAgain: when the index still does not answer: nothing new should be taken.
        """
        if not (self._left or self._turn.locked()):
            return
        if not self._turn.acquire(timeout=_PATIENCE_S):
            raise TryAgain("reception.index", "The index has not answered for a while.")
        try:
            while self._left:
                new = self._left.popleft()
                log.warning("row_made_late", key=new.key, outcome=self.add(new).value)
        finally:
            self._turn.release()

    def _add(self, new: Received) -> Added:
        added = self._index.add_instance(new)
        kept = Kept(new.key, new.sha256, new.size)
        while added is Added.DUPLICATE and not self._index.copies.keep_one(self._files, new.sop_instance_uid, kept):
            added = self._index.add_instance(new)  # what it repeats left in between
        return added
