"""The second report draws what was measured where it was measured: read back by a library that did not write it."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import highdicom
import numpy as np
import pytest
from highdicom.spatial import ImageToReferenceTransformer
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from service.features import margin, vessel
from service.features.finding import Finding
from service.options import AnalysisOptions
from service.report.compose import compose, to_bytes
from service.report.draft import Made
from service.report.result import TumorResult
from service.report.uids import of_object, of_role, of_series
from service.study.model import Plane
from tests.report.conftest import NORMAL, SPACING, Sample, enhanced
from tests.report.measured import GAP, measured, surface_of

HALF_PIXEL = min(SPACING[1:]) / 2


def objects(given: Sample) -> dict[str, Made]:
    only = AnalysisOptions(outputs=("seg", "sr", "sr_places"))
    return {made.role: made for made in compose(given.result, given.sources, only)}


def report(given: Sample) -> Dataset:
    """The second report as it arrives: written to a file and read again."""
    return dcmread(BytesIO(to_bytes(objects(given)["sr_places"])))


def groups(given: Sample) -> dict[str, Dataset]:
    """The measurement groups by tracking identifier."""
    (measurements,) = [item for item in report(given).ContentSequence if name(item) == "Imaging Measurements"]
    return {texts(group, "Tracking Identifier")[0]: group for group in measurements.ContentSequence}


def name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def texts(group: Dataset, concept: str) -> list[str]:
    return [str(item.TextValue) for item in group.ContentSequence if name(item) == concept]


def number(group: Dataset) -> Dataset:
    (item,) = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    return item


def value(group: Dataset) -> float:
    measured_value = number(group).MeasuredValueSequence[0]
    assert measured_value.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    return float(measured_value.get("FloatingPointValue", measured_value.NumericValue))


def plane_of(given: Sample, group: Dataset) -> Plane:
    """The plane that the line of a group lies on, by what the report itself refers to."""
    reference = number(group).ContentSequence[0].ContentSequence[0].ReferencedSOPSequence[0]
    frame = int(reference.get("ReferencedFrameNumber", 1))
    return next(
        plane
        for plane in given.result.reference.phase.planes
        if (plane.instance.sop_instance_uid, plane.frame.number) == (reference.ReferencedSOPInstanceUID, frame)
    )


def in_space(given: Sample, group: Dataset) -> np.ndarray:
    """The points of a group's line, LPS mm, by another library's arithmetic."""
    plane, line = plane_of(given, group).frame, number(group).ContentSequence[0]
    assert line.GraphicType == "POLYLINE"
    to_reference = ImageToReferenceTransformer(plane.position, plane.orientation, plane.spacing)
    return np.asarray(to_reference(np.array(line.GraphicData, dtype=float).reshape(-1, 2)))


def off_slice(points: np.ndarray, plane: Plane) -> np.ndarray:
    """How far points lie from a slice, mm."""
    return np.asarray((points - np.array(plane.frame.position)) @ NORMAL)


def projected(points: np.ndarray, plane: Plane) -> np.ndarray:
    return np.asarray(points - off_slice(points, plane)[:, None] * NORMAL)


def found(tumor: TumorResult, which: str) -> Finding:
    return next(finding for finding in tumor.findings if finding.name == which)


@pytest.mark.parametrize("frames", ["classic", "enhanced"])
def test_the_narrowest_place_is_a_line_from_the_tumor_to_untreated_liver(frames: str) -> None:
    given = measured(make=enhanced) if frames == "enhanced" else measured()
    group = groups(given)["PH-1 tumor 1, narrowest place"]
    surface, plane = surface_of(given), plane_of(given, group)
    first = int(np.argmin(surface.margin))
    expected = np.array([surface.points[first], surface.nearest[first]])

    assert value(group) == found(given.result.tumors[0], margin.NAME).value
    assert abs(off_slice(expected[:1], plane)[0]) <= SPACING[0] / 2 + 1e-6
    assert np.abs(in_space(given, group) - projected(expected, plane)).max() < HALF_PIXEL
    assert np.linalg.norm(in_space(given, group) - projected(expected, plane), axis=1).max() < 0.01
    assert np.linalg.norm(expected[1] - expected[0]) == pytest.approx(abs(value(group)), abs=0.01)


def test_a_vessel_that_bridges_is_a_line_with_its_length_and_category() -> None:
    given = measured()
    group = groups(given)["PH-1 tumor 1, vessel path"]
    path = np.array(found(given.result.tumors[0], vessel.NAME).path)
    plane = plane_of(given, group)
    answers = [item.ConceptCodeSequence[0].CodeMeaning for item in group.ContentSequence if name(item) == vessel.TITLE]

    assert np.linalg.norm(in_space(given, group) - projected(path, plane), axis=1).max() < 0.01
    assert abs(off_slice(path[1:2], plane)[0]) <= SPACING[0] / 2 + 1e-6
    assert value(group) == pytest.approx(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
    assert answers == ["Bridges the margin"]
    assert "PH-1 tumor 1, gap of the vessel" not in groups(given)


def test_a_line_through_slices_says_its_true_length_and_that_it_is_a_projection() -> None:
    given = measured()
    group = groups(given)["PH-1 tumor 1, vessel path"]
    path = np.array(found(given.result.tumors[0], vessel.NAME).path)
    length, across = np.linalg.norm(np.diff(path, axis=0), axis=1).sum(), np.ptp(path @ NORMAL)

    assert across == pytest.approx(6.0)
    assert f"Projection: the line runs 6.0 mm through the slices, {length:.1f} mm in space." in texts(group, "Comment")


def test_a_vessel_that_ends_before_the_tumor_has_a_line_with_its_gap() -> None:
    given = measured(gap=GAP)
    group = groups(given)["PH-1 tumor 1, gap of the vessel"]
    end = np.array(found(given.result.tumors[0], vessel.NAME).path[-1:])
    plane = plane_of(given, group)
    drawn = in_space(given, group)
    surface = surface_of(given)
    nearest = surface.points[np.linalg.norm(surface.points - end, axis=1).argmin()]

    assert value(group) == GAP
    assert np.linalg.norm(drawn - projected(np.array([end[0], nearest]), plane), axis=1).max() < 0.01


def test_each_number_has_its_line_as_the_only_item_below_it() -> None:
    """Viewers look for coordinates just there; each line has a tracking UID of its own, or they would be merged."""
    given = measured(tumors=2, gap=GAP)
    found_groups = groups(given)

    assert len(found_groups) == 6
    assert all(len(number(group).ContentSequence) == 1 for group in found_groups.values())
    uids = [next(item.UID for item in group.ContentSequence if item.ValueType == "UIDREF") for group in found_groups.values()]
    assert len(set(uids)) == 6


def test_another_library_reads_the_groups_and_their_numbers() -> None:
    given = measured(tumors=2)
    document = highdicom.sr.ComprehensiveSR.from_dataset(report(given))
    margins = [finding.value for tumor in given.result.tumors for finding in tumor.findings if finding.name == margin.NAME]

    read = document.content.get_image_measurement_groups()

    assert len(read) == 4
    values = {group.tracking_identifier: group.get_measurements()[0].value for group in read}
    assert [values[f"PH-1 tumor {n}, narrowest place"] for n in (1, 2)] == margins


def test_without_anything_measured_there_is_no_second_report(one: Sample, none: Sample) -> None:
    assert all("sr_places" not in objects(given) for given in (one, none))


def test_what_was_not_measured_has_no_line() -> None:
    given = measured()
    first = given.result.tumors[0]
    without = replace(first, findings=tuple(replace(finding, path=()) for finding in first.findings))
    lost = replace(first, findings=tuple(replace(finding, place=None) for finding in first.findings))
    only = {"narrowest place": without, "vessel path": lost}

    for what, tumor in only.items():
        changed = Sample(replace(given.result, tumors=(tumor,)), given.sources)
        assert list(groups(changed)) == [f"PH-1 tumor 1, {what}"]
    bare = replace(first, surface=None)
    assert "sr_places" not in objects(Sample(replace(given.result, tumors=(bare,)), given.sources))


def test_an_extrapolated_margin_says_why_its_line_is_longer() -> None:
    given = measured()
    first = given.result.tumors[0]
    shorter = tuple(
        replace(finding, value=finding.value - 1.0) if finding.name == margin.NAME and finding.value is not None else finding
        for finding in first.findings
    )
    changed = Sample(replace(given.result, tumors=(replace(first, findings=shorter),)), given.sources)

    comments = texts(groups(changed)["PH-1 tumor 1, narrowest place"], "Comment")
    assert any("the margin is extrapolated" in comment for comment in comments)


def test_each_sentence_about_a_margin_is_a_comment_of_its_own() -> None:
    """A viewer writes each comment as one line, and wraps none."""
    given = measured()
    first = given.result.tumors[0]
    note = "Upper bound: part of it cannot be assessed. Nearly as narrow at 1 other place: (-3, 4, 5) mm and up to 3 mm around."
    noted = tuple(replace(finding, note=note) if finding.name == margin.NAME else finding for finding in first.findings)
    changed = Sample(replace(given.result, tumors=(replace(first, findings=noted),)), given.sources)

    comments = texts(groups(changed)["PH-1 tumor 1, narrowest place"], "Comment")
    assert {f"{sentence}." for sentence in note.rstrip(".").split(". ")} <= set(comments)


def test_it_is_a_preliminary_report_that_names_images_and_contours_as_evidence() -> None:
    given = measured()
    made, document = objects(given), report(given)
    evidence = {
        reference.ReferencedSOPInstanceUID
        for series in document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    plane = plane_of(given, groups(given)["PH-1 tumor 1, narrowest place"])

    assert document.SOPClassUID == ComprehensiveSRStorage
    assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert {plane.instance.sop_instance_uid, made["seg"].sop_instance_uid} <= evidence
    assert made["sr"].sop_instance_uid not in evidence
    assert document.SeriesInstanceUID not in {made["seg"].dataset.SeriesInstanceUID, made["sr"].dataset.SeriesInstanceUID}


def test_each_report_supersedes_only_its_own_kind() -> None:
    given = measured()
    before = objects(given)
    earlier = tuple(before[role].sop_instance_uid for role in ("sr", "sr_places"))
    later = Sample(replace(given.result, content_version="ffffffffffff", predecessors=earlier), given.sources)

    for role in ("sr", "sr_places"):
        (study,) = objects(later)[role].dataset.PredecessorDocumentsSequence
        (series,) = study.ReferencedSeriesSequence
        (reference,) = series.ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == before[role].sop_instance_uid
        assert reference.ReferencedSOPClassUID == before[role].sop_class_uid
        assert series.SeriesInstanceUID == of_series(before[role].sop_instance_uid)


def test_a_first_second_report_has_no_predecessor() -> None:
    """The earlier result had only the first report."""
    given = measured()
    later = replace(given.result, content_version="ffffffffffff", predecessors=(of_object(given.result, "sr"),))

    assert "PredecessorDocumentsSequence" not in report(Sample(later, given.sources))
    assert of_role(later.predecessors, "sr") == later.predecessors


def test_the_same_result_gives_the_same_bytes() -> None:
    given = measured(tumors=2, gap=GAP)
    assert to_bytes(objects(given)["sr_places"]) == to_bytes(objects(given)["sr_places"])
