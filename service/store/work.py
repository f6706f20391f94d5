"""Which worker does what: a version is taken by one worker, and begun anew by another when that one is gone.

Nothing is ever taken back from a job: the attempt of its version rises, and whatever it says afterwards counts for nothing.
Source of the idea: fencing tokens, as in Burrows, "The Chubby lock service", 2006, section 2.4.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from service.store import arrivals, versions
from service.store.database import Database
from service.store.orders import Queue, Share, Start
from service.store.records import Begin, State, Version
from service.store.schema import machine, queue, study, version

UNDECIDED = (State.QUEUED, State.ANALYSING)  # after that the outbox has it, whoever delivers
KILLED = 5  # analyses of a version that took their worker with them: after as many it is tried no more


class Work:
    """The queue of the analyses, which is the index itself. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, share: Share) -> list[Version]:
        """Take what waits, urgent and old ones first, as much as the share allows; nothing while draining or paused."""
        with self._database.read() as connection:
            if not _claimable(connection, share):
                return []
        with self._database.write() as connection:
            return [_take(connection, one, share.worker) for one in _claimable(connection, share)]

    def modalities(self, study_uid: str) -> frozenset[str]:
        """The modalities of what the analysis of a study may read."""
        with self._database.read() as connection:
            return arrivals.modalities(connection, study_uid)

    def may_wait(self, study_uid: str, content: str) -> datetime | None:
        """When the last image came of a study whose version may still wait for a series; None when it has, or must not."""
        same = (version.c.study_instance_uid == study.c.study_instance_uid) & (version.c.content_version == content)
        query = select(study.c.last_received_at).join(version, same).where(study.c.study_instance_uid == study_uid)
        with self._database.read() as connection:
            return connection.scalar(query.where(version.c.lacks.is_(None)))

    def lacks(self, of: tuple[str, str, int], words: str, sentence: str, at: datetime) -> bool:
        """The job `of` found that a series is missing: the study is received further. False when the job is stale."""
        study_uid, content, attempt = of
        with self._database.write() as connection:
            if not versions.set_state(connection, study_uid, content, State.RECEIVING, sentence, attempt=attempt):
                return False
            versions.change(connection, study_uid, content, lacks=words)
            arrivals.note(connection, study_uid, "waits", sentence, at)
            return True

    def say_receiving(self, study_uid: str, sentence: str) -> None:
        """Let a study that is still being received say what it waits for."""
        with self._database.write(synced=False) as connection:
            arrivals.say_receiving(connection, study_uid, sentence)

    def waiting(self) -> int:
        """How many studies wait for a worker."""
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(study).where(study.c.state == State.QUEUED)) or 0

    def jobs_of(self, worker: str) -> list[Version]:
        """What a worker took and did not end, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                versions.of_studies()
                .where(version.c.owner == worker, study.c.state.in_(UNDECIDED))
                .order_by(version.c.closed_at)
            )
            return [versions.to_version(row) for row in rows]

    def start(self, of: tuple[str, str, int], worker: str, sentence: str) -> Start:
        """Say that the job `of` (study, content, attempt) analyses now; it may not when it is stale or has killed too often."""
        study_uid, content, attempt = of
        with self._database.write() as connection:
            if not versions.set_state(connection, study_uid, content, State.ANALYSING, sentence, attempt=attempt):
                return Start.STALE
            killed = _unfinished(connection, study_uid, content)
            versions.change(connection, study_uid, content, owner=worker, unfinished=killed + 1)
            return Start.POISON if killed >= KILLED else Start.GO

    def came_back(self, of: tuple[str, str, int]) -> None:
        """The analysis of a job ended, in whatever way: it did not take its worker with it."""
        study_uid, content, attempt = of
        with self._database.write() as connection:
            if versions.version_of(connection, study_uid, content).attempt == attempt:
                versions.change(connection, study_uid, content, unfinished=0)

    def reached(self, of: tuple[str, str, int], begin: Begin) -> bool:
        """Note how far a job came: begun anew, the version begins there. False when somebody else began it anew already."""
        study_uid, content, attempt = of
        with self._database.write() as connection:
            mine = versions.version_of(connection, study_uid, content).attempt == attempt
            if mine:
                versions.change(connection, study_uid, content, begin=begin)
            return mine

    def keep_output(self, of: tuple[str, str, int], output: str) -> None:
        """Keep the end of what the analysis of a job wrote, in the place of what an earlier one did."""
        study_uid, content, attempt = of
        with self._database.write() as connection:
            if versions.version_of(connection, study_uid, content).attempt == attempt:
                versions.change(connection, study_uid, content, output=output)

    def is_wanted(self, of: tuple[str, str, int]) -> bool:
        """Whether the analysis of a job is still asked for, even if newer images are arriving."""
        study_uid, content, attempt = of
        with self._database.read() as connection:
            this = versions.version_of(connection, study_uid, content)
        return this.attempt == attempt and this.state in {State.ANALYSING, State.HELD}

    def take_over(self, workers: Collection[str]) -> list[Version]:
        """Begin anew what these workers left, for whoever is free."""
        if not workers:
            return []
        with self._database.write() as connection:
            left = versions.of_studies().where(version.c.owner.in_(workers), study.c.state.in_(UNDECIDED))
            found = [versions.to_version(row) for row in connection.execute(left)]
            return [versions.renew(connection, one, sentence="Its worker is gone; another one takes it.") for one in found]


def _claimable(connection: Connection, share: Share) -> list[Version]:
    if connection.scalar(select(machine.c.draining).where(machine.c.name == share.worker)):
        return []
    paused = set(connection.scalars(select(queue.c.name).where(queue.c.paused)))
    deliver = _waiting(connection, version.c.begin == Begin.DELIVER)
    free = 0 if Queue.ANALYSIS in paused else _free(connection, share)
    return deliver + (_waiting(connection, version.c.begin != Begin.DELIVER, free) if free > 0 else [])


def _free(connection: Connection, share: Share) -> int:
    """How many more analyses a worker may take now."""
    busy = (version.c.owner != "") & study.c.state.in_(UNDECIDED) & (version.c.begin != Begin.DELIVER)
    newest = versions.of_studies().where(busy).subquery()
    mine = connection.scalar(select(func.count()).select_from(newest).where(newest.c.owner == share.worker)) or 0
    everywhere = connection.scalar(select(func.count()).select_from(newest)) or 0
    here = share.parallel - mine
    return min(here, share.in_all - everywhere) if share.in_all else here


def _waiting(connection: Connection, which: Any, limit: int | None = None) -> list[Version]:
    query = versions.of_studies().where(study.c.state == State.QUEUED, version.c.owner == "", which)
    rows = connection.execute(query.order_by(study.c.urgent.desc(), version.c.closed_at).limit(limit))
    return [versions.to_version(row) for row in rows]


def _take(connection: Connection, one: Version, worker: str) -> Version:
    versions.change(connection, one.study_instance_uid, one.content_version, owner=worker)
    return versions.version_of(connection, one.study_instance_uid, one.content_version)


def _unfinished(connection: Connection, study_uid: str, content: str) -> int:
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    return connection.scalar(select(version.c.unfinished).where(this)) or 0
