"""When a delivery is due, the storage commitment it waits for, and the line to each destination."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # what waits is due at once


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def upgrade() -> None:
    for column in (_time("planned_at"), _time("next_try_at"), _time("sent_at"), _text("transaction_uid")):
        op.add_column("delivery", column)
    op.create_index("delivery_by_next_try", "delivery", ["destination", "next_try_at"])
    op.create_index("delivery_by_transaction", "delivery", ["transaction_uid"])
    delivery = sa.table("delivery", sa.column("state", sa.Text), _time("next_try_at"))
    op.execute(delivery.update().where(delivery.c.state == "pending").values(next_try_at=_bound(LONG_AGO)))
    op.create_table(
        "line",
        sa.Column("destination", sa.Text, primary_key=True),
        _text("worker"),
        _number("term"),
        _time("held_until"),
        _number("failures"),
        _time("down_since"),
        _time("next_try_at"),
        _text("sentence"),
    )


def _bound(at: datetime) -> datetime:
    """SQLite keeps no zone."""
    return at.replace(tzinfo=None) if op.get_bind().dialect.name == "sqlite" else at
