"""An analysis goes on from an earlier exam of the same patient, and always from the same one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.store.index import Index
from service.store.records import Version
from tests.store.builders import STUDY, arrival, at, made
from tests.store.test_versions import complete


def known(index: Index, study: str, of: Version) -> tuple[str, ...]:
    """The tumors that are known from before."""
    prior = index.bind_prior(study, of.content_version, at(500))
    return prior.tumors if prior else ()


def later_exam(index: Index, *, patient: str = "P1", study: str = "1.2.4", seconds: float = 200) -> Version:
    index.add_instance(replace(arrival(70, study=study, seconds=seconds), patient_id=patient))
    return index.close_version(study, at(seconds))


def measured(index: Index, *uids: str, seconds: float = 100) -> None:
    """The first study has a result with these tumors."""
    version = complete(index, 1)
    record = {"tumors": [{"tracking_uid": uid} for uid in uids]}
    index.save_result(STUDY, version.content_version, record, [made()], at(seconds))


def test_the_tumors_of_the_last_exam_are_known(index: Index) -> None:
    measured(index, "2.25.1", "2.25.2")
    version = later_exam(index)

    assert known(index, "1.2.4", version) == ("2.25.1", "2.25.2")


@pytest.mark.parametrize("patient", ["P2", ""])
def test_tumors_of_other_patients_are_not_known(index: Index, patient: str) -> None:
    measured(index, "2.25.1")
    version = later_exam(index, patient=patient)

    assert known(index, "1.2.4", version) == ()


def test_what_was_measured_after_a_version_closed_is_not_known_to_it(index: Index) -> None:
    """The same version analysed again makes the same objects."""
    version = later_exam(index, seconds=50)
    measured(index, "2.25.1", seconds=100)

    assert known(index, "1.2.4", version) == ()


def test_a_study_knows_no_tumors_of_its_own(index: Index) -> None:
    measured(index, "2.25.1")
    second = complete(index, 2, seconds=300)

    assert known(index, STUDY, second) == ()


def test_once_found_it_stays_the_same_whatever_becomes_of_the_earlier_exam(index: Index) -> None:
    measured(index, "2.25.1")
    version = later_exam(index)
    assert known(index, "1.2.4", version) == ("2.25.1",)

    measured(index, "2.25.8", "2.25.9")
    assert known(index, "1.2.4", version) == ("2.25.1",)
    detail = index.study("1.2.4")
    assert detail is not None
    assert detail.versions[-1].prior_study_uid == STUDY
    assert [event.sentence for event in detail.events if event.word == "prior"] == [
        f"An earlier exam of the patient is known: study {STUDY}, tumors: 1."
    ]


def test_what_is_not_there_yet_can_still_be_found_when_it_is_analysed_again(index: Index) -> None:
    index.add_instance(arrival(1))
    first = index.close_version(STUDY, at(60))
    version = later_exam(index)
    assert known(index, "1.2.4", version) == ()
    index.save_result(STUDY, first.content_version, {"tumors": [{"tracking_uid": "2.25.1"}]}, [made()], first.closed_at)
    assert known(index, "1.2.4", version) == ("2.25.1",)
