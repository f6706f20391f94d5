"""The PostgreSQL that the parts share: index and engine's database, and what cuts a part off from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tests.store.cluster import cluster
from tests.validation.engine.hosts import HERE, NETWORK, Hosts

INDEX, ENGINE = "cryomargin", "cryomargin_jobs"


@dataclass(frozen=True, slots=True)
class Server:
    """Every part connects as a user of its own, so that its connections are told from those of others."""

    url: str
    hosts: Hosts | None = None

    def environment(self, part: str) -> dict[str, str]:
        """What lets a part find its databases."""
        mine = self.url.replace("tester@", f"{part}@")
        if self.hosts and self.hosts.command(part):
            mine = f"postgresql://{part}@{HERE}/postgres?"
        names = {"CRYOMARGIN_DATABASE__URL": INDEX, "CRYOMARGIN_DATABASE__SYSTEM_URL": ENGINE}
        return {name: mine.replace("/postgres?", f"/{database}?") for name, database in names.items()}

    @property
    def index(self) -> str:
        """The URL of the index for whoever only looks."""
        return self.url.replace("/postgres?", f"/{INDEX}?")

    def cut(self, parts: Sequence[str]) -> int:
        """End every connection of these parts in the middle of what they do; gives how many there were."""
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = ANY(%s)"
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(ended, [list(parts)]).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def server(parts: Sequence[str], apart: Hosts | None) -> Iterator[Server]:
    """A server with both databases, and a user for each part; parts on hosts of their own reach it over the network."""
    with cluster(HERE, NETWORK) if apart else cluster() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for part in parts:
                connection.execute(f'CREATE ROLE "{part}" SUPERUSER LOGIN'.encode())
            for database in (INDEX, ENGINE):
                connection.execute(f"CREATE DATABASE {database}".encode())
        yield Server(url, apart)
