"""What people said, kept for every later analysis. One function, one transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from service.errors import Unusable
from service.options import RoleRule
from service.store.schema import role_rule, study, study_told, version

_IDENTITY = ("scanner", "protocol", "description", "ordinal")


def keep_rule(connection: Connection, rule: RoleRule, at: datetime) -> None:
    """Remember what the phases of this scanner and protocol are; the newest word about the same phase counts."""
    forget_rule(connection, rule)
    same = {name: getattr(rule, name) for name in _IDENTITY}
    connection.execute(insert(role_rule).values(**same, role=rule.role, told_at=at))


def forget_rule(connection: Connection, rule: RoleRule) -> None:
    """Go by the evidence again, whatever role was said."""
    connection.execute(delete(role_rule).where(*(role_rule.c[name] == getattr(rule, name) for name in _IDENTITY)))


def rules(connection: Connection) -> tuple[RoleRule, ...]:
    """Everything remembered, the newest first."""
    rows = connection.execute(
        select(role_rule).order_by(role_rule.c.told_at.desc(), *(role_rule.c[name] for name in _IDENTITY))
    )
    return tuple(RoleRule(row.role, row.scanner, row.protocol, row.description, row.ordinal) for row in rows)


def tell(connection: Connection, study_uid: str, facts: Mapping[str, Any], at: datetime) -> None:
    """Keep facts about a study by name; None takes one back.

    Raises:
        Unusable: There is no such study.
    """
    if connection.execute(select(study).where(study.c.study_instance_uid == study_uid)).first() is None:
        raise Unusable("store.no_study", "There is no such study.")
    for name, value in facts.items():
        connection.execute(delete(study_told).where(study_told.c.study_instance_uid == study_uid, study_told.c.name == name))
        if value is not None:
            connection.execute(insert(study_told).values(study_instance_uid=study_uid, name=name, value=value, told_at=at))


def told(connection: Connection, study_uid: str) -> dict[str, Any]:
    """The facts that people said about a study, by name."""
    rows = connection.execute(select(study_told).where(study_told.c.study_instance_uid == study_uid))
    return {row.name: row.value for row in rows}


def save_phases(connection: Connection, study_uid: str, content: str, phases: Sequence[Mapping[str, Any]]) -> None:
    """Keep how the series of a version were understood."""
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    connection.execute(update(version).where(this).values(phases=[dict(phase) for phase in phases]))


def phases_of(connection: Connection, study_uid: str) -> tuple[Mapping[str, Any], ...]:
    """How the series of the newest version that was analysed were understood."""
    row = connection.execute(
        select(version.c.phases)
        .where(version.c.study_instance_uid == study_uid, version.c.phases.is_not(None))
        .order_by(version.c.ordinal.desc())
        .limit(1)
    ).first()
    return tuple(row.phases) if row is not None else ()
