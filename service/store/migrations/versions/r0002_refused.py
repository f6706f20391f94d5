"""What was refused: callers that were turned away, and objects in quarantine."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rejection",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("address", "calling_ae", "called_ae", "reason")),
        *_seen(),
        sa.UniqueConstraint("address", "calling_ae", "called_ae", "reason", name="rejection_once"),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("reason", "calling_ae", "sop_class_uid", "transfer_syntax_uid")
        ),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        *_seen(),
        sa.UniqueConstraint("sha256", "reason", name="quarantine_once"),
    )


def _seen() -> tuple[sa.Column[Any], ...]:
    """First and last time, and how often."""
    return (
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
    )
