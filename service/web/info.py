"""What the web needs to be told by the application: who serves, where to, and how to ask whether all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probed:
    """The answer of one check: fine or not, and the sentence that says what was seen."""

    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing without which the service does not serve (`disk`, `listener`, `worker`); `probe` is called at each request."""

    name: str
    probe: Callable[[], Probed]


@dataclass(frozen=True, slots=True)
class DestinationInfo:
    """Where results are sent. `address` reads `AE@host:port`."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """Who serves.

    `listener` reads `AE@host:port`, "" where this process does not listen. `free_bytes` asks the disk for the room left.
    `show_patient_id` puts the patient ID on the page and in the answer of one study; it is never in a list. `user_header` is
    where a proxy says who asks, "" for nowhere.
    """

    version: str
    listener: str = ""
    destinations: tuple[DestinationInfo, ...] = ()
    checks: tuple[Check, ...] = ()
    settings_hash: str = ""
    show_patient_id: bool = False
    free_bytes: Callable[[], int] = lambda: 0
    user_header: str = ""
