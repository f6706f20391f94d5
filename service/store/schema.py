"""The tables of the index. What changes here needs a migration beside the first one; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)


class Utc(TypeDecorator[datetime]):
    """A time that is aware and in UTC on both sides, although SQLite stores no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the index takes only times that know their zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _text(name: str, default: str | None = None) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default=default)


metadata = MetaData()

# `content_version` names the newest version, empty before the first. `held` and `urgent` are what people asked for.
study = Table(
    "study",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    _text("patient_id", ""),
    _text("state"),
    _text("sentence", ""),
    _text("content_version", ""),
    Column("first_received_at", Utc, nullable=False),
    Column("last_received_at", Utc, nullable=False),
    Column("held", Boolean, nullable=False, server_default=false()),
    Column("urgent", Boolean, nullable=False, server_default=false()),
    # The list of studies, all of them or those of one state, in its order.
    Index("study_by_state", "state", "last_received_at", "study_instance_uid"),
    Index("study_by_arrival", "last_received_at", "study_instance_uid"),
    Index("study_by_patient", "patient_id"),
)

# `relevant`: may be analysed. `conflict`: came again with other content. `lost`: its file is gone.
instance = Table(
    "instance",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("study_instance_uid"),
    _text("series_instance_uid"),
    _text("sop_instance_uid"),
    _text("sop_class_uid"),
    _text("transfer_syntax_uid"),
    _text("modality"),
    Column("series_number", BigInteger),
    _text("series_description"),
    Column("content_key", Text, nullable=False, unique=True),
    _text("sha256"),
    Column("size", BigInteger, nullable=False),
    _text("calling_ae"),
    _text("association_id"),
    Column("received_at", Utc, nullable=False),
    Column("relevant", Boolean, nullable=False),
    Column("conflict", Boolean, nullable=False),
    Column("lost", Boolean, nullable=False),
    _text("reason_ignored"),
    Index("instance_by_study", "study_instance_uid"),
    Index("instance_by_sop", "sop_instance_uid"),
    # The rule "the first one is used", held by the database too.
    Index(
        "instance_first",
        "sop_instance_uid",
        unique=True,
        sqlite_where=text("conflict = 0 AND lost = 0"),
        postgresql_where=text("NOT conflict AND NOT lost"),
    ),
)

association = Table(
    "association",
    metadata,
    Column("id", Text, primary_key=True),
    _text("peer"),
    _text("calling_ae"),
    Column("opened_at", Utc, nullable=False),
    Column("closed_at", Utc),
    Index("association_by_end", "closed_at"),
)

association_study = Table(
    "association_study",
    metadata,
    Column("association_id", Text, primary_key=True),
    Column("study_instance_uid", Text, primary_key=True),
    Index("association_study_by_study", "study_instance_uid"),
)

