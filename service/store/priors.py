"""The earlier exams under the patient ID of a study, and which of them an analysis goes on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from service.options import EarlierExam, Identity
from service.store.arrivals import note
from service.store.database import Database
from service.store.schema import event, study, version
from service.store.versions import change, must_be_at, version_of
from service.study.identity import Compared

MOST = 8  # exams that are offered: a patient is seen a few times after an ablation
OFFERED = "offered"
_ROWS = 64  # results that are looked at for them: the versions of one exam count once


class Priors:
    """What was measured before under the same patient ID. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, study_uid: str, content: str) -> tuple[EarlierExam, ...]:
        """The exams of other studies that had a result before this version closed, the newest first.

        Once it went on from one they stay the same: so the version analysed again makes the same objects, whatever becomes of
        those exams: measured anew, or removed.
        """
        with self._database.read() as connection:
            bound = connection.scalar(select(version.c.prior).where(_is(study_uid, content))) or {}
            rows = [] if OFFERED in bound else _newest(connection, study_uid, content)
            return tuple(_exam(one) for one in bound.get(OFFERED, [_found(connection, row) for row in rows]))

    def keep(self, of: tuple[str, str, int], compared: Compared, offered: Sequence[EarlierExam], at: datetime) -> None:
        """Keep who the version of the job `of` is of, and on which of the `offered` exams it goes on.

        Raises:
            StaleError: The job was begun anew by somebody else.
        """
        study_uid, content, attempt = of
        exam, prior = compared.exam, None
        if exam is not None:
            prior = {**asdict(exam), OFFERED: [asdict(one) for one in offered]}
        with self._database.write() as connection:
            must_be_at(connection, study_uid, content, attempt)
            change(connection, study_uid, content, identity=asdict(compared.identity), prior=prior)
            if exam is not None:
                said = f"An earlier exam of the patient is known: study {exam.study_instance_uid}, tumors: {len(exam.tumors)}."
                _note_once(connection, study_uid, "prior", said, at)
            for one in compared.doubts:
                _note_once(connection, study_uid, "prior_refused", f"{one.sentence} It is study {one.study_instance_uid}.", at)


def _note_once(connection: Connection, study_uid: str, word: str, sentence: str, at: datetime) -> None:
    """What the history says already is nothing new."""
    same = (event.c.study_instance_uid == study_uid) & (event.c.word == word) & (event.c.sentence == sentence)
    if connection.scalar(select(event.c.id).where(same).limit(1)) is None:
        note(connection, study_uid, word, sentence, at)


def _newest(connection: Connection, study_uid: str, content: str) -> list[Any]:
    """The last result of each other study under the patient ID, from before the version closed."""
    patient = select(study.c.patient_id).where(study.c.study_instance_uid == study_uid).scalar_subquery()
    rows = connection.execute(
        select(version.c.study_instance_uid, version.c.content_version)
        .join(study, study.c.study_instance_uid == version.c.study_instance_uid)
        .where(study.c.patient_id == patient, study.c.patient_id != "", study.c.study_instance_uid != study_uid)
        .where(version.c.result.is_not(None), version.c.result_at < version_of(connection, study_uid, content).closed_at)
        .order_by(version.c.result_at.desc(), version.c.ordinal.desc())
        .limit(_ROWS)
    ).all()
    last = {row.study_instance_uid: row for row in reversed(rows)}
    return [row for row in rows if last[row.study_instance_uid] is row][:MOST]


def _found(connection: Connection, row: Any) -> dict[str, Any]:
    this = _is(row.study_instance_uid, row.content_version)
    result, identity = connection.execute(select(version.c.result, version.c.identity).where(this)).one()
    tumors = [tumor["tracking_uid"] for tumor in result["tumors"]]
    found = {"study_instance_uid": row.study_instance_uid, "content_version": row.content_version}
    return {**found, "tumors": tumors, "identity": identity or {}}


def _exam(found: dict[str, Any]) -> EarlierExam:
    identity = Identity(**found["identity"])
    return EarlierExam(found["study_instance_uid"], found["content_version"], tuple(found["tumors"]), identity)


def _is(study_uid: str, content: str) -> Any:
    return (version.c.study_instance_uid == study_uid) & (version.c.content_version == content)
