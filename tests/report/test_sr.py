"""The report says what the result says: read back by a library that did not write it, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import highdicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from service.codes import DEVICE_UID
from service.features.finding import Finding, Status
from service.report.compose import compose, to_bytes
from service.report.uids import of_object, of_series
from service.report.wording import RESEARCH_USE
from tests.report.conftest import CATEGORY, MARGIN, MEASUREMENTS, NOTE, SHAPE, VESSEL, Sample, header, sample, without_regions


def report(given: Sample) -> Dataset:
    """The report as it arrives: written to a file and read again."""
    return dcmread(BytesIO(to_bytes(compose(given.result, given.sources, MEASUREMENTS)[-1])))


def items(item: Dataset) -> Iterator[Dataset]:
    for below in item.get("ContentSequence", ()):
        yield below
        yield from items(below)


def named(given: Dataset, meaning: str) -> list[Dataset]:
    return [item for item in items(given) if item.ConceptNameCodeSequence[0].CodeMeaning == meaning]


def texts(given: Dataset, meaning: str) -> list[str]:
    return [str(item.TextValue) for item in named(given, meaning)]


def groups(given: Sample) -> list[highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations]:
    document = highdicom.sr.Comprehensive3DSR.from_dataset(report(given))
    return list(document.content.get_volumetric_roi_measurement_groups())


def as_code(code: object) -> Code:
    return Code(code.value, code.scheme, code.meaning)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["one", "two", "multiframe"])
def test_there_is_one_group_for_each_tumor_with_its_segment(kind: str, request: pytest.FixtureRequest) -> None:
    given: Sample = request.getfixturevalue(kind)
    seg = compose(given.result, given.sources, MEASUREMENTS)[0]

    found = groups(given)

    assert [tumor.tracking_uid for tumor in given.result.tumors] == [group.tracking_uid for group in found]
    assert [tumor.tracking_id for tumor in given.result.tumors] == [group.tracking_identifier for group in found]
    for number, group in zip((1, 4), found, strict=False):
        segment = group.referenced_segment
        assert segment.referenced_sop_instance_uid == seg.sop_instance_uid
        assert segment.referenced_segment_numbers == [number]
        label = seg.dataset.SegmentSequence[number - 1].TrackingUID
        assert label == group.tracking_uid


def test_every_number_comes_back_to_the_last_digit(two: Sample) -> None:
    for tumor, group in zip(two.result.tumors, groups(two), strict=True):
        for finding in tumor.findings:
            found = group.get_measurements(name=as_code(finding.code))
            assert [finding.value] * (finding.value is not None) == [measurement.value for measurement in found]
            if finding.unit is not None:
                assert all(measurement.unit.value == finding.unit.value for measurement in found)


def test_the_ends_of_an_interval_are_numbers_that_name_what_they_belong_to(one: Sample) -> None:
    document = report(one)
    (lower,) = named(document, "Lower end of 95 percent interval")
    upper = named(document, "Upper end of 95 percent interval")[0]

    assert [float(end.MeasuredValueSequence[0].NumericValue) for end in (lower, upper)] == [1.9, 2.9]
    assert lower.ContentSequence[0].ConceptCodeSequence[0].CodeValue == MARGIN.value
    assert lower.ContentSequence[1].TextValue == "Minimum ablation margin, lower end of the 95 percent interval"


def test_categories_are_coded_answers(one: Sample) -> None:
    (category,) = groups(one)[0].get_qualitative_evaluations(name=as_code(CATEGORY))

    assert category.value.value == "LE3"


def test_what_could_not_be_measured_is_coded_and_says_why(one: Sample) -> None:
    group = groups(one)[0]
    (vessel,) = group.get_qualitative_evaluations(name=as_code(VESSEL))
    answers = {item.name.meaning: item.value.meaning for item in group.get_qualitative_evaluations()}

    assert vessel.value.meaning == "Undetermined"
    assert answers["Lumen diameter"] == "Measurement not attempted"
    assert answers["Ablation zone volume"] == "Value indeterminate"
    assert texts(report(one), "Reason") == [
        "There is no portal-venous phase. [vessel.no_portal_venous]",
        "No vessel was found. [vessel.none]",
        "The edge has too little contrast. [contrast.low]",
    ]


def test_a_number_and_its_category_are_both_given_but_explained_once(one: Sample) -> None:
    number, category = named(report(one), "Tumor enhancement")

    assert (number.ValueType, category.ValueType) == ("NUM", "CODE")
    assert NOTE in [item.get("TextValue") for item in number.ContentSequence]
    assert "ContentSequence" not in category


def test_the_way_each_number_came_about_is_told(one: Sample) -> None:
    (margin,) = named(report(one), "Minimum ablation margin")
    below = {item.ConceptNameCodeSequence[0].CodeMeaning: item.TextValue for item in margin.ContentSequence}
    parameters = texts(margin, "Algorithm Parameters")

    assert below["Algorithm Name"] == "Cryomargin: sub-voxel surface distance 1"
    assert below["Algorithm Version"] == "0.1.0"
    assert below["95 percent interval"] == "1.9 to 2.9 mm"
    assert below["Place, LPS mm"] == "1.2, -2.5, 30.0"
    assert below["Source of the definition"] == "AJR 2014;203:W181-91"
    assert parameters == [
        "settings feedc0de",
        "contours: drawn: SEG segment 1 'Tumor'",
        f"images: portal_venous, series 5 ({one.result.reference.phase.key})",
    ]


def test_an_input_that_is_no_phase_of_the_study_is_named_as_it_is(one: Sample) -> None:
    tumor = one.result.tumors[0]
    foreign = replace(tumor.findings[0], inputs=("1.2.3",))
    document = report(replace_findings(one, foreign))

    assert "images: 1.2.3" in texts(document, "Algorithm Parameters")


def replace_findings(given: Sample, *findings: Finding) -> Sample:
    tumors = tuple(replace(tumor, findings=findings) for tumor in given.result.tumors)
    return Sample(replace(given.result, tumors=tumors), given.sources)


def test_it_is_preliminary_unverified_and_for_research(one: Sample, none: Sample) -> None:
    for document in map(report, (one, none)):
        assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
        assert document.CompletionFlag == "COMPLETE"
        assert texts(document, "Condition of use") == [RESEARCH_USE]


def test_the_observer_is_the_device_that_we_are_known_by(one: Sample) -> None:
    document = report(one)
    context = highdicom.sr.Comprehensive3DSR.from_dataset(document).content.get_observer_contexts()

    assert [observer.observer_identifying_attributes.uid for observer in context] == [DEVICE_UID]
    assert (document.DeviceUID, document.ManufacturerModelName) == (DEVICE_UID, "Cryomargin")


def test_phases_contours_and_limits_are_told(one: Sample) -> None:
    document = report(one)

    assert "portal_venous (used): series 5 'T1 fat sat 5', score 0.90: third of four contrast phases" in texts(
        document, "Phase of the study"
    )
    assert "localizer (not used)" in texts(document, "Phase of the study")[2]
    assert texts(document, "Limitation of this result") == ["The procedure time is unknown."]
    assert "PH-1 tumor 1, ablation zone: classical 1" in texts(document, "Origin of contours")
    assert "Vessels: classical 1" in texts(document, "Origin of contours")


def evidence(document: Dataset) -> dict[str, str]:
    """Series by instance of all evidence."""
    (study,) = document.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == document.StudyInstanceUID
    return {
        instance.ReferencedSOPInstanceUID: series.SeriesInstanceUID
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


@pytest.mark.parametrize("kind", ["one", "none", "multiframe"])
def test_all_that_was_used_and_all_that_is_referred_to_is_evidence(kind: str, request: pytest.FixtureRequest) -> None:
    given: Sample = request.getfixturevalue(kind)
    document = report(given)
    found = evidence(document)
    referred = {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items(document) if item.ValueType == "IMAGE"}
    used = {p.instance.sop_instance_uid for use in given.result.phases if use.used for p in use.phase.planes}

    assert referred
    assert referred <= found.keys()
    assert used <= found.keys()
    for use in given.result.phases:
        assert use.used == (use.phase.first.sop_instance_uid in found)


def test_a_drawing_that_was_read_is_evidence(one: Sample) -> None:
    drawing = header(40, 1)
    drawing.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"

    found = evidence(report(Sample(one.result, (*one.sources, drawing))))

    assert found[drawing.SOPInstanceUID] == drawing.SeriesInstanceUID


def test_our_segmentation_is_evidence_in_its_own_series(one: Sample) -> None:
    seg = compose(one.result, one.sources, MEASUREMENTS)[0]

    assert evidence(report(one))[seg.sop_instance_uid] == seg.dataset.SeriesInstanceUID


def test_a_superseding_report_names_its_predecessor_where_it_lies(one: Sample) -> None:
    before = compose(one.result, one.sources, MEASUREMENTS)[-1]
    later = replace(one.result, content_version="ffffffffffff", predecessors=(before.sop_instance_uid,))
    (study,) = report(Sample(later, one.sources)).PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence

    assert study.StudyInstanceUID == one.result.study_instance_uid
    assert series.SeriesInstanceUID == before.dataset.SeriesInstanceUID == of_series(before.sop_instance_uid)
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before.sop_instance_uid
    assert series.ReferencedSOPSequence[0].ReferencedSOPClassUID == before.sop_class_uid
    assert of_object(later, "sr") != before.sop_instance_uid


def test_a_first_report_has_no_predecessor(one: Sample) -> None:
    assert "PredecessorDocumentsSequence" not in report(one)


def procedure(given: Sample) -> Dataset:
    (item,) = named(report(given), "Procedure reported")
    code: Dataset = item.ConceptCodeSequence[0]
    return code


def with_procedure(value: str, scheme: str, meaning: str) -> Sample:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning

    def change(image: Dataset) -> None:
        image.ProcedureCodeSequence = [code]

    return sample(change=change)


def test_the_procedure_is_the_one_that_the_study_names() -> None:
    code = procedure(with_procedure("25056-3", "LN", "MRI unspecified body region"))

    assert (code.CodeValue, code.CodingSchemeDesignator) == ("25056-3", "LN")


def test_a_local_procedure_code_stands_where_validators_take_it() -> None:
    """The content names a code of the template's own list; the study's own is the performed procedure's."""
    given = with_procedure("MRLIV", "99HOSP", "MR liver after ablation")
    (code,) = report(given).PerformedProcedureCodeSequence

    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == ("MRLIV", "99HOSP", "MR liver after ablation")
    assert procedure(given).CodeMeaning == "MRI unspecified body region"


