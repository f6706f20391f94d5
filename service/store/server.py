"""How long a PostgreSQL server and we wait for each other: the network between may be cut, and then nobody says so.

Without limits a statement on such a connection waits for hours, and a transaction of ours that the server cannot end holds the
writer's lock against every other machine.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, text

# Of libpq; s, but for the count and the last one (ms). A URL that names one of them keeps its own.
LIMITS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
IDLE_S = 10.0  # after which the server ends a transaction in which we say nothing: less than a worker takes to be given up


def limited(url: URL) -> URL:
    """`url` with a limit for whatever waits on the network."""
    return url.update_query_dict({name: value for name, value in LIMITS.items() if name not in url.query})


def prepare(connection: Any, _record: object) -> None:
    """Tell the server of a new connection how long it is to wait for us inside a transaction."""
    connection.execute(f"SET idle_in_transaction_session_timeout = {round(1000 * IDLE_S)}")
    connection.commit()  # the pool rolls back what it is given, which would undo it


def unhurried(connection: Connection) -> None:
    """Let this transaction be silent for as long as it likes: what it works on meanwhile takes time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
