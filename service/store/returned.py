"""Files that were gone and are there again: a disk that was mounted late, or what somebody copied back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from service.store.arrivals import is_used, note
from service.store.copies import Copies, is_whole
from service.store.database import Database
from service.store.files import Files
from service.store.records import Kept, State
from service.store.schema import instance, study
from service.store.versions import content_version, study_of
from service.study.required import RECEIVING

_BACK = "Files that were gone are there again. If an analysis failed for want of them, order it once more."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Back:
    """The keys of files that came back: as they were, as what came again meanwhile, or with other content."""

    returned: list[str] = field(default_factory=list)
    repetitions: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def take_back(database: Database, files: Files, keys: Collection[str]) -> Back:
    """Let the rows of these files count again; each study is its own transaction."""
    back = Back()
    if not keys:
        return back
    of_study = attrgetter("study_instance_uid")
    with database.read() as connection:
        lost = select(instance).where(instance.c.lost).order_by(instance.c.id)
        rows = [row for row in connection.execute(lost) if row.content_key in keys]
    for uid, mine in groupby(sorted(rows, key=of_study), key=of_study):
        _take_study(database, files, uid, list(mine), back)
    return back


def _take_study(database: Database, files: Files, study_uid: str, rows: list[Any], back: Back) -> None:
    whole = [row for row in rows if is_whole(files, _kept(row))]
    with database.write() as connection:
        returned = [row for row in whole if _count_again(connection, row)]
        if returned:
            _tell_study(connection, study_uid)
    back.returned.extend(_keys(returned))
    back.damaged.extend(sorted({*_keys(rows)} - {*_keys(whole)}))
    for row in whole:
        if row not in returned and Copies(database).keep_one(files, row.sop_instance_uid, _kept(row)):
            back.repetitions.append(row.content_key)
    log.warning("returned", study=study_uid, files=len(returned), damaged=len(rows) - len(whole))


def _count_again(connection: Connection, row: Any) -> bool:
    """False when the same content came again meanwhile; other content that came keeps its place as the first."""
    same = select(instance.c.sha256, instance.c.conflict).filter_by(sop_instance_uid=row.sop_instance_uid)
    others = connection.execute(same.where(~instance.c.lost)).all()
    if any(other.sha256 == row.sha256 for other in others):
        return False
    conflict = row.conflict or any(not other.conflict for other in others)
    connection.execute(update(instance).where(instance.c.id == row.id).values(lost=False, conflict=conflict))
    return True


def _tell_study(connection: Connection, study_uid: str) -> None:
    """A study whose newest version lacks what is back opens again; one that was closed with it stays as it is."""
    now = datetime.now(UTC)
    note(connection, study_uid, "returned", _BACK, now)
    if _lacks_some(connection, study_uid):
        again = {"state": State.RECEIVING, "sentence": RECEIVING, "last_received_at": now}
        connection.execute(update(study).where(study.c.study_instance_uid == study_uid).values(again))


def _lacks_some(connection: Connection, study_uid: str) -> bool:
    known = study_of(connection, study_uid)
    rows = connection.execute(select(instance).where(instance.c.study_instance_uid == study_uid, is_used())).all()
    return bool(rows) and known.state != State.RECEIVING and known.content_version != content_version(rows)


def _kept(row: Any) -> Kept:
    return Kept(row.content_key, row.sha256, row.size)


def _keys(rows: Iterable[Any]) -> list[str]:
    return [row.content_key for row in rows]
