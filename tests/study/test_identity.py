"""Two exams are of one person only where nothing is in doubt."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.options import EarlierExam, Identity
from service.study.identity import compare, doubt, identity_of
from service.study.model import Patient

ANNA = Patient("4711", "NORTH HOSPITAL", "19500102", "F")
WITHOUT_ISSUER = replace(ANNA, issuer="")
VALUES = {"patient_id": ["", "4711", "4712"], "issuer": ["", "N", "S"], "birth_date": ["", "19500102"], "sex": ["", "F", "M"]}
PATIENTS = st.builds(Patient, **{name: st.sampled_from(values) for name, values in VALUES.items()})


def between(one: Patient, other: Patient) -> str:
    return doubt(identity_of(one), identity_of(other))


@pytest.mark.parametrize("patient", [ANNA, WITHOUT_ISSUER])
def test_the_same_person_is_the_same_person(patient: Patient) -> None:
    assert between(patient, patient) == ""


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(ANNA, issuer="SOUTH HOSPITAL"), "the issuer of the patient ID differs"),
        (replace(ANNA, birth_date="19500103"), "the birth date differs"),
        (replace(ANNA, sex="M"), "the sex differs"),
        (replace(ANNA, birth_date="19500103", sex="M"), "the birth date and the sex differ"),
        (replace(ANNA, issuer=""), "the issuer of the patient ID is not known of both"),
        (replace(ANNA, birth_date=""), "the birth date is not known of both"),
        (replace(ANNA, birth_date="", sex=""), "the birth date and the sex are not known of both"),
        (replace(ANNA, birth_date="", sex="M"), "the sex differs"),
        (Patient("4712", "NORTH HOSPITAL", "19500102", "F"), "differ"),
        (Patient(), "are not known of both"),
    ],
)
def test_whatever_differs_or_is_not_known_is_a_doubt_and_is_named(other: Patient, why: str) -> None:
    assert why in between(ANNA, other)
    assert between(ANNA, other) == between(other, ANNA)


def test_what_neither_says_is_a_doubt_too_but_for_the_issuer() -> None:
    for name in ("birth_date", "sex"):
        patient = replace(ANNA, **{name: ""})
        assert between(patient, patient)


@given(PATIENTS, PATIENTS)
def test_only_equal_and_known_patients_are_one_person(one: Patient, other: Patient) -> None:
    known = all((one.patient_id, one.birth_date, one.sex))
    assert (between(one, other) == "") == (one == other and known)


@given(st.builds(Patient, *[st.text("GHIJKLMNOP", min_size=1, max_size=20)] * 4))
def test_nobody_can_read_who_it_is(patient: Patient) -> None:
    kept = asdict(identity_of(patient))
    for name, value in asdict(patient).items():
        assert value not in kept[name]
        assert len(kept[name]) == 16
    assert kept["birth_date"] != asdict(identity_of(replace(patient, patient_id=patient.patient_id + "1")))["birth_date"]


def test_the_newest_exam_of_the_same_person_is_followed_and_the_others_are_named() -> None:
    def exam(number: int, patient: Patient | None) -> EarlierExam:
        identity = Identity() if patient is None else identity_of(patient)
        return EarlierExam(f"1.{number}", "abc", (f"2.25.{number}",), identity)

    namesake = replace(ANNA, birth_date="19710809")
    exams = [exam(4, namesake), exam(3, None), exam(2, ANNA), exam(1, ANNA)]
    compared = compare(identity_of(ANNA), exams)
    assert compared.tumors == ("2.25.2",)
    assert [one.study_instance_uid for one in compared.doubts] == ["1.4", "1.3"]
    assert len(compared.sentences) == 2

    nobody = compare(identity_of(ANNA), exams[:2])
    assert (nobody.exam, nobody.tumors) == (None, ())
