"""Validators of other people find no error in what we write, however odd the study and whatever can be said of it.

Whoever reads it with another library, highdicom or dcmqi, gets the numbers of the record and the contours in their place.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread

from service.features.finding import Status
from service.report.compose import OUTPUTS
from service.report.record import to_record
from service.report.uids import NOT_ASSESSABLE
from tests.peers import require_package, require_program
from tests.report.cases import cases, reason_codes
from tests.report.files import Files, write
from tests.report.meant import centers_meant, centroid, numbers
from tests.report.pixelmed import validated
from tests.report.structure import covering

pytestmark = [pytest.mark.slow]

REPORTS = ("sr", "sr_places", NOT_ASSESSABLE)
READ_BY_DCMQI = ("one_tumor", "oblique", "enhanced_two_tumors", "every_feature", "name_in_japanese")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """Every case as files, by name."""
    folder = tmp_path_factory.mktemp("objects")
    return {name: write(folder, name, given) for name, given in cases().items()}


def said(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, errors="replace")
    return done.stdout + done.stderr


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Error")]


def test_the_cases_hold_every_status_every_reason_and_every_kind_of_object(files: dict[str, Files]) -> None:
    found = [one for case in files.values() for tumor in case.given.result.tumors for one in tumor.findings]

    assert len(files) >= 30
    assert {finding.status for finding in found} == set(Status)
    assert set(reason_codes()) <= {finding.reason.code for finding in found if finding.reason}
    assert {role for case in files.values() for role in case.made} == {role for role, _ in OUTPUTS} | {NOT_ASSESSABLE}
    assert len(reason_codes()) >= 30


@pytest.mark.peer
def test_dciodvfy_finds_no_error(files: dict[str, Files]) -> None:
    dciodvfy = require_program("dciodvfy")
    outputs = {path.name: said(dciodvfy, "-new", path) for case in files.values() for path in case.made.values()}

    assert len(outputs) > 200
    assert all(any(line.isalnum() for line in text.splitlines()) for text in outputs.values()), "not recognised"
    assert {name: errors(text) for name, text in outputs.items() if errors(text)} == {}


@pytest.mark.peer
def test_dcentvfy_finds_the_objects_in_the_study_of_their_sources(files: dict[str, Files]) -> None:
    dcentvfy = require_program("dcentvfy")
    outputs = {name: said(dcentvfy, *case.made.values(), *case.sources) for name, case in files.items()}

    assert {name: errors(text) for name, text in outputs.items() if errors(text)} == {}


@pytest.mark.peer
def test_dcentvfy_would_notice_another_patient(files: dict[str, Files]) -> None:
    mixed = [files[name].made["sr"] for name in ("one_tumor", "name_in_greek")]

    assert errors(said(require_program("dcentvfy"), *mixed))


@pytest.mark.peer
def test_dsrdump_reads_the_reports(files: dict[str, Files]) -> None:
    dsrdump = require_program("dsrdump")

    for path in (path for case in files.values() for role, path in case.made.items() if role in REPORTS):
        output = said(dsrdump, path)
        assert "SR Document" in output
        assert "UNVERIFIED" in output
        assert not any(line.startswith(("E:", "F:")) for line in output.splitlines()), path.name


def spoil(report: Path, place: Path) -> Path:
    """The report with a local code for the procedure."""
    dataset = dcmread(report)
    (item,) = (one for one in dataset.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue == "121058")
    item.ConceptCodeSequence[0].CodeValue, item.ConceptCodeSequence[0].CodingSchemeDesignator = "MRLIV", "99HOSP"
    dataset.save_as(place)
    return place


@pytest.mark.peer
@pytest.mark.timeout(900)
def test_pixelmed_finds_no_error_in_anything_that_a_report_can_hold(files: dict[str, Files], tmp_path: Path) -> None:
    """It takes seconds for a report: each kind of item is shown to it once. A wrong code shows that it sees errors."""
    paths = [path for role in REPORTS for path in covering(case.made[role] for case in files.values() if role in case.made)]
    spoilt = spoil(files["procedure"].made["sr"], tmp_path / "spoilt.sr.dcm")
    found = validated([*paths, spoilt], timeout=850.0)
    (closed,) = errors(found["spoilt.sr.dcm"])

    assert {path.name.split(".")[1] for path in paths} == set(REPORTS)
    assert len(found) == len(paths) + 1 > 10
    assert all("Found Root Template TID_1500" in text and "IOD validation complete" in text for text in found.values())
    assert "not found in context group 100" in closed
    assert {name: errors(text) for name, text in found.items() if errors(text)} == {"spoilt.sr.dcm": [closed]}


def test_highdicom_finds_the_numbers_of_the_record_and_the_segments_in_their_place(files: dict[str, Files]) -> None:
    """In all cases but those that differ in a name alone."""
    for name, case in ((name, case) for name, case in files.items() if not name.startswith("name_in_")):
        report = highdicom.sr.srread(case.made["sr"])
        for tumor in to_record(case.given.result)["tumors"]:
            groups = report.content.get_volumetric_roi_measurement_groups(tracking_uid=tumor["tracking_uid"])
            read = [(item.name.value, item.value, item.unit.value) for group in groups for item in group.get_measurements()]
            assert len(groups) == (1 if tumor["contours"]["tumor"] or tumor["contours"]["ablation_zone"] else 0), name
            assert read == (numbers(tumor) if groups else []), name
        assert centers_read(case) == pytest.approx(centers_meant(case.given), abs=0.1), name


def centers_read(case: Files) -> dict[str, float]:
    """The centroid of each segment in the file, LPS mm, by label and axis."""
    if "seg" not in case.made:
        return {}
    seg = highdicom.seg.segread(case.made["seg"])
    volume = seg.get_volume(combine_segments=False)
    return {
        f"{number} {seg.get_segment_description(number).segment_label} {axis}": float(place)
        for number in seg.segment_numbers
        for axis, place in zip("xyz", centroid(volume.array[..., number - 1], volume.affine), strict=True)
    }


def test_a_number_that_a_decimal_string_cannot_hold_is_read_to_the_last_digit(files: dict[str, Files]) -> None:
    one = files["numbers"]
    report = highdicom.sr.srread(one.made["sr"])
    (group,) = report.content.get_volumetric_roi_measurement_groups(tracking_uid=one.given.result.tumors[0].tracking_uid)
    items = [item for item in group[0].ContentSequence if "MeasuredValueSequence" in item]

    assert 1 / 3 in {item.MeasuredValueSequence[0].get("FloatingPointValue") for item in items}


def run(program: str, *arguments: str) -> None:
    """A program that the package dcmqi installs beside the interpreter."""
    require_package("dcmqi")
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.peer
@pytest.mark.parametrize("name", READ_BY_DCMQI)
def test_dcmqi_finds_the_numbers_of_the_record(files: dict[str, Files], tmp_path: Path, name: str) -> None:
    out = tmp_path / "read.json"
    run("tid1500reader", "--inputDICOM", str(files[name].made["sr"]), "--outputMetadata", str(out))
    read = json.loads(out.read_text())["Measurements"]
    tumors = to_record(files[name].given.result)["tumors"]

    assert [group["TrackingUniqueIdentifier"] for group in read] == [tumor["tracking_uid"] for tumor in tumors]
    for group, tumor in zip(read, tumors, strict=True):
        found, meant = [measured(item) for item in group["measurementItems"]], numbers(tumor)
        assert [(code, unit) for code, _, unit in found] == [(code, unit) for code, _, unit in meant]
        assert [value for _, value, _ in found] == pytest.approx([value for _, value, _ in meant], rel=1e-6)


def measured(item: dict[str, Any]) -> tuple[str, float, str]:
    """Code, value and unit of one measurement."""
    return item["quantity"]["CodeValue"], float(item["value"]), item["units"]["CodeValue"]


@pytest.mark.peer
@pytest.mark.parametrize("name", READ_BY_DCMQI)
def test_dcmqi_finds_the_contours_in_their_place(files: dict[str, Files], tmp_path: Path, name: str) -> None:
    path = files[name].made["seg"]
    run("segimage2itkimage", "--inputDICOM", str(path), "--outputDirectory", str(tmp_path), "--outputType", "nrrd")
    meant = centers_meant(files[name].given)
    numbered = {int(key.split(" ", 1)[0]) for key in meant}

    for number in numbered:
        places = [place for key, place in meant.items() if key.startswith(f"{number} ")]
        assert center(tmp_path / f"{number}.nrrd") == pytest.approx(places, abs=0.1)


def center(path: Path) -> tuple[float, float, float]:
    """The centroid of a mask, LPS mm."""
    image = SimpleITK.ReadImage(str(path))
    index = np.argwhere(SimpleITK.GetArrayFromImage(image) > 0).mean(axis=0)
    x, y, z = image.TransformContinuousIndexToPhysicalPoint([float(axis) for axis in index[::-1]])
    return x, y, z