# `up_to` is the id of the last instance that had arrived, so that a job reads exactly what its version names; `phases` is
# how its series were understood. `owner` is the worker that took the version, `begin` the stage where its next job begins,
# `unfinished` counts the analyses that began and never came back: their worker died; `output` is the end of what
# the last one wrote. `refusal` is why it has no result, where an object was made that says so. `prior` is the
# earlier exam that it goes on from, as it was when this was first analysed, with those that were offered to it;
# `identity` is who it is of itself, as digests. `lacks` is the series that it waited for, in words; "" where a person ended
# the waiting, nothing where it never waited.
version = Table(
    "version",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    Column("content_version", Text, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("up_to", Integer, nullable=False),
    Column("closed_at", Utc, nullable=False),
    _text("state"),
    _text("sentence", ""),
    _text("stage", ""),
    Column("percent", Integer, nullable=False, server_default="0"),
    Column("result", JSON(none_as_null=True)),
    Column("result_at", Utc),
    Column("phases", JSON(none_as_null=True)),
    _text("owner", ""),
    _text("begin", "analyse"),
    Column("unfinished", Integer, nullable=False, server_default="0"),
    _text("output", ""),
    _text("refusal", ""),
    Column("prior", JSON(none_as_null=True)),
    Column("identity", JSON(none_as_null=True)),
    Column("lacks", Text),
    Index("version_by_owner", "owner"),
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("study_instance_uid"),
    Column("at", Utc, nullable=False),
    _text("word"),
    _text("sentence"),
    Index("event_by_study", "study_instance_uid"),
)

# `position` is the sending order; `current` is false for what a replay made anew under another UID.
made = Table(
    "made",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    _text("study_instance_uid"),
    _text("content_version"),
    Column("position", Integer, nullable=False),
    _text("role"),
    _text("sop_class_uid"),
    _text("content_key"),
    Column("size", BigInteger, nullable=False),
    Column("current", Boolean, nullable=False),
    Index("made_by_version", "study_instance_uid", "content_version"),
)

# `next_try_at` is when it is due: to be sent, or to be asked for; without it nothing is left to do. `planned_at` is when its
# way began, `sent_at` when the destination took it. `transaction_uid` names the storage commitment that was asked for.
delivery = Table(
    "delivery",
    metadata,
    Column("sop_instance_uid", Text, primary_key=True),
    Column("destination", Text, primary_key=True),
    _text("state"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("status", Integer),
    _text("detail", ""),
    Column("updated_at", Utc),
    Column("planned_at", Utc),
    Column("next_try_at", Utc),
    Column("sent_at", Utc),
    _text("transaction_uid", ""),
    Index("delivery_by_state", "state", "destination"),
    Index("delivery_by_next_try", "destination", "next_try_at"),
    Index("delivery_by_transaction", "transaction_uid"),
)

# The way to one destination: which worker sends there (`term` rises whenever it changes hands), and since when, after how
# many failures in a row, nothing goes through (`next_try_at`: not before).
line = Table(
    "line",
    metadata,
    Column("destination", Text, primary_key=True),
    _text("worker", ""),
    Column("term", Integer, nullable=False, server_default="0"),
    Column("held_until", Utc),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("down_since", Utc),
    Column("next_try_at", Utc),
    _text("sentence", ""),
)

# Callers that were turned away; the same one for the same reason is one row.
rejection = Table(
    "rejection",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("address"),
    _text("calling_ae"),
    _text("called_ae"),
    _text("reason"),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("times", Integer, nullable=False),
    UniqueConstraint("address", "calling_ae", "called_ae", "reason", name="rejection_once"),
)

# Objects that were refused because their header cannot be understood; `file` is empty when the bytes were not kept.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("sha256"),
    Column("status", Integer, nullable=False),
    _text("reason"),
    _text("calling_ae"),
    _text("sop_class_uid"),
    _text("transfer_syntax_uid"),
    Column("size", BigInteger, nullable=False),
    _text("file"),
    Column("first_at", Utc, nullable=False),
    Column("last_at", Utc, nullable=False),
    Column("times", Integer, nullable=False),
    UniqueConstraint("sha256", "reason", name="quarantine_once"),
)

# What a person said: a role for the phases of one scanner and protocol ...
role_rule = Table(
    "role_rule",
    metadata,
    Column("scanner", Text, primary_key=True),
    Column("protocol", Text, primary_key=True),
    Column("description", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    _text("role"),
    Column("told_at", Utc, nullable=False),
)

# ... and facts about one study (`seeds`, `procedure_at`).
study_told = Table(
    "study_told",
    metadata,
    Column("study_instance_uid", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("told_at", Utc, nullable=False),
)

# `beat` counts up while the worker lives; `left`: it stopped in an orderly way; `shape`: of the workflows it can go on with;
# `destinations`: where it sends (NULL: it does not say).
machine = Table(
    "machine",
    metadata,
    Column("name", Text, primary_key=True),
    _text("host"),
    _text("release"),
    _text("shape"),
    Column("parallel", Integer, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("seen_at", Utc, nullable=False),
    Column("left", Boolean, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("destinations", JSON),
)

# A queue without a row is not paused.
queue = Table(
    "queue",
    metadata,
    Column("name", Text, primary_key=True),
    Column("paused", Boolean, nullable=False),
)

# Files of instances and of our own objects that no row names any more and that are to be removed.
doomed = Table("doomed", metadata, Column("content_key", Text, primary_key=True))

# What people did. `subject` is a study, or the name of a queue or worker; nothing here is ever changed.
action = Table(
    "action",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Utc, nullable=False),
    _text("who"),
    _text("what"),
    _text("subject"),
    _text("before"),
    _text("after"),
    Index("action_by_subject", "subject"),
)
