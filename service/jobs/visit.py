"""One visit to a destination: send what waits, then make sure of what it took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from service.dicom import carrier, sender
from service.dicom.destination import Caller, Destination, Verify
from service.errors import Refused, TryAgain
from service.jobs.pauses import Pauses
from service.store.files import Files
from service.store.index import Index
from service.store.records import Delivery, DeliveryState
from service.store.way import Held, Noted

log = structlog.get_logger("delivery")

PATIENCE = 3  # failures in a row after which a destination that can be reached counts as down
# Nothing was said about an object: it is the destination, or the way to it, that does not work.
_DOWN = "destination.unreachable", "destination.unknown_host", "destination.rejected", "destination.no_answer"


_OURS = sender.UNREADABLE, "delivery.broken"  # it is this study, and says nothing about the destination


class LostError(Exception):
    """Another worker has the line: this one was thought dead. What it sent is harmless, what it would note counts no more."""


def unforeseen(fault: Exception) -> TryAgain:
    """What is told about a fault that nobody foresaw."""
    return TryAgain(_OURS[1], f"an unexpected fault kept it from being sent ({type(fault).__name__}); the log has the details")


@dataclass(frozen=True, slots=True)
class Means:
    """What a delivery works with. `chance` gives numbers from 0 to 1."""

    index: Index
    files: Files
    caller: Caller
    clock: Callable[[], datetime]
    pauses: Pauses
    chance: Callable[[], float]

    def again(self, delivery: Delivery, why: str, *, status: int | None = None, tried: bool = False) -> Noted:
        """To be sent once more after a pause, or given up because it has waited for too long."""
        now = self.clock()
        if delivery.planned_at is not None and delivery.planned_at + self.pauses.give_up < now:
            detail = f"given up after {self.pauses.give_up_s / 3600:g} h: {why}"
            return Noted(DeliveryState.FAILED, now, status, detail, tried=tried)
        pause = self.pauses.before(delivery.attempts + int(tried), self.chance())
        return Noted(DeliveryState.PENDING, now, status, why, now + pause, tried)


class Visit:
    """What one worker does at one destination while it holds the line, for one version of one study."""

    def __init__(self, means: Means, destination: Destination, held: Held) -> None:
        self._means = means
        self._destination = destination
        self._held = held

    def paths(self, deliveries: Sequence[Delivery]) -> list[Path]:
        """Where the objects lie."""
        return [self._means.files.path(delivery.key) for delivery in deliveries]

    def note(self, deliveries: Sequence[Delivery], noted: Noted) -> None:
        """Note it about all of these.

        Raises:
            LostError: Another worker has the line.
        """
        objects = [delivery.sop_instance_uid for delivery in deliveries]
        if objects and not self._means.index.lines.mark(objects, self._held, noted):
            raise LostError

    def send(self, waiting: Sequence[Delivery]) -> bool:
        """Send in order; True when something was taken.

        What fails for now holds up what comes after it in the study; what is refused does not.
        """
        left, taken = list(waiting), False
        try:
            with closing(carrier.sending(self.paths(waiting), self._destination, self._means.caller)) as answers:
                for sent in answers:
                    if isinstance(sent.error, TryAgain):
                        self._put_off(left, sent.error, sent.status)
                        break
                    self.note([left.pop(0)], self._told(sent))
                    taken = taken or sent.error is None
        except TryAgain as fault:
            self._put_off(left, fault, None)
        except LostError:
            raise
        except Exception as fault:  # an outer door: what nobody foresaw about one study must not hold up the others
            log.exception("delivery_broken", destination=self._destination.name)
            self._put_off(left, unforeseen(fault), None)
        if taken and not left:
            self._means.index.lines.whole(self._held)
        return taken

    def _told(self, sent: sender.Sent) -> Noted:
        """Taken, and due to be asked for where it is; or refused."""
        now = self._means.clock()
        if isinstance(sent.error, Refused):
            return Noted(DeliveryState.FAILED, now, sent.status, sent.error.sentence, tried=True)
        ask_at = None if self._destination.verify is Verify.NONE else now
        return Noted(DeliveryState.SENT, now, sent.status, sent.note, ask_at, tried=True)

    def _put_off(self, left: Sequence[Delivery], fault: TryAgain, status: int | None) -> None:
        """The first of these failed for now; the others keep their place behind it."""
        noted = self._means.again(left[0], fault.sentence, status=status, tried=True)
        self.note(left[:1], noted)
        if noted.state is DeliveryState.PENDING:
            behind = Noted(DeliveryState.PENDING, noted.at, detail=fault.sentence, next_try_at=noted.next_try_at)
            self.note(left[1:], behind)
        if fault.code not in _OURS:
            self._interrupt(fault)
        self._say(left[0], f"The results are ready and wait: {fault.sentence}")

    def _interrupt(self, fault: TryAgain) -> None:
        """Try nothing else here for a while when it is not about this study alone."""
        lines, now = self._means.index.lines, self._means.clock()
        failures = lines.line(self._destination.name).failures + 1
        down = fault.code in _DOWN or failures >= PATIENCE
        until = now + self._means.pauses.before(failures, self._means.chance()) if down else None
        lines.interrupted(self._held, fault.sentence, now, until)
        if down:
            detail = f"given up after {self._means.pauses.give_up_s / 3600:g} h: {fault.sentence}"
            lines.give_up(self._held, now - self._means.pauses.give_up, Noted(DeliveryState.FAILED, now, detail=detail))

    def _say(self, of: Delivery, sentence: str) -> None:
        self._means.index.lines.say(of.study_instance_uid, of.content_version, sentence)
