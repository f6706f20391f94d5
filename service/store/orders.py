"""What people order and what workers take: frozen records, free of SQL. All times are UTC and aware."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Start(StrEnum):
    """Whether a job may analyse."""

    GO = "go"
    STALE = "stale"
    POISON = "poison"


class Queue(StrEnum):
    """What waits for a worker, as far as people can pause it."""

    ANALYSIS = "analysis"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks for something, and when."""

    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person did to `subject`: a study, or the name of a queue or worker; it was `before` and is `after`."""

    at: datetime
    who: str
    what: str
    subject: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Share:
    """How much one worker takes: `parallel` analyses at once, as long as no more than `in_all` run anywhere (0: no limit)."""

    worker: str = "worker-1"
    parallel: int = 1
    in_all: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """A worker as it shows itself: `beat` counts up while it lives, `jobs` are the studies that it took and did not end."""

    name: str
    host: str
    release: str
    parallel: int
    beat: int
    started_at: datetime
    seen_at: datetime
    left: bool
    draining: bool
    jobs: int
