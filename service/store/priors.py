"""The earlier exam of the same patient that an analysis goes on from. One function, one transaction of the caller."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from service.store.arrivals import note
from service.store.records import Prior
from service.store.schema import study, version
from service.store.versions import change, version_of


def bind(connection: Connection, study_uid: str, content: str, at: datetime) -> Prior | None:
    """The newest result of another study of the same patient, of before this version closed; once found it stays the same.

    So the version analysed again makes the same objects, whatever becomes of the earlier exam: measured anew, or removed.
    """
    this = (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
    bound = connection.scalar(select(version.c.prior).where(this))
    if bound:
        return _prior(bound)
    row = _newest_before(connection, study_uid, content)
    if row is None:
        return None
    tumors = [tumor["tracking_uid"] for tumor in row.result["tumors"]]
    found = {"study_instance_uid": row.study_instance_uid, "content_version": row.content_version, "tumors": tumors}
    change(connection, study_uid, content, prior=found)
    sentence = f"An earlier exam of the patient is known: study {row.study_instance_uid}, tumors: {len(tumors)}."
    note(connection, study_uid, "prior", sentence, at)
    return _prior(found)


def _prior(bound: dict[str, Any]) -> Prior:
    return Prior(bound["study_instance_uid"], bound["content_version"], tuple(bound["tumors"]))


def _newest_before(connection: Connection, study_uid: str, content: str) -> Any:
    """Its row; None when there is none."""
    patient = select(study.c.patient_id).where(study.c.study_instance_uid == study_uid).scalar_subquery()
    return connection.execute(
        select(version.c.study_instance_uid, version.c.content_version, version.c.result)
        .join(study, study.c.study_instance_uid == version.c.study_instance_uid)
        .where(study.c.patient_id == patient, study.c.patient_id != "", study.c.study_instance_uid != study_uid)
        .where(version.c.result.is_not(None), version.c.result_at < version_of(connection, study_uid, content).closed_at)
        .order_by(version.c.result_at.desc())
        .limit(1)
    ).first()
