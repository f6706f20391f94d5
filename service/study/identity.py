"""Whether two exams are surely of the same person.

A patient ID alone does not tell: two hospitals use the same number, and a number is given again. To miss an earlier exam costs
nothing but its history; to follow that of another person makes a course that never was. So whatever is in doubt is not
followed, and the result says so.

Nobody can read who it is from what is compared and kept: of every value there is a digest under the patient ID.
Source: DICOM PS3.3 C.7.1.1 (Patient ID is unique within its issuer only).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.options import EarlierExam, Identity
from service.study.model import Patient

_ISSUER = "issuer of the patient ID"
_WORDS = {"patient_id": "patient ID", "issuer": _ISSUER, "birth_date": "birth date", "sex": "sex"}
_DIGITS = 8  # bytes of a digest: two of ten million persons are not the same by chance


@dataclass(frozen=True, slots=True)
class Doubt:
    """An earlier exam that is not followed, and why (one sentence)."""

    study_instance_uid: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Who this exam is of, the earlier exam that is followed, and those that are not although they have its patient ID."""

    identity: Identity = field(default_factory=Identity)
    exam: EarlierExam | None = None
    doubts: tuple[Doubt, ...] = ()

    @property
    def tumors(self) -> tuple[str, ...]:
        """The tracking UIDs of the tumors that are known from before."""
        return self.exam.tumors if self.exam is not None else ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a reader must know of it, each once."""
        return tuple(dict.fromkeys(doubt.sentence for doubt in self.doubts))


def identity_of(patient: Patient) -> Identity:
    """What of a patient is compared; without a patient ID nothing is.

    >>> identity_of(Patient("1", sex="F")) == identity_of(Patient("1", sex="f"))
    True
    >>> identity_of(Patient("", "", "19500101", "F"))
    Identity(patient_id='', issuer='', birth_date='', sex='')
    """
    if not patient.patient_id:
        return Identity()
    values = {"patient_id": patient.patient_id, "issuer": patient.issuer, "birth_date": patient.birth_date}
    values["sex"] = patient.sex.upper()
    key = hashlib.sha256(patient.patient_id.encode()).digest()
    return Identity(**{name: _digest(key, name, value) for name, value in values.items()})


def compare(own: Identity, exams: Sequence[EarlierExam]) -> Compared:
    """Follow the first of these exams (newest first) that is surely of the same person."""
    doubts: list[Doubt] = []
    for exam in exams:
        why = doubt(own, exam.identity)
        if not why:
            return Compared(own, exam, tuple(doubts))
        doubts.append(Doubt(exam.study_instance_uid, why))
    return Compared(own, None, tuple(doubts))


def doubt(one: Identity, other: Identity) -> str:
    """Why two exams with the same patient ID may be of two persons; "" when they are surely of one.

    Patient ID, birth date and sex must be known of both and equal; the issuer equal, or known of neither.

    >>> known = Patient("1", "", "19500101", "F")
    >>> doubt(identity_of(known), identity_of(known))
    ''
    >>> doubt(identity_of(known), identity_of(Patient("1", "", "19500102", "F")))
    'An earlier exam under the same patient ID is not followed: the birth date differs, so it may be of another person.'
    """
    pairs = {word: (getattr(one, name), getattr(other, name)) for name, word in _WORDS.items()}
    if pairs[_ISSUER] == ("", ""):
        del pairs[_ISSUER]
    differ = [word for word, (mine, its) in pairs.items() if mine and its and mine != its]
    unknown = [word for word, pair in pairs.items() if "" in pair]
    if not differ and not unknown:
        return ""
    words = " and the ".join(differ or unknown)
    one_word = len(differ or unknown) == 1
    why = ("differs" if one_word else "differ") if differ else f"{'is' if one_word else 'are'} not known of both"
    return f"An earlier exam under the same patient ID is not followed: the {words} {why}, so it may be of another person."


def _digest(key: bytes, name: str, value: str) -> str:
    return hashlib.blake2b(value.encode(), key=key, person=name.encode(), digest_size=_DIGITS).hexdigest() if value else ""
