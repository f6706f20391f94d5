"""What people ask for, who works, and which worker took which version."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS: dict[str, list[Any]] = {"version": [sa.column("attempt", sa.Integer)], "study": []}


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    for name in ("held", "urgent"):
        op.add_column("study", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("version", _text("owner", ""))
    op.add_column("version", _text("begin", "analyse"))
    op.add_column("version", sa.Column("unfinished", sa.Integer, nullable=False, server_default="0"))
    op.create_index("version_by_owner", "version", ["owner"])
    _tables()
    _begin_anew()


def _tables() -> None:
    op.create_table(
        "machine",
        sa.Column("name", sa.Text, primary_key=True),
        _text("host"),
        _text("release"),
        _text("shape"),
        sa.Column("parallel", sa.Integer, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        _time("started_at"),
        _time("seen_at"),
        _flag("left"),
        _flag("draining"),
    )
    op.create_table("queue", sa.Column("name", sa.Text, primary_key=True), _flag("paused"))
    op.create_table(
        "action",
        sa.Column("id", sa.Integer, primary_key=True),
        _time("at"),
        _text("who"),
        _text("what"),
        _text("subject"),
        _text("before"),
        _text("after"),
    )
    op.create_index("action_by_subject", "action", ["subject"])


def _begin_anew() -> None:
    """The jobs of before are of another shape: what they had not ended gets a new one."""
    version, study = (sa.table(name, sa.column("state"), *columns) for name, columns in COLUMNS.items())
    at_work = ("queued", "analysing")
    op.execute(version.update().where(version.c.state.in_(at_work)).values(state="queued", attempt=version.c.attempt + 1))
    op.execute(study.update().where(study.c.state.in_(at_work)).values(state="queued"))
