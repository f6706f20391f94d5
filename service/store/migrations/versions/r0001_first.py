"""The first tables. A migration is history: it never imports the schema of today."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _text(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _number(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=default)


def _size() -> sa.Column[Any]:
    return sa.Column("size", sa.BigInteger, nullable=False)


def upgrade() -> None:
    _arrivals()
    _results()
    _deliveries()


def _arrivals() -> None:
    op.create_table(
        "study",
        sa.Column("study_instance_uid", sa.Text, primary_key=True),
        _text("patient_id", ""),
        _text("state"),
        _text("sentence", ""),
        _text("content_version", ""),
        _time("first_received_at"),
        _time("last_received_at"),
    )
    op.create_index("study_by_state", "study", ["state"])
    op.create_index("study_by_arrival", "study", ["last_received_at"])
    _instances()
    op.create_table(
        "association",
        sa.Column("id", sa.Text, primary_key=True),
        _text("peer"),
        _text("calling_ae"),
        _time("opened_at"),
        _time("closed_at", nullable=True),
    )
    op.create_table(
        "association_study",
        sa.Column("association_id", sa.Text, primary_key=True),
        sa.Column("study_instance_uid", sa.Text, primary_key=True),
    )
    op.create_index("association_study_by_study", "association_study", ["study_instance_uid"])


def _instances() -> None:
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("study_instance_uid"),
        _text("series_instance_uid"),
        _text("sop_instance_uid"),
        _text("sop_class_uid"),
        _text("transfer_syntax_uid"),
        _text("modality"),
        sa.Column("series_number", sa.BigInteger),
        _text("series_description"),
        sa.Column("content_key", sa.Text, nullable=False, unique=True),
        _text("sha256"),
        _size(),
        _text("calling_ae"),
        _text("association_id"),
        _time("received_at"),
        _flag("relevant"),
        _flag("conflict"),
        _flag("lost"),
        _text("reason_ignored"),
    )
    op.create_index("instance_by_study", "instance", ["study_instance_uid"])
    op.create_index("instance_by_sop", "instance", ["sop_instance_uid"])
    op.create_index(
        "instance_first",
        "instance",
        ["sop_instance_uid"],
        unique=True,
        sqlite_where=sa.text("conflict = 0 AND lost = 0"),
        postgresql_where=sa.text("NOT conflict AND NOT lost"),
    )


def _results() -> None:
    op.create_table(
        "version",
        sa.Column("study_instance_uid", sa.Text, primary_key=True),
        sa.Column("content_version", sa.Text, primary_key=True),
        _number("ordinal"),
        _number("attempt"),
        _number("up_to"),
        _time("closed_at"),
        _text("state"),
        _text("sentence", ""),
        _text("stage", ""),
        _number("percent", "0"),
        sa.Column("result", sa.JSON),
        _time("result_at", nullable=True),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("study_instance_uid"),
        _time("at"),
        _text("word"),
        _text("sentence"),
    )
    op.create_index("event_by_study", "event", ["study_instance_uid"])


def _deliveries() -> None:
    op.create_table(
        "made",
        sa.Column("sop_instance_uid", sa.Text, primary_key=True),
        _text("study_instance_uid"),
        _text("content_version"),
        _number("position"),
        _text("role"),
        _text("sop_class_uid"),
        _text("content_key"),
        _size(),
        _flag("current"),
    )
    op.create_index("made_by_version", "made", ["study_instance_uid", "content_version"])
    op.create_table(
        "delivery",
        sa.Column("sop_instance_uid", sa.Text, primary_key=True),
        sa.Column("destination", sa.Text, primary_key=True),
        _text("state"),
        _number("attempts", "0"),
        sa.Column("status", sa.Integer),
        _text("detail", ""),
        _time("updated_at", nullable=True),
    )
    op.create_index("delivery_by_state", "delivery", ["state"])
