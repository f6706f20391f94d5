"""The workers, as they show themselves. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from service.store.database import Database
from service.store.orders import Machine
from service.store.schema import machine, study, version
from service.store.work import UNDECIDED


class Machines:
    """Who works. A worker that is alive counts its `beat` up; whether it stands still is judged by the one who looks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def join(self, name: str, host: str, release: str, shape: str, at: datetime) -> bool:
        """A worker begins. False when it may have left jobs of another shape, which it cannot go on with."""
        here = {"host": host, "release": release, "shape": shape, "started_at": at, "seen_at": at, "left": False}
        with self._database.write() as connection:
            row = connection.execute(select(machine).where(machine.c.name == name)).first()
            if row is None:
                connection.execute(insert(machine).values(name=name, parallel=0, beat=0, draining=False, **here))
                return True
            connection.execute(update(machine).where(machine.c.name == name).values(**here, beat=machine.c.beat + 1))
            return bool(row.shape == shape)

    def sends_to(self, name: str, destinations: Collection[str]) -> None:
        """A worker says where it sends."""
        with self._database.write() as connection:
            connection.execute(update(machine).where(machine.c.name == name).values(destinations=sorted(destinations)))

    def elsewhere(self, name: str, since: datetime) -> frozenset[str] | None:
        """Where other workers send that were seen since then and did not stop; None when one of them does not say."""
        others = select(machine.c.destinations).where(machine.c.name != name, ~machine.c.left, machine.c.seen_at >= since)
        with self._database.read() as connection:
            said = list(connection.scalars(others))
        return None if None in said else frozenset(one for destinations in said for one in destinations)

    def beat(self, name: str, parallel: int, at: datetime) -> None:
        """It is alive, and takes as many analyses at once."""
        values = {"beat": machine.c.beat + 1, "parallel": parallel, "seen_at": at, "left": False}
        with self._database.write(synced=False) as connection:
            connection.execute(update(machine).where(machine.c.name == name).values(values))

    def leave(self, name: str) -> None:
        """It stops in an orderly way: what it has not ended is for the others, or for itself when it comes back first."""
        with self._database.write() as connection:
            connection.execute(update(machine).where(machine.c.name == name).values(left=True))

    def all(self) -> tuple[Machine, ...]:
        """Every worker that was ever seen, by name."""
        with self._database.read() as connection:
            return _all(connection)


def _all(connection: Connection) -> tuple[Machine, ...]:
    same = (version.c.study_instance_uid == study.c.study_instance_uid) & (version.c.content_version == study.c.content_version)
    taken = select(version.c.owner, func.count().label("jobs")).join(study, same).where(study.c.state.in_(UNDECIDED))
    jobs = taken.group_by(version.c.owner).subquery()
    rows = connection.execute(
        select(machine, func.coalesce(jobs.c.jobs, 0).label("jobs"))
        .outerjoin(jobs, jobs.c.owner == machine.c.name)
        .order_by(machine.c.name)
    )
    return tuple(
        Machine(
            name=row.name,
            host=row.host,
            release=row.release,
            parallel=row.parallel,
            beat=row.beat,
            started_at=row.started_at,
            seen_at=row.seen_at,
            left=row.left,
            draining=row.draining,
            jobs=row.jobs,
        )
        for row in rows
    )
