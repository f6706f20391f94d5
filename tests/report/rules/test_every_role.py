"""Whatever object is made, of whatever class: what is taken from it, or led astray in it, is seen."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from service.options import AnalysisOptions
from service.report import compose
from service.report.check import faults_of
from service.report.draft import Draft, Made
from service.report.rules import attributes, identity, references, terms
from service.report.rules.subject import parts_of
from service.report.segments import plan
from tests.report.conftest import sample
from tests.report.placed import placed

ROLES = tuple(role for role, _make in compose.OUTPUTS)
UNKNOWN = "1.2.826.0.1.3680043.8.498.777"


@pytest.fixture(scope="module")
def draft() -> Draft:
    """A result of which every kind of object can be made."""
    given = placed(sample())
    made = compose.compose(given.result, given.sources, AnalysisOptions(outputs=ROLES))
    assert [one.role for one in made] == list(ROLES)
    return Draft(given.result, given.sources, plan(given.result), made)


def made_as(draft: Draft, role: str) -> Made:
    return next(one for one in draft.made if one.role == role)


def another(dataset: Dataset) -> Dataset:
    """The same elements in a data set of their own."""
    made = Dataset()
    made.update(dataset)
    made.file_meta = dataset.file_meta
    return made


def rules_broken(draft: Draft, made: Made, dataset: Dataset) -> set[tuple[str, str]]:
    """Rule and place of the faults when `made` has this data set instead of its own."""
    other = replace(made, dataset=dataset)
    spoilt = replace(draft, made=tuple(other if one is made else one for one in draft.made))
    return {(fault.rule, fault.place) for fault in faults_of(other, spoilt)}


def required(made: Made) -> Iterator[tuple[str, str]]:
    """Every attribute that the class demands, with the rule that demands it; without its class no table is known."""
    for module in attributes.CLASSES[made.sop_class_uid]:
        for keywords, rule in zip(attributes.MODULES[module], (attributes.TYPE_1, attributes.TYPE_2), strict=True):
            yield from ((keyword, rule) for keyword in keywords.split() if keyword != "SOPClassUID")


@pytest.mark.parametrize("role", ROLES)
def test_every_required_attribute_that_is_missing_is_seen(draft: Draft, role: str) -> None:
    made = made_as(draft, role)
    missed = []
    for keyword, rule in required(made):
        spoilt = another(made.dataset)
        del spoilt[keyword]
        if (rule, keyword) not in rules_broken(draft, made, spoilt):
            missed.append(keyword)
    assert missed == []


@pytest.mark.parametrize("role", ROLES)
def test_every_reference_that_leads_nowhere_is_seen(draft: Draft, role: str) -> None:
    made = made_as(draft, role)
    count = sum("ReferencedSOPInstanceUID" in item for _place, item in parts_of(made.dataset))
    missed = []
    for number in range(0, count, max(1, count // 12)):
        spoilt = deepcopy(made.dataset)
        referring = [(place, item) for place, item in parts_of(spoilt) if "ReferencedSOPInstanceUID" in item]
        place, item = referring[number]
        item.ReferencedSOPInstanceUID = UNKNOWN
        if (references.EXISTS, f"{place}.ReferencedSOPInstanceUID") not in rules_broken(draft, made, spoilt):
            missed.append(place)
    assert missed == []


@pytest.mark.parametrize("role", ROLES)
def test_every_code_that_nobody_knows_is_seen(draft: Draft, role: str) -> None:
    made = made_as(draft, role)
    count = sum("CodeMeaning" in item for _place, item in parts_of(made.dataset))
    missed = []
    for number in range(0, count, max(1, count // 12)):
        spoilt = deepcopy(made.dataset)
        place, item = [(place, item) for place, item in parts_of(spoilt) if "CodeMeaning" in item][number]
        item.CodeValue = "NEVERSEEN"
        if (terms.KNOWN, place) not in rules_broken(draft, made, spoilt):
            missed.append(place)
    assert missed == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "PatientBirthDate", "AccessionNumber", "StudyDate"])
def test_another_patient_or_study_is_seen(draft: Draft, role: str, keyword: str) -> None:
    made = made_as(draft, role)
    spoilt = another(made.dataset)
    setattr(spoilt, keyword, "19000101" if keyword.endswith("Date") else "Other")
    assert (identity.SAME, keyword) in rules_broken(draft, made, spoilt)


@pytest.mark.parametrize("role", ROLES)
def test_pixels_that_are_cut_short_are_seen(draft: Draft, role: str) -> None:
    made = made_as(draft, role)
    keyword = next((name for name in ("PixelData", "FloatPixelData") if name in made.dataset), None)
    if keyword is None:
        assert "Rows" not in made.dataset
        return
    spoilt = another(made.dataset)
    setattr(spoilt, keyword, made.dataset[keyword].value[:-4])
    assert (terms.PIXELS, keyword) in rules_broken(draft, made, spoilt)
