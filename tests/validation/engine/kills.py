"""Who is killed next, and what then becomes of its work."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.store.index import Index
from tests.validation.engine.parts import HEARTBEAT_S, Part, Parts
from tests.validation.engine.server import Server

# Most of what can go wrong is the worker's.
ALONE = ("listener", "worker", "worker", "child", "web")
# With others: one that has work and stays away until the others have taken it, and connections that break.
TOGETHER = (*ALONE, "worker", "holder", "holder", "connections of one", "connections of all")
LATEST_S = 2.0  # of a random instant, after the victim serves
EARLIEST_S = 8.0  # a holder of work is looked for as long
GIVEN_UP_S = 60.0


@dataclass(slots=True)
class Tally:
    """What happened; `faults` are sentences, `taken_s` how long it took each time until others had a dead worker's work."""

    kills: Counter[str] = field(default_factory=Counter)
    studies: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    taken_s: list[float] = field(default_factory=list)


class Killer:
    """Kills one part at a time, which is started again as a supervisor does. `server` is what several workers share."""

    def __init__(self, parts: Parts, chance: random.Random, tally: Tally, server: Server | None, index: Index | None) -> None:
        self._parts = parts
        self._chance = chance
        self._tally = tally
        self._server = server
        self._index = index

    def kill(self) -> None:
        """A random victim, at a random instant after it serves."""
        victim = self._chance.choice(ALONE if self._server is None else TOGETHER)
        done = {"child": self._child, "holder": self._holder, "connections of one": self._one, "connections of all": self._all}
        self._tally.kills[victim] += done[victim]() if victim in done else self._part(victim)

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

    def _one(self) -> int:
        """Every connection of one part to the database."""
        name = self._chance.choice(sorted(self._parts.all))
        self._serving(name)
        return int(self._server is not None and self._server.cut([name]) > 0)

    def _all(self) -> int:
        """Every connection of every part, as when the server is started again."""
        for name in self._parts.all:
            self._serving(name, 0.0)
        time.sleep(self._chance.uniform(0.0, LATEST_S))
        return int(self._server is not None and self._server.cut(list(self._parts.all)) > 0)

    def _holder(self) -> int:
        """A worker that has work, which stays away; nobody else is killed until the others have taken all of it."""
        for name in self._parts.all:
            self._serving(name, 0.0)
        holders = self._holders()
        if self._index is None or not holders:
            return 0
        part = self._parts.all[self._chance.choice(holders)]
        part.kill()
        began, left = time.monotonic(), self._index.work.jobs_of(part.name)
        while self._index.work.jobs_of(part.name) and time.monotonic() - began < GIVEN_UP_S:
            time.sleep(0.02)
        if left:
            self._note(time.monotonic() - began)
        part.start()
        return 1

    def _holders(self) -> list[str]:
        deadline = time.monotonic() + EARLIEST_S
        while not (found := sorted(self._having_work())) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def _having_work(self) -> Iterator[str]:
        return (name for name in self._parts.workers if self._index is not None and self._index.work.jobs_of(name))

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
