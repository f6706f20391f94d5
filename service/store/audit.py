"""What people did, kept for ever. One function, one transaction of the caller."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from service.store.orders import Action, Order
from service.store.schema import action

LONGEST = 200  # characters of a name that a proxy gives


def record(connection: Connection, order: Order, what: str, subject: str, change: tuple[str, str]) -> Action:
    """Write down who did what when, and what it was before and after (`change`)."""
    done = Action(order.at, order.who[:LONGEST], what, subject, *change)
    values = {"at": done.at, "who": done.who, "what": what, "subject": subject, "before": done.before, "after": done.after}
    connection.execute(insert(action).values(values))
    return done


def actions(connection: Connection, subject: str | None = None, limit: int = 500) -> tuple[Action, ...]:
    """The last `limit` actions on a subject, or on everything, newest first."""
    query = select(action).order_by(action.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(action.c.subject == subject)
    rows = connection.execute(query)
    return tuple(Action(row.at, row.who, row.what, row.subject, row.before, row.after) for row in rows)