@pytest.mark.parametrize("broken", [("", "99HOSP", "MR"), ("MRLIV", "", "MR"), ("MRLIV", "99HOSP", "")])
def test_an_incomplete_procedure_code_is_not_repeated(broken: tuple[str, str, str]) -> None:
    assert procedure(with_procedure(*broken)).CodeMeaning == "MRI unspecified body region"


def test_without_tumors_the_report_says_that_nothing_could_be_assessed(none: Sample) -> None:
    document = report(none)

    assert not named(document, "Imaging Measurements")
    (assessment,) = named(document, "Assessment of the ablation margin")
    assert assessment.ConceptCodeSequence[0].CodeMeaning == "Undetermined"
    assert texts(document, "Result in one sentence") == [none.result.verdict]


def test_findings_of_a_tumor_that_no_segment_shows_are_not_lost(one: Sample) -> None:
    document = report(without_regions(one))
    (container,) = named(document, "Qualitative Evaluations")
    names = [item.ConceptNameCodeSequence[0].CodeValue for item in container.ContentSequence]

    assert not named(document, "Imaging Measurements")
    assert [finding.code.value for finding in one.result.tumors[0].findings] == [
        name for name in names if name in {finding.code.value for finding in one.result.tumors[0].findings}
    ]
    assert texts(document, "Minimum ablation margin") == ["PH-1 tumor 1, Minimum ablation margin: 2.3 mm"]
    assert len(texts(document, "Reason")) == 3
    assert NOTE in texts(document, "Comment")


