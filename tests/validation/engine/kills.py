"""Who is killed next, and what then becomes of its work."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from service.store.index import Index
from tests.validation.engine.parts import HEARTBEAT_S, Part, Parts
from tests.validation.engine.server import Server

# Most of what can go wrong is the worker's.
ALONE = ("listener", "worker", "worker", "child", "web")
# With others: one that has work and stays away until the others have taken it, and connections that break.
TOGETHER = (*ALONE, "holder", "holder", "connections of one", "connections of all")
PRETEND_S = 1.5  # that an analysis takes there
LATEST_S = 2.0  # of a random instant, after the victim serves
EARLIEST_S = 8.0  # a holder of work is looked for as long
GIVEN_UP_S = 60.0
CUT_OFF = "network of a worker"
FAR_S = 8 * HEARTBEAT_S  # that a worker is without network at most: more than a take-over and the server's own limits need


@dataclass(slots=True)
class Tally:
    """What happened; `faults` are sentences.

    `taken_s` is how long it took each time until others had a dead worker's work, `far_s` the same of one that was cut off.
    """

    kills: Counter[str] = field(default_factory=Counter)
    studies: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    taken_s: list[float] = field(default_factory=list)
    far_s: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shared:
    """What several workers share; `more` brings another study."""

    server: Server
    index: Index
    more: Callable[[], None]


class Killer:
    """Kills one part at a time, which is started again as a supervisor does."""

    def __init__(self, parts: Parts, chance: random.Random, tally: Tally, shared: Shared | None) -> None:
        self._parts = parts
        self._chance = chance
        self._tally = tally
        self._shared = shared

    def kill(self) -> None:
        """A random victim, at a random instant after it serves."""
        victim = self._chance.choice(ALONE if self._shared is None else TOGETHER)
        if victim == "child":
            count = self._child()
        elif self._shared is not None and victim in TOGETHER[len(ALONE) :]:
            done = {"holder": self._holder, "connections of one": self._one, "connections of all": self._all}
            count = done[victim](self._shared)
        else:
            count = self._part(victim)
        self._tally.kills[victim] += count

    def cut_off(self) -> None:
        """A worker that has work loses the network, for a moment or for so long that others take the work; nobody dies."""
        shared = self._shared
        if shared is None or shared.server.hosts is None or (part := self._one_with_work(shared)) is None:
            return
        shared.server.hosts.pull(part.name)
        began, until = time.monotonic(), time.monotonic() + self._chance.uniform(0.0, FAR_S)
        had = bool(shared.index.work.jobs_of(part.name))
        while time.monotonic() < until:
            if had and not shared.index.work.jobs_of(part.name):
                self._tally.far_s.append(time.monotonic() - began)
                had = False
            time.sleep(0.05)
        shared.server.hosts.plug(part.name)
        self._tally.kills[CUT_OFF] += 1

    def _part(self, victim: str) -> int:
        part = self._serving(self._chance.choice(self._parts.workers) if victim == "worker" else victim)
        part.kill()
        part.start()
        return 1

    def _child(self) -> int:
        """The analysis alone, of a worker that has one."""
        names = self._parts.workers
        part = self._serving(next((name for name in names if self._parts.all[name].has_child()), self._chance.choice(names)))
        return int(part.kill_child())

    def _one(self, shared: Shared) -> int:
        """Every connection of one part to the database."""
        name = self._chance.choice(sorted(self._parts.all))
        self._serving(name)
        return int(shared.server.cut([name]) > 0)

    def _all(self, shared: Shared) -> int:
        """Every connection of every part, as when the server is started again."""
        self._all_serve()
        time.sleep(self._chance.uniform(0.0, LATEST_S))
        return int(shared.server.cut(list(self._parts.all)) > 0)

    def _holder(self, shared: Shared) -> int:
        """A worker that has work, which stays away; nobody else is killed until the others have taken all of it."""
        part = self._one_with_work(shared)
        if part is None:
            return 0
        work = shared.index.work
        part.kill()
        began, left = time.monotonic(), work.jobs_of(part.name)
        while work.jobs_of(part.name) and time.monotonic() - began < GIVEN_UP_S:
            time.sleep(0.02)
        if left:
            self._note(time.monotonic() - began)
        part.start()
        return 1

    def _one_with_work(self, shared: Shared) -> Part | None:
        """A worker in the middle of an analysis, or just before or after."""
        self._all_serve()
        shared.more()
        holders = self._holders(shared.index)
        if not holders:
            return None
        time.sleep(self._chance.uniform(0.0, PRETEND_S))
        return self._parts.all[self._chance.choice(holders)]

    def _holders(self, index: Index) -> list[str]:
        deadline = time.monotonic() + EARLIEST_S
        while True:
            found = [name for name in self._parts.workers if index.work.jobs_of(name)]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def _all_serve(self) -> None:
        for name in self._parts.all:
            self._serving(name, 0.0)

    def _note(self, taken_s: float) -> None:
        self._tally.taken_s.append(taken_s)
        if taken_s > 3 * HEARTBEAT_S:
            self._tally.faults.append(f"the work of a dead worker was taken over after {taken_s:.1f} s")

    def _serving(self, name: str, latest_s: float = LATEST_S) -> Part:
        """A part that serves, at a random instant after that."""
        part = self._parts.all[name]
        while not part.is_ready():
            time.sleep(0.05)
        time.sleep(self._chance.uniform(0.0, latest_s))
        return part
