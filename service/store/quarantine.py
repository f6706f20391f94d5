"""Objects that were refused because their header cannot be understood: kept apart, bounded, for a person to look at.

Nothing here is ever read by the service again. A file holds the data set as it came, behind the file meta information of what
was announced.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from service.errors import CryomarginError
from service.store.files import Files, Incoming
from service.store.index import Index
from service.store.records import Kept, Quarantined

FOLDER = "quarantine"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many objects are listed at most, and how many bytes of them are kept at most; of one, a quarter of that."""

    most: int = 500
    most_bytes: int = 256_000_000


USUAL_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is known of an object that was refused: the status it got, why, and what its sender said of it."""

    status: int
    reason: str
    calling_ae: str
    sop_class_uid: str
    transfer_syntax_uid: str


class Quarantine:
    """The folder `quarantine` of the store, and its rows in the index."""

    def __init__(self, files: Files, index: Index, bounds: Bounds, min_free_bytes: int) -> None:
        self._folder = files.root / FOLDER
        self._folder.mkdir(mode=0o750, exist_ok=True)
        self._files = files
        self._index = index
        self._bounds = bounds
        self._min_free_bytes = min_free_bytes

    def keep(self, incoming: Incoming | None, refusal: Refusal, at: datetime) -> None:
        """List the object, and keep its file where there is room. Never raises: the refusal itself has priority.

        Without `incoming` nothing of the object was written.
        """
        kept = self._kept(incoming)
        try:
            entry = _entry(kept, refusal, at)
            self._forget(self._index.note_quarantined(entry, self._bounds.most, self._bounds.most_bytes))
        except CryomarginError as fault:
            log.error("quarantine_failed", error=fault.code)  # noqa: TRY400 a database that is down is no fault of the program
            self._forget([kept.key])

    def tidy(self) -> None:
        """After a crash: remove files that no row names."""
        named = {entry.file for entry in self._index.quarantined()}
        self._forget([path.name for path in self._folder.iterdir() if path.name not in named])

    def path(self, file: str) -> Path:
        """Where the data set of an entry is."""
        return self._folder / file

    def _kept(self, incoming: Incoming | None) -> Kept:
        """What is known of its content; the key is empty when it is too large to be kept, or the disk too full."""
        if incoming is None:
            return Kept("", "", 0)
        content = incoming.so_far
        if content.size <= self._bounds.most_bytes // 4 and self._files.free_bytes() >= self._min_free_bytes:
            with suppress(OSError):
                return incoming.set_aside(self.path(f"{uuid.uuid4().hex}.dcm"))
        return replace(content, key="")

    def _forget(self, names: Iterable[str]) -> None:
        for name in filter(None, names):
            with suppress(OSError):
                (self._folder / name).unlink()


def _entry(kept: Kept, refusal: Refusal, at: datetime) -> Quarantined:
    return Quarantined(
        sha256=kept.sha256,
        status=refusal.status,
        reason=refusal.reason,
        calling_ae=refusal.calling_ae,
        sop_class_uid=refusal.sop_class_uid,
        transfer_syntax_uid=refusal.transfer_syntax_uid,
        size=kept.size,
        file=kept.key,
        first_at=at,
        last_at=at,
    )
