"""What the reading of the wire asks of the service; it knows of stores and logs no more than this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.dicom.command_set import StoreRequest
from service.dicom.reception import Answer, Arriving


@dataclass(frozen=True, slots=True)
class Door:
    """What the wire asks of the service, each call with the association that it is about, and how long a peer may stall."""

    begin: Callable[[Any, StoreRequest, Any], Arriving]
    finish: Callable[[Any, Arriving], Answer]
    because: Callable[[Any, str], None]
    turned_away: Callable[[str, str], None]
    stall_timeout_s: float
