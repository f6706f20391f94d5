"""An analysis goes on from an earlier exam of the same patient, and always from the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.options import EarlierExam, Identity
from service.store.index import Index
from service.store.records import Version
from service.study.identity import Compared, compare, identity_of
from service.study.model import Patient
from tests.store.builders import STUDY, arrival, at, made
from tests.store.test_versions import complete

LATER = "1.2.4"
ANNA = identity_of(Patient("P1", "", "19500102", "F"))
BERTA = identity_of(Patient("P1", "", "19710809", "F"))


def offered(index: Index, of: Version) -> tuple[tuple[str, ...], ...]:
    """The tumors of each exam that is offered."""
    return tuple(exam.tumors for exam in index.priors.of(of.study_instance_uid, of.content_version))


def compared(index: Index, of: Version, own: Identity = ANNA, seconds: float = 500) -> Compared:
    """What an analysis makes of it, kept."""
    exams: Sequence[EarlierExam] = index.priors.of(of.study_instance_uid, of.content_version)
    result = compare(own, exams)
    index.priors.keep((of.study_instance_uid, of.content_version, of.attempt), result, exams, at(seconds))
    return result


def later_exam(index: Index, *, patient: str = "P1", study: str = LATER, seconds: float = 200) -> Version:
    index.add_instance(replace(arrival(70, study=study, seconds=seconds), sop_instance_uid=f"{study}.70", patient_id=patient))
    return index.close_version(study, at(seconds))


def measured(index: Index, *uids: str, seconds: float = 100, own: Identity = ANNA) -> None:
    """The first study has a result with these tumors."""
    has_result(index, complete(index, 1), uids, seconds, own)


def has_result(index: Index, version: Version, uids: Sequence[str], seconds: float, own: Identity) -> None:
    record = {"tumors": [{"tracking_uid": uid} for uid in uids]}
    sent = replace(made(), sop_instance_uid=f"9.{version.study_instance_uid}")
    index.save_result(version.study_instance_uid, version.content_version, record, [sent], at(seconds))
    index.priors.keep((version.study_instance_uid, version.content_version, version.attempt), Compared(own), (), at(seconds))


def said(index: Index, study: str = LATER) -> list[tuple[str, str]]:
    """What the history says of earlier exams."""
    detail = index.study(study)
    assert detail is not None
    return [(event.word, event.sentence) for event in detail.events if event.word.startswith("prior")]


def test_the_tumors_of_the_last_exam_are_offered_with_who_it_is_of(index: Index) -> None:
    measured(index, "2.25.1", "2.25.2")
    version = later_exam(index)

    (exam,) = index.priors.of(LATER, version.content_version)
    assert (exam.study_instance_uid, exam.tumors, exam.identity) == (STUDY, ("2.25.1", "2.25.2"), ANNA)


@pytest.mark.parametrize("patient", ["P2", ""])
def test_exams_under_another_patient_id_are_not_offered(index: Index, patient: str) -> None:
    measured(index, "2.25.1")
    assert offered(index, later_exam(index, patient=patient)) == ()


def test_who_an_exam_of_before_this_was_kept_is_of_is_not_known(index: Index) -> None:
    version = complete(index, 1)
    index.save_result(STUDY, version.content_version, {"tumors": []}, [made()], at(100))
    (exam,) = index.priors.of(LATER, later_exam(index).content_version)
    assert exam.identity == Identity()


def test_what_was_measured_after_a_version_closed_is_not_known_to_it(index: Index) -> None:
    """The same version analysed again makes the same objects."""
    version = later_exam(index, seconds=50)
    measured(index, "2.25.1", seconds=100)

    assert offered(index, version) == ()


def test_a_study_knows_no_tumors_of_its_own(index: Index) -> None:
    measured(index, "2.25.1")
    assert offered(index, complete(index, 2, seconds=300)) == ()


def test_of_each_exam_the_last_result_counts_and_the_newest_exam_comes_first(index: Index) -> None:
    measured(index, "2.25.1", seconds=100)
    has_result(index, complete(index, 2, seconds=110), ["2.25.2"], 110, ANNA)
    has_result(index, later_exam(index, study="1.2.5", seconds=120), ["2.25.5"], 120, ANNA)
    assert offered(index, later_exam(index)) == (("2.25.5",), ("2.25.2",))


def test_once_found_it_stays_the_same_whatever_becomes_of_the_earlier_exam(index: Index) -> None:
    measured(index, "2.25.1")
    version = later_exam(index)
    assert compared(index, version).tumors == ("2.25.1",)

    measured(index, "2.25.8", "2.25.9")
    assert compared(index, version).tumors == ("2.25.1",)
    detail = index.study(LATER)
    assert detail is not None
    assert detail.versions[-1].prior_study_uid == STUDY
    assert said(index) == [("prior", f"An earlier exam of the patient is known: study {STUDY}, tumors: 1.")]


def test_an_exam_of_another_person_is_never_followed_and_the_history_says_why_once(index: Index) -> None:
    measured(index, "2.25.1", own=BERTA)
    version = later_exam(index)
    for _time in range(2):
        assert compared(index, version).tumors == ()
    detail = index.study(LATER)
    assert detail is not None
    assert detail.versions[-1].prior_study_uid == ""
    ((word, sentence),) = said(index)
    assert word == "prior_refused"
    assert "the birth date differs" in sentence
    assert STUDY in sentence


def test_what_was_passed_over_is_passed_over_again(index: Index) -> None:
    """It stands in the report: the version analysed again makes the same objects."""
    measured(index, "2.25.1", seconds=100)
    has_result(index, later_exam(index, study="1.2.5", seconds=120), ["2.25.5"], 120, BERTA)
    version = later_exam(index)
    first = compared(index, version)
    assert first.tumors == ("2.25.1",)
    assert [doubt.study_instance_uid for doubt in first.doubts] == ["1.2.5"]
    has_result(index, later_exam(index, study="1.2.6", seconds=130), ["2.25.6"], 130, ANNA)
    assert compared(index, version) == first


def test_what_was_linked_by_the_patient_id_alone_is_compared_anew(index: Index) -> None:
    """Before this was kept, the patient ID told."""
    measured(index, "2.25.1", own=BERTA)
    version = later_exam(index)
    found = {"study_instance_uid": STUDY, "content_version": "abc", "tumors": ["2.25.1"]}
    with index._database.write() as connection:
        from service.store.versions import change

        change(connection, LATER, version.content_version, prior=found)
    assert compared(index, version).tumors == ()
    assert index.version(LATER, version.content_version).prior_study_uid == ""


def test_what_is_not_there_yet_can_still_be_found_when_it_is_analysed_again(index: Index) -> None:
    index.add_instance(arrival(1))
    first = index.close_version(STUDY, at(60))
    version = later_exam(index)
    assert compared(index, version).tumors == ()
    has_result(index, first, ["2.25.1"], 60, ANNA)
    assert compared(index, version).tumors == ("2.25.1",)
