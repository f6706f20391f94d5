"""Each rule of the gate is broken once and must be seen; what is right must pass."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from service.codes import SCHEME, Code, is_registered, ours
from service.errors import Faulty
from service.options import AnalysisOptions
from service.report import check, compose, content, seg, sr
from service.report.check import faults_of, require
from service.report.draft import Draft, Made
from service.report.rules import attributes, document, identity, references, terms
from service.report.segments import plan
from tests.report.conftest import Sample, enhanced, sample, without_regions
from tests.report.placed import placed

ALL = AnalysisOptions(outputs=tuple(role for role, _make in compose.OUTPUTS))
UNKNOWN = "1.2.826.0.1.3680043.8.498.777"

Break = Callable[[Dataset], None]


def draft_of(given: Sample, options: AnalysisOptions = ALL) -> Draft:
    """The draft that compose ends with."""
    made = compose.compose(given.result, given.sources, options)
    return Draft(given.result, given.sources, plan(given.result), made)


def named(image: Dataset, name: str, *terms: str) -> None:
    """The patient of the study has this name, written in this character set."""
    image.SpecificCharacterSet = list(terms)
    image.PatientName = name


@pytest.fixture(scope="module")
def draft(one: Sample) -> Draft:
    return draft_of(one)


def changed(draft: Draft, role: str, change: Break) -> tuple[Made, Draft]:
    """The draft with one object changed."""
    made = next(one for one in draft.made if one.role == role)
    copied = replace(made, dataset=deepcopy(made.dataset))
    with warnings.catch_warnings(action="ignore"):  # the library sees some of it too, but only says so
        change(copied.dataset)
    return copied, replace(draft, made=tuple(copied if one is made else one for one in draft.made))


@pytest.mark.parametrize(
    "make",
    [  # made when the test runs: whoever only counts tests need not wait for it
        pytest.param(sample, id="one tumor"),
        pytest.param(lambda: sample(tumors=2), id="two tumors"),
        pytest.param(lambda: sample(tumors=0), id="no tumor"),
        pytest.param(lambda: sample(make=enhanced), id="multi-frame"),
        pytest.param(lambda: without_regions(sample()), id="no region"),
        pytest.param(lambda: placed(sample()), id="every kind of object"),
        pytest.param(lambda: sample(change=lambda image: named(image, "M\u00fcller^J\u00f6rg", "ISO_IR 100")), id="Western"),
        pytest.param(lambda: sample(change=lambda image: named(image, "\u0394\u03b9\u03bf^\u0391", "ISO_IR 192")), id="UTF-8"),
        pytest.param(
            lambda: sample(change=lambda image: named(image, "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce", "", "ISO 2022 IR 87")),
            id="code extensions",
        ),
        pytest.param(lambda: sample(change=lambda image: named(image, "Plain^Name", "ISO_IR 4711")), id="no known set"),
    ],
)
def test_every_sample_result_passes(make: Callable[[], Sample]) -> None:
    draft = draft_of(make())
    assert require(draft) == draft.made
    assert {one.role: faults_of(one, draft) for one in draft.made if faults_of(one, draft)} == {}


def test_a_result_that_supersedes_another_passes(one: Sample) -> None:
    given = Sample(replace(one.result, predecessors=("2.25.4711",)), one.sources)
    assert require(draft_of(given))


def set_to(**values: object) -> Break:
    """Elements of the object get these values."""

    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return change


def without(keyword: str, below: str = "") -> Break:
    """The object, or the first item of its sequence `below`, has no such element."""

    def change(dataset: Dataset) -> None:
        del (dataset[below].value[0] if below else dataset)[keyword]

    return change


def items(dataset: Dataset) -> Iterable[Dataset]:
    """Every content item of a document."""
    return [item for _place, item in document.content(dataset)]


def first(dataset: Dataset, kind: str) -> Dataset:
    return next(item for item in items(dataset) if item.ValueType == kind)


def below(kind: str, **values: object) -> Break:
    """The first content item of a kind gets these values."""
    return lambda dataset: set_to(**values)(first(dataset, kind))


def at(path: str, **values: object) -> Break:
    """The first item of a path of sequences gets these values."""

    def change(dataset: Dataset) -> None:
        for keyword in path.split("."):
            dataset = dataset[keyword].value[0]
        set_to(**values)(dataset)

    return change


def coded_as(value: str, scheme: str, meaning: str = "Something") -> Break:
    """The first coded answer of a document is this code."""

    def change(dataset: Dataset) -> None:
        first(dataset, "CODE").ConceptCodeSequence = [content.coded(Code(value, scheme, meaning))]

    return change


def meta(**values: object) -> Break:
    return lambda dataset: set_to(**values)(dataset.file_meta)


def emptied(kind: str, keyword: str) -> Break:
    return below(kind, **{keyword: None})


def nameless(dataset: Dataset) -> None:
    del first(dataset, "TEXT").ConceptNameCodeSequence


def unitless(dataset: Dataset) -> None:
    del first(dataset, "NUM").MeasuredValueSequence[0].MeasurementUnitsCodeSequence


def mixed(dataset: Dataset) -> None:
    """A second group, of the other template, in the list of the first."""
    groups = next(
        item for item in items(dataset) if any(document.template_of(one) for one in item.get("ContentSequence") or ())
    )
    other = deepcopy(groups.ContentSequence[0])
    other.ContentTemplateSequence[0].TemplateIdentifier = "1501"
    groups.ContentSequence.append(other)


def untracked(dataset: Dataset) -> None:
    group = next(item for item in items(dataset) if document.template_of(item) == "1411")
    group.ContentSequence = [one for one in group.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue != "112040"]


def unselected(dataset: Dataset) -> None:
    """A line without the image that it is drawn on."""
    number = first(dataset, "NUM")
    line = Dataset()
    line.RelationshipType, line.ValueType = "INFERRED FROM", "SCOORD"
    line.GraphicType, line.GraphicData = "POLYLINE", [1.0, 1.0, 2.0, 2.0]
    content.with_items(number, [line])


def unlisted(dataset: Dataset) -> None:
    dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence = [
        item
        for item in dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        if item.ReferencedSOPSequence[0].ReferencedSOPClassUID != seg.IDENTITY.sop_class_uid
    ]


def reused(dataset: Dataset) -> None:
    """The series of a source."""
    dataset.SeriesInstanceUID = dataset.ReferencedSeriesSequence[0].SeriesInstanceUID


def short(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:-2]


def frameless(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[:-1]


EVIDENCE = "CurrentRequestedProcedureEvidenceSequence"
SOURCE = "PerFrameFunctionalGroupsSequence.DerivationImageSequence.SourceImageSequence"
SEG, SR = seg.IDENTITY.role, sr.IDENTITY.role


@dataclass(frozen=True)
class Case:
    """A role, what is done to its object, the rule that it breaks, and where."""

    role: str
    change: Break
    rule: str
    place: str


CASES = [
    Case(SEG, without("ContentLabel"), attributes.TYPE_1, "ContentLabel"),
    Case(SEG, set_to(ContentLabel=""), attributes.TYPE_1, "ContentLabel"),
    Case(SEG, without("ContentDescription"), attributes.TYPE_2, "ContentDescription"),
    Case(SR, without("PatientBirthDate"), attributes.TYPE_2, "PatientBirthDate"),
    Case(SR, without("CompletionFlag"), attributes.TYPE_1, "CompletionFlag"),
    Case(SEG, without("SegmentLabel", "SegmentSequence"), attributes.TYPE_1, "SegmentSequence[1].SegmentLabel"),
    Case(SR, without("StudyInstanceUID", EVIDENCE), attributes.TYPE_1, f"{EVIDENCE}[1].StudyInstanceUID"),
    Case(SEG, set_to(SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), "the SOP class is one that we know the rules of", "SOPClassUID"),
    Case(SR, set_to(PatientID="PH-2"), identity.SAME, "PatientID"),
    Case(SR, set_to(PatientName="Phantom^Two"), identity.SAME, "PatientName"),
    Case(SEG, set_to(AccessionNumber="A-2"), identity.SAME, "AccessionNumber"),
    Case(SEG, set_to(StudyInstanceUID=UNKNOWN), identity.SAME, "StudyInstanceUID"),
    Case(SR, set_to(OtherPatientNames="Somebody^Else"), identity.SAME, "OtherPatientNames"),
    Case(SR, meta(MediaStorageSOPInstanceUID=UNKNOWN), identity.META, "MediaStorageSOPInstanceUID"),
    Case(SR, meta(MediaStorageSOPClassUID=UNKNOWN), identity.META, "MediaStorageSOPClassUID"),
    Case(SR, meta(TransferSyntaxUID="1.2.840.10008.1.2"), identity.META, "TransferSyntaxUID"),
    Case(SR, set_to(SOPInstanceUID=UNKNOWN), identity.ROW, "SOPInstanceUID"),
    Case(SEG, set_to(FrameOfReferenceUID="1.02.3"), identity.VALID, "FrameOfReferenceUID"),
    Case(SEG, set_to(FrameOfReferenceUID="1." + "2" * 63), identity.VALID, "FrameOfReferenceUID"),
    Case(SR, below("UIDREF", UID="lesion 1"), identity.VALID, ".UID"),
    Case(SEG, reused, identity.FRESH, "SeriesInstanceUID"),
    Case(SR, below("CODE", ConceptCodeSequence=Sequence([Dataset()])), terms.PARTS, "ConceptCodeSequence[1]"),
    Case(SR, coded_as("A-CODE-OF-17-CHAR", SCHEME), terms.SHORT, "ConceptCodeSequence[1]"),
    Case(SR, coded_as("NEVERSEEN", SCHEME), terms.KNOWN, "ConceptCodeSequence[1]"),
    Case(SR, coded_as("MINMARGIN", SCHEME, "Another meaning"), terms.KNOWN, "ConceptCodeSequence[1]"),
    Case(SR, coded_as("12345678", "SCT"), terms.KNOWN, "ConceptCodeSequence[1]"),
    Case(SEG, at("SegmentSequence.AnatomicRegionSequence", CodeMeaning=""), terms.PARTS, "AnatomicRegionSequence[1]"),
    Case(SEG, set_to(SeriesDescription="d" * 65), terms.FITS, "SeriesDescription"),
    Case(SEG, set_to(ContentLabel="not a code string"), terms.FITS, "ContentLabel"),
    Case(SR, below("TEXT", TextValue="\u738b"), terms.LETTERS, "TextValue"),
    Case(SEG, short, terms.PIXELS, "PixelData"),
    Case(SEG, without("PixelData"), terms.PIXELS, "PixelData"),
    Case(SEG, frameless, terms.FRAMES, "PerFrameFunctionalGroupsSequence"),
    Case(SR, without("ContentTemplateSequence"), document.ROOT, "ContentTemplateSequence[1].TemplateIdentifier"),
    Case(SR, at("ContentTemplateSequence", TemplateIdentifier="2000"), document.ROOT, "ContentTemplateSequence[1]"),
    Case(SR, without("ContentSequence"), document.TEMPLATE, "ContentSequence"),
    Case(SR, untracked, document.TEMPLATE, "ContentSequence"),
    Case(SR, nameless, document.ITEM, "ConceptNameCodeSequence"),
    Case(SR, below("TEXT", ValueType="WORDS"), document.ITEM, "ValueType"),
    Case(SR, below("TEXT", RelationshipType=None), document.ITEM, "RelationshipType"),
    Case(SR, emptied("TEXT", "TextValue"), document.VALUE, "TextValue"),
    Case(SR, emptied("UIDREF", "UID"), document.VALUE, "UID"),
    Case(SR, unitless, document.UNIT, "MeasuredValueSequence"),
    Case(SR, below("NUM", MeasuredValueSequence=Sequence([])), document.UNIT, "MeasuredValueSequence"),
    Case(SR, mixed, document.ALIKE, "ContentSequence"),
    Case(SR, unselected, document.SELECTED, "ContentSequence"),
    Case(SEG, at(SOURCE, ReferencedSOPInstanceUID=UNKNOWN), references.EXISTS, "ReferencedSOPInstanceUID"),
    Case(SEG, at(SOURCE, ReferencedSOPClassUID=UNKNOWN), references.CLASS, "ReferencedSOPClassUID"),
    Case(SEG, at(SOURCE, ReferencedFrameNumber=2), references.FRAME, "ReferencedFrameNumber"),
    Case(SEG, at("ReferencedSeriesSequence", SeriesInstanceUID=UNKNOWN), references.SERIES, "SeriesInstanceUID"),
    Case(SEG, set_to(ReferencedSeriesSequence=Sequence([])), references.LISTED, "ReferencedSOPInstanceUID"),
    Case(SR, at(EVIDENCE, StudyInstanceUID=UNKNOWN), references.SERIES, "StudyInstanceUID"),
    Case(SR, unlisted, references.EVIDENCE, "ReferencedSOPInstanceUID"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.role}, {case.place}: {case.rule}")
def test_a_broken_rule_is_seen_where_it_is_broken(draft: Draft, case: Case) -> None:
    made, spoilt = changed(draft, case.role, case.change)
    found = {(fault.rule, fault.place) for fault in faults_of(made, spoilt)}
    assert any(rule == case.rule and case.place in place for rule, place in found), found


def test_a_segment_that_does_not_exist_is_seen(draft: Draft) -> None:
    def change(dataset: Dataset) -> None:
        for item in items(dataset):
            for reference in item.get("ReferencedSOPSequence") or ():
                if "ReferencedSegmentNumber" in reference:
                    reference.ReferencedSegmentNumber = 99

    made, spoilt = changed(draft, SR, change)
    assert references.SEGMENT in {fault.rule for fault in faults_of(made, spoilt)}


def test_an_object_made_later_cannot_be_referred_to(draft: Draft) -> None:
    """What is sent first must not wait for what comes after it."""
    swapped = replace(draft, made=(draft.made[1], draft.made[0], *draft.made[2:]))
    assert references.EXISTS in {fault.rule for fault in faults_of(swapped.made[0], swapped)}


def test_two_objects_cannot_have_the_same_uid(draft: Draft) -> None:
    twin = replace(draft, made=(*draft.made, replace(draft.made[0])))
    assert identity.FRESH in {fault.rule for fault in faults_of(twin.made[-1], twin)}


def test_a_code_of_the_study_that_is_too_long_for_any_report_is_left_out_of_it() -> None:
    """Otherwise no result of that hospital would ever leave."""
    local = Dataset()
    with warnings.catch_warnings(action="ignore"):
        local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "MRLIVER-24-HOURS-AFTER", "99HOSPITAL", "MR liver"
        given = sample(change=set_to(ProcedureCodeSequence=[local]))
    report = next(made for made in draft_of(given).made if made.role == SR)
    assert "MRLIVER-24-HOURS-AFTER" not in [
        item.ConceptCodeSequence[0].CodeValue for item in items(report.dataset) if item.ValueType == "CODE"
    ]


def test_what_the_study_says_of_itself_is_not_judged() -> None:
    """Hospitals send UIDs with leading zeros and codes of their own: their results must reach them all the same."""
    local = Dataset()
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "MRLIV24", "99HOSPITAL", "MR liver 24 h"
    nameless = Dataset()
    nameless.CodeValue, nameless.CodingSchemeDesignator = "17", "L"

    def change(image: Dataset) -> None:
        image.ProcedureCodeSequence = [nameless, local]
        image.FrameOfReferenceUID = "1.2.0003.4"

    with warnings.catch_warnings(action="ignore"):
        given = sample(change=change)
        assert require(draft_of(given))


def test_the_sentence_names_object_rule_and_place_but_no_patient(one: Sample, draft: Draft) -> None:
    _made, spoilt = changed(draft, SR, set_to(PatientName="Other^Name", PatientID="ELSE"))
    with pytest.raises(Faulty) as fault:
        require(spoilt)
    said = fault.value.sentence
    assert "'sr'" in said
    assert identity.SAME in said
    assert "PatientName" in said
    for text in ("Other", "ELSE", str(one.sources[0].PatientName), str(one.sources[0].PatientID)):
        assert text not in said


def test_what_breaks_a_rule_never_leaves_compose(one: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(draft: Draft) -> Dataset:
        made = sr.make(draft)
        made.PatientID = "SOMEBODY"
        return made

    monkeypatch.setattr(compose, "OUTPUTS", ((SEG, seg.make), (SR, careless)))
    with pytest.raises(Faulty, match="patient and study are those of the source") as fault:
        compose.compose(one.result, one.sources, ALL)
    assert fault.value.code == check.CODE


def test_a_code_of_ours_is_known_from_its_first_use() -> None:
    ours("TESTCODE1", "A meaning of " + "many words " * 8)
    made = content.code(Code("A", "B", "C"), ours("TESTCODE1", "A meaning of " + "many words " * 8), content.Relation.CONTAINS)
    assert is_registered("TESTCODE1", made.ConceptCodeSequence[0].CodeMeaning)
    with pytest.raises(ValueError, match="1 to 16 characters"):
        ours("A-CODE-OF-17-CHAR", "Too long")
    with pytest.raises(ValueError, match="means"):
        ours("TESTCODE1", "Another meaning")
