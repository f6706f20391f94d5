"""Small records for the store's tests."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta

from service.store.index import Index
from service.store.orders import Order
from service.store.records import Begin, DeliveryState, MadeObject, Received, Version
from service.store.way import Noted

MR = "1.2.840.10008.5.1.4.1.1.4"
SR = "1.2.840.10008.5.1.4.1.1.88.34"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
STUDY = "1.2.3"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """So many seconds into the story."""
    return START + timedelta(seconds=seconds)


def arrival(
    number: int = 1,
    *,
    study: str = STUDY,
    content: str = "",
    seconds: float = 0,
    association: str = "",
    reason_ignored: str = "",
) -> Received:
    """Instance `number` of a study; the same number and content give the same SOP Instance UID and hash."""
    name = uuid.uuid4().hex
    return Received(
        study_instance_uid=study,
        series_instance_uid=f"{study}.1",
        sop_instance_uid=f"1.2.3.1.{number}",
        sop_class_uid=MR,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        modality="MR",
        series_number=4,
        series_description="portal venous",
        patient_id="P1",
        key=f"received/{name[:2]}/{name}.dcm",
        sha256=hashlib.sha256(f"{number} {content}".encode()).hexdigest(),
        size=100,
        calling_ae="SCANNER",
        association_id=association,
        received_at=at(seconds),
        relevant=not reason_ignored,
        reason_ignored=reason_ignored,
    )


def made(role: str = "sr", uid: str = "1.9.1") -> MadeObject:
    """An object that an analysis made."""
    name = uuid.uuid4().hex
    return MadeObject(role, SR if role == "sr" else SEG, uid, f"made/{name[:2]}/{name}.dcm", 10)


def mark(index: Index, of: tuple[str, str], state: DeliveryState, status: int | None, detail: str, when: datetime) -> None:
    """Note how an attempt for `of` (SOP Instance UID, destination) ended, as a worker does that holds the line."""
    uid, destination = of
    held = index.lines.take(destination, "worker", when)
    assert held is not None
    next_try_at = when if state is DeliveryState.PENDING else None
    assert index.lines.mark([uid], held, Noted(state, when, status, detail, next_try_at, state is not DeliveryState.VERIFIED))
    index.lines.leave(held)


def order(seconds: float = 0, who: str = "local") -> Order:
    """Somebody asks."""
    return Order(who, at(seconds))


def replay(index: Index, study: str = STUDY, seconds: float = 0) -> Version:
    """Somebody lets the newest version of a study be analysed again."""
    index.operators.rerun(study, Begin.ANALYSE, order(seconds))
    detail = index.study(study)
    assert detail is not None
    return index.version(study, detail.summary.content_version)
