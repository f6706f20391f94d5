"""A thread that looks again and again: one way to wait, to go on after a fault, and to end.

What is to be done stands in the index, so each thread of a worker looks there. As long as nothing waits for its time, it asks
only whether anything changed, which costs next to nothing: an idle service is idle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import structlog

log = structlog.get_logger("looking")


class Next(Enum):
    """When to look again, as a look says itself."""

    AT_ONCE = "there may be more to do"
    SOON = "something waits for its time"
    ON_CHANGE = "nothing is to be done before something changes"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Pauses (s): between two looks, after a fault, and the longest without a look even when nothing changed."""

    pause_s: float
    sulk_s: float = 0.5
    longest_s: float = 30.0


class Looking:
    """`look` is called by one thread until that is stopped.

    `mark` gives another value after any change; without one everything counts as changed.
    """

    def __init__(self, name: str, look: Callable[[], Next], rhythm: Rhythm, mark: Callable[[], object] = object) -> None:
        self._look = look
        self._rhythm = rhythm
        self._mark = mark
        self._seen: object = None
        self._look_by = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to look, at once."""
        self._thread.start()

    def stop(self, drain_s: float | None = None) -> None:
        """Begin no other look; one that is under way may end, within `drain_s`."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(drain_s)

    def tell_to_stop(self) -> None:
        """Begin no other look, and wait for nothing."""
        self._stop.set()

    @property
    def alive(self) -> bool:
        """Whether it looks."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> threading.Event:
        """Set when it was told to stop: a look that takes long asks for it, and pauses by it."""
        return self._stop

    def _run(self) -> None:
        pause_s, then = 0.0, Next.AT_ONCE
        while not self._stop.wait(pause_s):
            try:
                then = self._turn(then)
                pause_s = 0.0 if then is Next.AT_ONCE else self._rhythm.pause_s
            except Exception:  # an outer door: a lost database, a full disk or what nobody foresaw must not end the thread
                log.exception("look_failed", by=self._thread.name)
                pause_s, then = self._rhythm.sulk_s, Next.SOON

    def _turn(self, then: Next) -> Next:
        """Look, unless there is nothing new to see."""
        mark, now = self._mark(), time.monotonic()  # the mark before the look: what changes meanwhile is seen the next time
        if then is Next.ON_CHANGE and mark == self._seen and now < self._look_by:
            return then
        self._seen, self._look_by = mark, now + self._rhythm.longest_s
        return self._look()
