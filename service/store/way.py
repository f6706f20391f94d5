"""What the outbox takes and gives: what became of deliveries, and how the line to a destination is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.store.records import DeliveryState


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of deliveries: their new state and why. `tried` counts an attempt to send, which ended with `status`.

    An empty `transaction_uid` leaves the one that is there.
    """

    state: DeliveryState
    at: datetime
    status: int | None = None
    detail: str = ""
    next_try_at: datetime | None = None
    tried: bool = False
    transaction_uid: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """The way to one destination: how often it failed in a row, since when nothing goes through, and why.

    Nothing is tried before `next_try_at`.
    """

    destination: str
    failures: int = 0
    down_since: datetime | None = None
    next_try_at: datetime | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life of whoever holds a line: a later one differs. Its time is of a clock that need not be right."""

    term: int
    held_until: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """The right to send to a destination until it ends; `term` tells it from every other time somebody had it."""

    destination: str
    term: int
