"""Show that this worker lives, and begin anew what a worker left that does not."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from service import __version__
from service.jobs.looking import Looking, Next, Rhythm
from service.store.index import Index
from service.store.orders import Machine

MISSED = 2.0  # heartbeats without a sign after which a worker counts as dead: with the looks between, below three

log = structlog.get_logger("watchdog")


@dataclass(frozen=True, slots=True)
class Pulse:
    """Who shows itself how often (s): name of a worker, shape of its workflows, how many analyses it takes, where it sends."""

    worker: str
    shape: str
    parallel: int
    every_s: float = 15.0
    destinations: tuple[str, ...] = ()


class Watchdog:
    """One thread. Whether another worker stands still is judged by its beats and our own clock: clocks need not agree."""

    def __init__(
        self, index: Index, pulse: Pulse, clock: Callable[[], datetime], ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._index = index
        self._pulse = pulse
        self._clock = clock
        self._ticks = ticks
        self._seen: dict[str, tuple[int, float]] = {}
        self._next_beat = 0.0
        self._looked = 0.0
        self._looking = Looking("watchdog", self.look, Rhythm(pulse.every_s / 5, pulse.every_s / 5))

    def join(self) -> None:
        """Be one of the workers. What an earlier one of this name left is gone on with; of another shape, it is begun anew."""
        pulse = self._pulse
        if not self._index.machines.join(pulse.worker, platform.node(), __version__, pulse.shape, self._clock()):
            self._take_over([pulse.worker])
        self._index.machines.sends_to(pulse.worker, pulse.destinations)

    def start(self) -> None:
        """Begin to beat and to watch."""
        self._looking.start()

    def stop(self) -> None:
        """Say goodbye: what is left is for the others at once."""
        self._looking.stop()
        self._index.machines.leave(self._pulse.worker)

    def look(self) -> Next:
        """Beat when it is time, and take over from those that are dead."""
        now = self._ticks()
        if now >= self._next_beat:
            self._index.machines.beat(self._pulse.worker, self._pulse.parallel, self._clock())
            self._next_beat = now + self._pulse.every_s  # only now: a beat that nobody heard is made up for at the next look
        machines = self._index.machines.all()
        if now - self._looked > self._pulse.every_s:
            self._seen.clear()  # we have seen nobody: the index was away, and perhaps for the others too
        self._looked = now
        self._take_over(self._dead(machines))
        return Next.SOON

    def _dead(self, machines: Iterable[Machine]) -> list[str]:
        return [one.name for one in machines if one.name != self._pulse.worker and self._is_dead(one) and one.jobs]

    def _is_dead(self, one: Machine) -> bool:
        beat, since = self._seen.get(one.name, (-1, 0.0))
        if beat != one.beat:
            self._seen[one.name] = (one.beat, self._ticks())
            return one.left
        return one.left or self._ticks() - since > MISSED * self._pulse.every_s

    def _take_over(self, workers: list[str]) -> None:
        for version in self._index.work.take_over(workers):
            log.warning("taken_over", study=version.study_instance_uid, job=version.job_id)
