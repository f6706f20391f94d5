"""Whoever reads the objects with another library gets the numbers of the record and the places of the contours."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import highdicom
import numpy as np
import pytest

from service.options import AnalysisOptions
from service.report.compose import compose, to_bytes
from service.report.record import to_record
from service.report.segments import plan
from tests.report.cases import cases
from tests.report.conftest import Sample

MEASURED = AnalysisOptions(outputs=("seg", "sr"))


def objects(given: Sample) -> dict[str, BytesIO]:
    return {made.role: BytesIO(to_bytes(made)) for made in compose(given.result, given.sources, MEASURED)}


def numbers(tumor: dict[str, Any]) -> list[tuple[str, float, str]]:
    """What a record says in numbers, in its order: code, value, unit; then the ends of the interval."""
    found = []
    for finding in tumor["findings"]:
        if finding["value"] is not None:
            found.append((finding["code"]["value"], finding["value"], finding["unit"]["value"]))
            ends = zip(("LOWER95", "UPPER95"), finding["interval"] or (), strict=False)
            found += [(name, end, finding["unit"]["value"]) for name, end in ends if end is not None]
    return found


@pytest.fixture(scope="module")
def given() -> dict[str, Sample]:
    """All cases by name, but those that differ in a name alone."""
    return {name: one for name, one in cases().items() if not name.startswith("name_in_")}


@pytest.mark.slow
def test_a_reader_finds_the_numbers_of_the_record_and_the_segments_in_their_place(given: dict[str, Sample]) -> None:
    for name, one in given.items():
        made = objects(one)
        report = highdicom.sr.srread(made["sr"])
        for tumor in to_record(one.result)["tumors"]:
            groups = report.content.get_volumetric_roi_measurement_groups(tracking_uid=tumor["tracking_uid"])
            read = [(item.name.value, item.value, item.unit.value) for group in groups for item in group.get_measurements()]
            assert len(groups) == (1 if tumor["contours"]["tumor"] or tumor["contours"]["ablation_zone"] else 0), name
            assert read == (numbers(tumor) if groups else []), name
        assert centers_read(made) == pytest.approx(centers_meant(one), abs=0.1), name


def centers_read(made: dict[str, BytesIO]) -> dict[str, float]:
    """The centroid of each segment in the file, LPS mm, by label and axis."""
    if "seg" not in made:
        return {}
    seg = highdicom.seg.segread(made["seg"])
    volume = seg.get_volume(combine_segments=False)
    return {
        f"{number} {seg.get_segment_description(number).segment_label} {axis}": float(place)
        for number in seg.segment_numbers
        for axis, place in zip("xyz", centroid(volume.array[..., number - 1], volume.affine), strict=True)
    }


def centers_meant(given: Sample) -> dict[str, float]:
    segments = plan(given.result)
    if segments.grid is None:
        return {}
    return {
        f"{segment.number} {segment.label} {axis}": float(place)
        for segment in segments.all
        for axis, place in zip("xyz", centroid(segment.mask, segments.grid.affine), strict=True)
    }


def centroid(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return np.asarray(affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3])


def test_a_number_that_a_decimal_string_cannot_hold_is_read_to_the_last_digit(given: dict[str, Sample]) -> None:
    one = given["numbers"]
    report = highdicom.sr.srread(objects(one)["sr"])
    (group,) = report.content.get_volumetric_roi_measurement_groups(tracking_uid=one.result.tumors[0].tracking_uid)
    items = [item for item in group[0].ContentSequence if "MeasuredValueSequence" in item]

    assert 1 / 3 in {item.MeasuredValueSequence[0].get("FloatingPointValue") for item in items}
