"""What comes out for each series of a liver exam of each vendor, from headers as its scanners write them."""

from __future__ import annotations

import pytest

from service.dicom.headers import read_instance
from service.study.assemble import assemble
from service.study.model import Instance, Study
from service.study.roles import ENOUGH, assign_roles
from tests.study.vendors import EXAMS, SLICES, Exam, datasets


def read(exam: Exam, *, named: bool = True) -> Study:
    instances: list[Instance] = []
    for stack, item in datasets(exam):
        if not named:
            item.SeriesDescription = "MR"
        instances.append(read_instance(item, stack))
    return assemble(instances)


def found(study: Study) -> dict[str, str]:
    """The role of each stack, by the key that `datasets` gave it; a phase that mixes stacks fails."""
    guesses = assign_roles(study)
    roles: dict[str, str] = {}
    for phase in study.phases:
        (stack,) = {plane.instance.content for plane in phase.planes}
        assert len(phase.planes) == SLICES
        roles[stack] = guesses[phase.key].role.value
        assert guesses[phase.key].reasons
    return roles


@pytest.mark.parametrize("vendor", EXAMS)
def test_every_stack_of_the_exam_comes_out_alone_and_with_its_role(vendor: str) -> None:
    exam = EXAMS[vendor]
    assert {str(n): role for n, (role, *_) in enumerate(exam.stacks)} == found(read(exam))


@pytest.mark.parametrize("vendor", EXAMS)
def test_without_descriptions_the_measured_phases_are_the_same_or_not_told(vendor: str) -> None:
    """Descriptions are a hint: without them a role may be lost, but none becomes another one that is measured on."""
    exam = EXAMS[vendor]
    named, bare = found(read(exam)), found(read(exam, named=False))
    dynamic = {"t1_pre", "arterial", "portal_venous", "delayed", "hepatobiliary"}
    wrong = {stack: (named[stack], role) for stack, role in bare.items() if role in dynamic and role != named[stack]}
    assert wrong == {}
    assert {role for stack, role in bare.items() if named[stack] in dynamic} >= {"arterial", "portal_venous"}


@pytest.mark.parametrize("vendor", EXAMS)
def test_a_role_is_given_only_on_enough_evidence(vendor: str) -> None:
    guesses = assign_roles(read(EXAMS[vendor])).values()
    assert all((guess.role == "unknown") == (guess.score < ENOUGH) for guess in guesses)
