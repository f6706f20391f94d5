"""Bring made objects to their destinations: rounds that are repeated until nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from pydicom import dcmread

from service.dicom import query, sender
from service.dicom.destination import Caller, Destination
from service.errors import Refused, TryAgain
from service.jobs.job import Job
from service.store.files import Files
from service.store.index import Index
from service.store.records import Delivery, DeliveryState

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long to wait before the next round (s): twice as long each time, up to `longest_s`."""

    first_s: float = 5.0
    longest_s: float = 900.0

    def before(self, round_number: int) -> float:
        """The pause before round 1, 2, ...

        >>> [Pauses(5, 30).before(number) for number in (1, 2, 3, 4, 500)]
        [5.0, 10.0, 20.0, 30, 30]
        """
        return min(self.first_s * float(2 ** min(round_number - 1, 30)), self.longest_s)


@dataclass(frozen=True, slots=True)
class Courier:
    """Sends what the outbox of the index holds."""

    index: Index
    files: Files
    destinations: tuple[Destination, ...]
    caller: Caller
    clock: Clock

    def plan(self, job: Job) -> None:
        """Every object to every destination that wants it."""
        wanted = {destination.name: destination.objects for destination in self.destinations}
        self.index.plan_deliveries(job.study_instance_uid, job.content_version, list(wanted), wanted)

    def round(self, job: Job) -> str:
        """Try everything that is open once; gives why it must be tried again, "" when nothing is open any more."""
        left: list[str] = []
        for name, group in groupby(self._open(job), key=lambda delivery: delivery.destination):
            fault = self._to(name, list(group))
            if fault:
                left.append(fault)
        return " ".join(left)

    def receivers(self, job: Job) -> tuple[str, ...]:
        """The destinations that got something of this job, in the order of the configuration."""
        names = {delivery.destination for delivery in self.index.deliveries(job.study_instance_uid, job.content_version)}
        return tuple(destination.name for destination in self.destinations if destination.name in names)

    def refused(self, job: Job) -> str:
        """What destinations said no to (one sentence), "" when nothing."""
        deliveries = self.index.deliveries(job.study_instance_uid, job.content_version, DeliveryState.FAILED)
        return " ".join(dict.fromkeys(delivery.detail for delivery in deliveries))

    def _open(self, job: Job) -> list[Delivery]:
        deliveries = self.index.deliveries(job.study_instance_uid, job.content_version)
        return [delivery for delivery in sorted(deliveries, key=lambda one: one.destination) if self._is_open(delivery)]

    def _is_open(self, delivery: Delivery) -> bool:
        """Sent counts as arrived where the destination is not asked."""
        destination = self._named(delivery.destination)
        waits = delivery.state is DeliveryState.SENT and destination is not None and destination.verify
        return delivery.state is DeliveryState.PENDING or waits

    def _named(self, name: str) -> Destination | None:
        return next((destination for destination in self.destinations if destination.name == name), None)

    def _to(self, name: str, deliveries: Sequence[Delivery]) -> str:
        """Send to one destination and ask whether it arrived; gives why to come again, or ""."""
        destination = self._named(name)
        if destination is None:
            self._mark(deliveries, DeliveryState.FAILED, None, f"{name} is no longer configured.")
            return ""
        sent = [delivery for delivery in deliveries if delivery.state is DeliveryState.SENT]
        try:
            stored, again = self._send(destination, [delivery for delivery in deliveries if delivery not in sent])
        except TryAgain as fault:
            self._mark(deliveries, DeliveryState.PENDING, None, fault.sentence)
            return fault.sentence
        return " ".join(filter(None, (again, self._verify(destination, [*sent, *stored]))))

    def _send(self, destination: Destination, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], str]:
        """What the destination took, and why to come again for the rest."""
        paths = [self.files.path(delivery.key) for delivery in deliveries]
        answers = list(zip(deliveries, sender.send(paths, destination, self.caller), strict=True))
        for delivery, sent in answers:
            self._mark([delivery], _state(sent), sent.status, sent.error.sentence if sent.error else sent.note)
        again = dict.fromkeys(sent.error.sentence for _, sent in answers if isinstance(sent.error, TryAgain))
        return [delivery for delivery, sent in answers if sent.error is None], " ".join(again)

    def _verify(self, destination: Destination, deliveries: Sequence[Delivery]) -> str:
        """Ask for what was stored; what the destination does not show is sent again (harmless: it is the same object)."""
        if not destination.verify or not deliveries:
            return ""
        try:
            found = query.find(
                [reference_of(self.files.path(delivery.key)) for delivery in deliveries], destination, self.caller
            )
        except TryAgain as fault:
            self._mark(deliveries, DeliveryState.SENT, None, f"stored, not verified yet: {fault.sentence}")
            return fault.sentence
        except Refused as fault:  # asking again changes nothing, and it said that it stored them
            self._mark(deliveries, DeliveryState.SENT, fault.status, f"stored, cannot be verified: {fault.sentence}")
            return ""
        arrived = [delivery for delivery in deliveries if delivery.sop_instance_uid in found]
        missing = [delivery for delivery in deliveries if delivery not in arrived]
        self._mark(arrived, DeliveryState.VERIFIED, None, "")
        self._mark(missing, DeliveryState.PENDING, None, "stored, but the destination does not show it")
        return f"{destination.name} does not show what it stored." if missing else ""

    def _mark(self, deliveries: Sequence[Delivery], state: DeliveryState, status: int | None, detail: str) -> None:
        for delivery in deliveries:
            self.index.mark_delivery(delivery.sop_instance_uid, delivery.destination, state, status, detail, self.clock())


def _state(sent: sender.Sent) -> DeliveryState:
    if sent.error is None:
        return DeliveryState.SENT
    return DeliveryState.FAILED if isinstance(sent.error, Refused) else DeliveryState.PENDING


def reference_of(path: Path) -> query.Reference:
    """Where the object of a file stands in an archive."""
    header = dcmread(path, stop_before_pixels=True)
    return query.Reference(str(header.StudyInstanceUID), str(header.SeriesInstanceUID), str(header.SOPInstanceUID))
