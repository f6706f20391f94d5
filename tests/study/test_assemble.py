from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.codes import DEVICE_UID
from service.errors import Unusable
from service.study.assemble import RT_STRUCTURE_SET, SEGMENTATION, assemble, by_study, reason_ignored
from service.study.model import Patient
from tests.study.records import frame, instance, series, sizes


def drawing(**other: Any) -> Any:
    return instance("1.7", 1, [], **{"sop_class_uid": SEGMENTATION, "modality": "SEG", **other})


def test_series_come_by_number_with_their_phases() -> None:
    study = assemble([*series("1.5", slices=6), *series("1.4", slices=8)])
    assert [found.series_instance_uid for found in study.series] == ["1.4", "1.5"]
    assert sizes(study) == [8, 6]
    assert study.patient.patient_id == "P1"


def test_the_order_of_arrival_changes_nothing() -> None:
    came = [*series("1.5"), *series("1.4"), drawing()]
    expected = assemble(came)
    came = came[1::2] + came[::2]
    assert expected == assemble(came)


def test_drawings_by_others_are_kept_apart() -> None:
    structures = drawing(sop_class_uid=RT_STRUCTURE_SET, modality="RTSTRUCT", sop_instance_uid="1.7.2")
    study = assemble([*series("1.4"), drawing(), structures])
    assert [found.sop_class_uid for found in study.drawings] == [SEGMENTATION, RT_STRUCTURE_SET]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"device_uid": DEVICE_UID}, "result of this service"),
        ({"modality": "CT", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}, "not MR"),
        ({"modality": "SR", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34"}, "not MR"),
        ({"sop_class_uid": "1.2.840.10008.5.1.4.1.1.4.2"}, "no MR image"),
        ({"rows": 0}, "no pixels"),
        ({"samples": 3}, "colour"),
    ],
)
def test_everything_else_is_ignored_with_its_reason(change: dict[str, Any], words: str) -> None:
    other = replace(instance("1.8", 1, [frame()]), **change)
    study = assemble([*series("1.4"), other])
    assert [other] == [ignored.instance for ignored in study.ignored]
    assert words in study.ignored[0].reason
    assert study.ignored[0].reason == reason_ignored(other)


def test_an_instance_that_came_twice_counts_once() -> None:
    stack = series("1.4")
    study = assemble([*stack, replace(stack[0], content="elsewhere")])
    assert sizes(study) == [8]
    assert [ignored.instance.content for ignored in study.ignored] == ["elsewhere"]


@pytest.mark.parametrize("other", [Patient("P2"), Patient("P1", birth_date="19600101"), Patient("P1", sex="M")])
def test_a_drawing_of_another_patient_is_ignored(other: Patient) -> None:
    study = assemble([*series("1.4"), drawing(patient=other)])
    assert study.drawings == ()
    assert "another patient" in study.ignored[0].reason


def test_a_drawing_without_patient_is_kept() -> None:
    assert len(assemble([*series("1.4"), drawing(patient=Patient())]).drawings) == 1


@pytest.mark.parametrize("other", [Patient("P2"), Patient("P1", birth_date="19600101"), Patient("P1", sex="M")])
def test_images_of_two_patients_are_refused_without_naming_them(other: Patient) -> None:
    with pytest.raises(Unusable) as fault:
        assemble([*series("1.4"), *series("1.5", patient=other)])
    assert fault.value.code == "study.identity"
    assert not any(word in fault.value.sentence for word in ("P1", "P2", "1950", "1960"))


def test_two_studies_are_not_mixed() -> None:
    came = [*series("1.4"), *series("1.5", study_instance_uid="1.3")]
    with pytest.raises(Unusable, match="2 studies"):
        assemble(came)
    assert {uid: len(members) for uid, members in by_study(came).items()} == {"1.2": 8, "1.3": 8}


def test_nothing_is_no_study() -> None:
    with pytest.raises(Unusable):
        assemble([])


def test_a_study_of_results_only_has_no_phases() -> None:
    assert assemble([drawing(device_uid=DEVICE_UID)]).phases == ()
