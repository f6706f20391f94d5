"""Remove what has been kept for long enough: at quiet hours, in small pieces, with pauses in which others get their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from time import monotonic

import structlog

from service.jobs.looking import Looking, Next, Rhythm
from service.store.files import Files
from service.store.index import Index
from service.store.retention import Stock

LOOK_S = 60.0
PIECE = 5  # studies in one transaction: others wait for that long

log = structlog.get_logger("retention")


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is kept, and when it may leave: between two times of the day (`begin` to `end`, local).

    A kind that is not named is kept for ever. `share` is the part of the time that removing may take.
    """

    longest: Mapping[Stock, timedelta] = field(default_factory=dict)
    begin: time = time(22)
    end: time = time(5)
    share: float = 0.1

    def is_quiet(self, now: time) -> bool:
        """Whether it is one of the hours in which things may leave; they may go past midnight.

        >>> [Keeping(begin=time(22), end=time(5)).is_quiet(time(hour)) for hour in (21, 22, 4, 5)]
        [False, True, True, False]
        >>> [Keeping(begin=time(1), end=time(5)).is_quiet(time(hour)) for hour in (0, 1, 5)]
        [False, True, False]
        """
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end


class Tidying:
    """One thread. Several workers may have one: what leaves, leaves once, and a file that is gone already is no fault."""

    def __init__(
        self,
        index: Index,
        files: Files,
        keeping: Keeping,
        clock: Callable[[], datetime],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._index = index
        self._files = files
        self._keeping = keeping
        self._clock = clock
        self._ticks = ticks
        self._looking = Looking("tidying", self._look, Rhythm(LOOK_S, LOOK_S))
        self._stop = self._looking.stopping

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self) -> None:
        """Stop between two pieces; the rest goes the next time."""
        self._looking.stop()

    def look(self) -> int:
        """Remove what is old, as long as the hours are quiet; gives how many studies lost something.

        Nothing leaves while the listener lies where it died: the next start of it would bring back what its journal names.
        """
        if self._may_go_on() and self._files.journal_is_left(self._clock().timestamp()):
            log.warning("removing_waits", reason="the listener died and has not been started again")
            return 0
        self._rest_of_before()
        removed = sum(sum(self._leaving(stock, self._clock() - longest)) for stock, longest in self._keeping.longest.items())
        if removed:
            log.info("removed", studies=removed)
        return removed

    def _leaving(self, stock: Stock, before: datetime) -> Iterator[int]:
        """How many studies lost something, piece by piece."""
        while old := self._index.retention.old(stock, before):
            done = 0
            for piece in (old[first : first + PIECE] for first in range(0, len(old), PIECE)):
                if not self._may_go_on():
                    return
                began = self._ticks()
                gone = self._index.retention.doom(piece, before, self._clock())
                yield gone
                done += gone
                self._pause(began)
                self._rest_of_before()
            if not done:
                return

    def _rest_of_before(self) -> None:
        """Remove the files that no row names any more: of this study, or what a crash left."""
        while self._may_go_on() and (keys := self._index.retention.doomed()):
            began = self._ticks()
            self._files.remove_durably(keys)
            self._index.retention.gone(keys)
            self._pause(began)

    def _may_go_on(self) -> bool:
        return not self._stop.is_set() and self._keeping.is_quiet(self._clock().astimezone().time())

    def _pause(self, began: float) -> None:
        self._stop.wait((self._ticks() - began) * (1.0 / self._keeping.share - 1.0))

    def _look(self) -> Next:
        self.look()
        return Next.SOON
