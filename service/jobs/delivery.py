"""Bring made objects to their destinations: what is due at one of them, one study at a time, in sending order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.dicom.destination import Destination, Verify
from service.errors import TryAgain
from service.jobs.job import Job
from service.jobs.verification import Verification
from service.jobs.visit import LostError, Means, Visit
from service.store.orders import Queue
from service.store.records import Delivery, DeliveryState, State, Version
from service.store.way import Held, Noted, Sign

_RESULTS, _THIS = "The results are", "The report of this is"  # the latter where nothing was measured
LIVES = timedelta(hours=1)  # what a worker that falls silent had to send is left to it for as long
HOLD_S = 30.0  # how long a worker that says nothing keeps a line


@dataclass(frozen=True, slots=True)
class Courier:
    """Sends what the outbox of the index holds. `worker` is its name among those that share the index."""

    means: Means
    destinations: tuple[Destination, ...]
    worker: str = "worker-1"
    hold_s: float = HOLD_S
    ticks: Callable[[], float] = time.monotonic
    seen: dict[str, tuple[Sign, float, float]] = field(default_factory=dict)  # of a holder: its sign, since when, until when

    def clock(self) -> datetime:
        """The time."""
        return self.means.clock()

    def plan(self, job: Job) -> None:
        """Every object to every destination that wants it.

        Raises:
            StaleError: The job was ended, or begun anew by somebody else.
        """
        wanted = {destination.name: destination.objects for destination in self.destinations}
        study, content = job.study_instance_uid, job.content_version
        self.means.index.plan_deliveries(study, content, list(wanted), self.clock(), wanted, attempt=job.attempt)

    def outlook(self) -> str:
        """What a study that is sent now has to expect: one sentence."""
        if self._is_paused():
            return "The results are ready and wait: deliveries are paused."
        down = [one.sentence for one in self.means.index.lines.all() if one.next_try_at is not None]
        return f"The results are ready and wait: {' '.join(down)}" if down else "The results are being sent."

    def visit(self, destination: Destination) -> bool:
        """Do what is due at a destination for one study; False when nothing is, or another worker is at it."""
        lines, name = self.means.index.lines, destination.name
        if not lines.due(name, self.clock()) or self._is_paused():
            return False
        with self._holding(destination) as held:
            due = lines.due(name, self.clock()) if held else []
            if held and due:
                self._make(Visit(self.means, destination, held), destination, due)
        return bool(due)

    def awaits(self, destination: Destination) -> bool:
        """Whether something is left to do at a destination, now or at its time."""
        return self.means.index.lines.awaits(destination.name)

    def _is_paused(self) -> bool:
        return Queue.DELIVERY in self.means.index.operators.paused()

    def settle(self) -> None:
        """End every study for which nothing is left to do, and what waits for destinations that are no more."""
        lines = self.means.index.lines
        for name in self._gone(lines.unfinished()):
            lines.drop(name, Noted(DeliveryState.FAILED, self.clock(), detail=f"{name} is no longer configured."))
        for version in lines.delivered():
            self._settle(version)

    def _gone(self, names: frozenset[str]) -> frozenset[str]:
        """Those to which no worker sends: another one may have another configuration while they are changed one by one."""
        unknown = names - {destination.name for destination in self.destinations}
        if not unknown:
            return unknown
        elsewhere = self.means.index.machines.elsewhere(self.worker, self.clock() - LIVES)
        return frozenset() if elsewhere is None else unknown - elsewhere

    def _make(self, visit: Visit, destination: Destination, due: list[Delivery]) -> None:
        """Send, then verify; what was sent earlier is only asked for."""
        verification, of = Verification(self.means, destination, visit), (due[0].study_instance_uid, due[0].content_version)
        try:
            waiting = [one for one in due if one.state is DeliveryState.PENDING]
            if waiting and not visit.send(waiting):
                return
            stored = self.means.index.lines.stored(destination.name, of, self.clock())
            verification.ask(stored)
        except LostError:
            return

    def _settle(self, version: Version) -> None:
        deliveries = self.means.index.deliveries(version.study_instance_uid, version.content_version)
        failed = " ".join(dict.fromkeys(one.detail for one in deliveries if one.state is DeliveryState.FAILED))
        ended = State.NOTHING_TO_DO if version.refusal else State.DONE
        said = " ".join(
            filter(None, (version.refusal, failed or self._arrived(deliveries, _THIS if version.refusal else _RESULTS)))
        )
        self.means.index.settle(version, State.FAILED if failed else ended, said, self.clock())

    def _arrived(self, deliveries: list[Delivery], what: str) -> str:
        """Where the results (`what`) are, and what nobody confirmed although it was to be."""
        names = {delivery.destination for delivery in deliveries if delivery.state is not DeliveryState.SUPERSEDED}
        receivers = [destination for destination in self.destinations if destination.name in names]
        if not receivers:
            nobody = "no destination wants any of these objects" if self.destinations else "no destination is configured"
            return f"{what} ready; {nobody}."
        asked = {destination.name for destination in receivers if destination.verify is not Verify.NONE}
        doubts = [one.detail for one in deliveries if one.state is DeliveryState.SENT and one.destination in asked]
        at = f"{what} at: {', '.join(destination.name for destination in receivers)}."
        return " ".join([at, *(f"{doubt[:1].upper()}{doubt[1:]}." for doubt in dict.fromkeys(doubts))])

    @contextmanager
    def _holding(self, destination: Destination) -> Iterator[Held | None]:
        """Hold the line, and keep it while this worker lives, however long the work takes."""
        lines, until = self.means.index.lines, self.clock() + timedelta(seconds=self.hold_s)
        held = lines.take(destination.name, self.worker, until, self._dead(destination.name))
        if held is None:
            yield None
            return
        done = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(held, done), name=f"hold-{destination.name}", daemon=True)
        keeper.start()
        try:
            yield held
        finally:
            done.set()
            keeper.join()
            lines.leave(held)

    def _dead(self, name: str) -> Sign | None:
        """The sign of a holder that has given no other for as long as it may, by our clock: those of machines need not agree.

        While we did not look it may have been the index that was away, and for the holder too.
        """
        sign, now = self.means.index.lines.sign(name), self.ticks()
        if sign is None:
            return None
        last, since, looked = self.seen.get(name, (None, now, now))
        since = since if sign == last and now - looked <= self.hold_s / 2 else now
        self.seen[name] = sign, since, now
        return sign if now - since > self.hold_s else None

    def _keep(self, held: Held, done: threading.Event) -> None:
        """An index that is away for a moment is asked again."""
        while not done.wait(self.hold_s / 4):
            with suppress(TryAgain):
                if not self.means.index.lines.keep(held, self.clock() + timedelta(seconds=self.hold_s)):
                    return
