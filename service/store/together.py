"""Rows of instances that arrive at the same time, committed together: a transaction costs as much as the row in it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from service.store import arrivals
from service.store.database import Database
from service.store.records import Added, Received


@dataclass(slots=True, eq=False)
class _Asked:
    """A row that is wanted, and what it was to its study once it is committed."""

    received: Received
    added: Added | None = None


class Together:
    """Makes rows for many threads. Whoever comes to his turn takes along all who wait; nobody waits for company."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Asked] = deque()
        self._turn = threading.Lock()

    def add(self, received: Received) -> Added:
        """Make the row of an instance and say what it is to its study; when this returns it is committed.

        Raises:
            TryAgain: when the database does not answer.
        """
        mine = _Asked(received)
        self._waiting.append(mine)
        with self._turn:
            return mine.added or self._take_along(mine)

    def _take_along(self, mine: _Asked) -> Added:
        others = [one for one in self._all_waiting() if one is not mine]
        try:
            return self._commit(mine, others)
        except Exception:
            if not others:
                raise
        return self._commit(mine, ())  # the fault may be in the row of somebody else, whose own turn comes

    def _all_waiting(self) -> Iterable[_Asked]:
        while self._waiting:
            yield self._waiting.popleft()

    def _commit(self, mine: _Asked, others: Iterable[_Asked]) -> Added:
        with self._database.write(synced=False) as connection:
            done = [(one, arrivals.add_instance(connection, one.received)) for one in (mine, *others)]
        for one, added in done:
            one.added = added
        return done[0][1]
