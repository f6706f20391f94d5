"""Of one content one file is kept. A repetition may only go when the file that is to stay was seen to be whole.

Otherwise the sender would be told that all is well, and nobody would have what he sent.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Row, select

from service.store.arrivals import note
from service.store.database import Database
from service.store.disk import sync
from service.store.files import Files
from service.store.records import Kept
from service.store.schema import instance

_MENDED = (
    "The file of an instance was gone or damaged, and what came again took its place. What was measured with it before may be"
    " wrong: order the analysis once more."
)

log = structlog.get_logger(__name__)


class Copies:
    """The files of contents that come more than once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep_one(self, files: Files, sop_instance_uid: str, again: Kept) -> bool:
        """Let go of the file of a repetition, once the first one is whole; one that is not is replaced by it, durably.

        False, and nothing happened, when no row names the content any more: then it is no repetition.

        Raises:
            OSError: when the disk does not let the one take the place of the other.
            TryAgain: when the database does not answer.
        """
        with self._database.read() as connection:
            first = _first(connection, sop_instance_uid, again)
        if first is not None and is_whole(files, Kept(first.content_key, again.sha256, again.size)):
            files.remove(again.key)
            return True
        return self._mend(files, sop_instance_uid, again)

    def _mend(self, files: Files, sop_instance_uid: str, again: Kept) -> bool:
        """In one transaction with the look for the row, so that nobody dooms the file in between."""
        with self._database.write() as connection:
            first = _first(connection, sop_instance_uid, again)
            if first is None:
                return False
            _replace(files.path(first.content_key), files.path(again.key))
            note(connection, first.study_instance_uid, "mended", _MENDED, datetime.now(UTC))
        log.error("mended", study=first.study_instance_uid, instance=sop_instance_uid, key=first.content_key)
        return True


def is_whole(files: Files, kept: Kept) -> bool:
    """Whether a file has its content; read to the end, for its length alone says little after a crash."""
    with suppress(OSError):  # gone, or in a place that the disk cannot read any more
        return files.describe(kept.key) == kept
    return False


def _first(connection: Connection, sop_instance_uid: str, again: Kept) -> Row[Any, Any] | None:
    """The row that has this content, under another key."""
    same = {"sop_instance_uid": sop_instance_uid, "sha256": again.sha256}
    rows = select(instance.c.content_key, instance.c.study_instance_uid).filter_by(**same)
    return connection.execute(rows.where(~instance.c.lost, instance.c.content_key != again.key)).first()


def _replace(target: Path, source: Path) -> None:
    """Give a file the place of another; when this returns, no power failure takes that back."""
    sync(source)
    source.replace(target)
    for folder in {target.parent, source.parent}:
        sync(folder)