def test_a_text_that_is_empty_or_holds_control_characters_does_no_harm(one: Sample) -> None:
    odd = replace(one.result, verdict="", warnings=("line\x00one\r\nline two",))
    document = report(Sample(odd, one.sources))

    assert texts(document, "Result in one sentence") == ["(empty)"]
    assert texts(document, "Limitation of this result") == ["line one  line two"]


def test_a_series_without_a_number_is_said_so(one: Sample) -> None:
    phases = tuple(
        replace(use, phase=replace(use.phase, planes=tuple(
            replace(plane, instance=replace(plane.instance, series_number=None)) for plane in use.phase.planes)))
        for use in one.result.phases
    )  # fmt: skip
    document = report(Sample(replace(one.result, phases=phases), one.sources))

    assert all("series without number" in text for text in texts(document, "Phase of the study"))


def test_the_image_library_is_small(one: Sample) -> None:
    """One image for each phase: hundreds of them would bury the findings."""
    (library,) = named(report(one), "Image Library")

    assert len([item for item in items(library) if item.ValueType == "IMAGE"]) == 2
    assert SHAPE[0] > 2


def test_an_image_without_frame_of_reference_stands_in_the_library_without(one: Sample) -> None:
    phases = tuple(
        replace(use, phase=replace(use.phase, planes=tuple(
            replace(plane, instance=replace(plane.instance, frame_of_reference_uid="")) for plane in use.phase.planes)))
        for use in one.result.phases
    )  # fmt: skip
    document = report(Sample(replace(one.result, phases=phases), one.sources))

    assert not named(document, "Frame of Reference UID")


def test_a_measured_finding_needs_no_interval(one: Sample) -> None:
    bare = Finding(
        "m", "Minimum ablation margin", MARGIN, "1", Status.MEASURED, value=1.0, unit=one.result.tumors[0].findings[0].unit
    )
    document = report(replace_findings(one, bare))

    assert not named(document, "Lower end of 95 percent interval")
    assert named(document, "Minimum ablation margin")[0].MeasuredValueSequence[0].NumericValue == 1.0
    assert "FloatingPointValue" not in named(document, "Minimum ablation margin")[0].MeasuredValueSequence[0]
