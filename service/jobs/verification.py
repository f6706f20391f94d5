"""Make sure that a destination keeps what it took: by storage commitment, by C-FIND, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from pydicom import dcmread
from pydicom.uid import generate_uid

from service.dicom import carrier, commitment, query, sender
from service.dicom.destination import Destination, Verify
from service.errors import CryomarginError, Refused, TryAgain
from service.jobs.visit import LostError, Means, Visit
from service.store.records import Delivery, DeliveryState
from service.store.way import Noted

log = structlog.get_logger("delivery")


class Verification:
    """What is asked during one visit about objects that the destination took."""

    def __init__(self, means: Means, destination: Destination, visit: Visit) -> None:
        self._means = means
        self._destination = destination
        self._visit = visit

    def ask(self, stored: Sequence[Delivery]) -> None:
        """Ask about these in the way that the destination has."""
        if not stored:
            return
        try:
            self._ask(stored)
        except (LostError, CryomarginError):
            raise
        except Exception:  # an outer door: what nobody foresaw about one study must not hold up the others
            log.exception("verification_broken", destination=self._destination.name)
            self._ask_later(stored, "an unexpected fault; the log has the details")

    def _ask(self, stored: Sequence[Delivery]) -> None:
        if self._destination.verify is Verify.COMMITMENT:
            late = [one for one in stored if self._is_late(one)]
            self._commit([one for one in stored if one not in late])
            self._otherwise(late, "no report of storage commitment came in time")
        elif self._destination.verify is Verify.FIND:
            self._find(stored)
        else:
            self._end(stored, "")

    def _commit(self, deliveries: Sequence[Delivery]) -> None:
        """Ask for a promise. The transaction is noted first: its report counts even when this worker dies now."""
        if not deliveries:
            return
        transaction_uid, now = generate_uid(), self._means.clock()
        deadline = min(self._sent_at(one) for one in deliveries) + self._within
        waits = "stored; its promise to keep it is awaited (storage commitment)"
        self._visit.note(deliveries, Noted(DeliveryState.SENT, now, None, waits, deadline, transaction_uid=transaction_uid))
        objects = [(one.sop_class_uid, one.sop_instance_uid) for one in deliveries]
        reports = Reports(self._means)
        answers = commitment.Answers(reports.take, partial(reports.complete, transaction_uid))
        try:
            commitment.request(objects, transaction_uid, self._destination, self._means.caller, answers)
        except TryAgain as fault:
            self._ask_later(deliveries, fault.sentence)
        except Refused as fault:
            self._otherwise(deliveries, fault.sentence)

    def _otherwise(self, deliveries: Sequence[Delivery], why: str) -> None:
        if self._destination.otherwise is Verify.FIND:
            self._find(deliveries, f"; {why}")
        else:
            self._end(deliveries, f"stored at {self._destination.name}, not verified: {why}")

    def _find(self, deliveries: Sequence[Delivery], remark: str = "") -> None:
        """Ask for them by C-FIND. What is not shown for too long is sent again (harmless: it is the same object)."""
        deliveries, references = self._readable(deliveries)
        if not deliveries:
            return
        try:
            found = carrier.find(references, self._destination, self._means.caller)
        except TryAgain as fault:
            self._ask_later(deliveries, fault.sentence)
            return
        except Refused as fault:  # asking again changes nothing, and it said that it stored them
            self._end(deliveries, f"stored at {self._destination.name}, cannot be verified: {fault.sentence}{remark}")
            return
        how = "QIDO-RS" if self._destination.url else "C-FIND"
        for one in deliveries:
            if one.sop_instance_uid in found:
                self._visit.note([one], verified(one, f"shown by {how}{remark}", self._means.clock()))
            else:
                self._missing(one)

    def _readable(self, deliveries: Sequence[Delivery]) -> tuple[list[Delivery], list[query.Reference]]:
        """Those of which we know where they stand; what it took and we cannot read any more stays as it is."""
        known: list[tuple[Delivery, query.Reference]] = []
        for one, path in zip(deliveries, self._visit.paths(deliveries), strict=True):
            try:
                known.append((one, reference_of(path)))
            except sender.UNREADABLE_FAULTS as fault:
                why = sender.unreadable(fault).sentence
                self._end([one], f"stored at {self._destination.name}, cannot be verified: {why}")
        return [one for one, _reference in known], [reference for _one, reference in known]

    def _missing(self, delivery: Delivery) -> None:
        shown = f"{self._destination.name} stored it, but does not show it"
        if not self._is_late(delivery):
            self._ask_later([delivery], shown)
            return
        self._visit.note([delivery], self._means.again(delivery, f"{shown}; it is sent again"))

    def _ask_later(self, deliveries: Sequence[Delivery], why: str) -> None:
        """Ask again after about as long as it has been there."""
        now = self._means.clock()
        pauses = self._means.pauses
        waited = max((now - self._sent_at(one)).total_seconds() for one in deliveries)
        pause = timedelta(seconds=min(max(waited, pauses.first_s), pauses.longest_s))
        self._visit.note(deliveries, Noted(DeliveryState.SENT, now, None, f"stored, not verified yet: {why}", now + pause))

    def _end(self, deliveries: Sequence[Delivery], detail: str) -> None:
        self._visit.note(deliveries, Noted(DeliveryState.SENT, self._means.clock(), None, detail))

    def _is_late(self, delivery: Delivery) -> bool:
        return self._means.clock() >= self._sent_at(delivery) + self._within

    def _sent_at(self, delivery: Delivery) -> datetime:
        return delivery.sent_at or self._means.clock()

    @property
    def _within(self) -> timedelta:
        return timedelta(seconds=self._destination.verify_within_s)


class Reports:
    """Takes the reports of storage commitment, by whatever way they come."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def take(self, report: commitment.Report) -> None:
        """Note what was promised, and what not; what may succeed later is sent again.

        Raises:
            TryAgain: The index does not answer.
        """
        lines, now = self._means.index.lines, self._means.clock()
        promised = "promised by storage commitment"
        said = {
            one.sop_instance_uid: verified(one, promised, now)
            if one.sop_instance_uid in report.committed
            else self._failed(one, report.failed[one.sop_instance_uid])
            for one in lines.of_transaction(report.transaction_uid)
            if one.sop_instance_uid in report.committed | report.failed.keys()
        }
        about = lines.answered(report.transaction_uid, said)
        log.info("commitment", promised=len(report.committed), failed=len(report.failed), awaited=about)

    def complete(self, transaction_uid: str) -> bool:
        """Whether nothing waits for this transaction any more."""
        return not self._means.index.lines.of_transaction(transaction_uid)

    def _failed(self, delivery: Delivery, reason: int) -> Noted:
        why = f"{delivery.destination} does not keep it: {commitment.failure(reason)}"
        if commitment.is_for_now(reason):
            return self._means.again(delivery, f"{why}; it is sent again")
        return Noted(DeliveryState.FAILED, self._means.clock(), detail=why)


def verified(delivery: Delivery, how: str, at: datetime) -> Noted:
    """Verified, with what the destination changed when it stored the object."""
    note = sender.WARNINGS.get(delivery.status or 0, "")
    return Noted(DeliveryState.VERIFIED, at, detail="; ".join(filter(None, (note, how))))


def reference_of(path: Path) -> query.Reference:
    """Where the object of a file stands in an archive."""
    header = dcmread(path, stop_before_pixels=True)
    return query.Reference(str(header.StudyInstanceUID), str(header.SeriesInstanceUID), str(header.SOPInstanceUID))
