"""dcmqi, which many research groups read results with, finds the numbers of the record and the contours in their place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from service.options import AnalysisOptions
from service.report.compose import compose, to_bytes
from service.report.record import to_record
from tests.peers import require_package
from tests.report.cases import cases
from tests.report.conftest import Sample
from tests.report.test_read_back import centers_meant, numbers

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NAMES = ("one_tumor", "oblique", "enhanced_two_tumors", "every_feature", "name_in_japanese")


@pytest.fixture(scope="module")
def given() -> dict[str, Sample]:
    return {name: one for name, one in cases().items() if name in NAMES}


def run(program: str, *arguments: str) -> None:
    """A program that the package installs beside the interpreter."""
    require_package("dcmqi")
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def written(one: Sample, role: str, folder: Path) -> Path:
    """The object of a role as a file."""
    (made,) = (made for made in compose(one.result, one.sources, AnalysisOptions(outputs=("seg", "sr"))) if made.role == role)
    path = folder / f"{role}.dcm"
    path.write_bytes(to_bytes(made))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_its_reader_of_reports_finds_the_numbers(given: dict[str, Sample], tmp_path: Path, name: str) -> None:
    out = tmp_path / "read.json"
    run("tid1500reader", "--inputDICOM", str(written(given[name], "sr", tmp_path)), "--outputMetadata", str(out))
    read = json.loads(out.read_text())["Measurements"]
    tumors = to_record(given[name].result)["tumors"]

    assert [group["TrackingUniqueIdentifier"] for group in read] == [tumor["tracking_uid"] for tumor in tumors]
    for group, tumor in zip(read, tumors, strict=True):
        found, meant = [said(item) for item in group["measurementItems"]], numbers(tumor)
        assert [(code, unit) for code, _, unit in found] == [(code, unit) for code, _, unit in meant]
        assert [value for _, value, _ in found] == pytest.approx([value for _, value, _ in meant], rel=1e-6)


def said(item: dict[str, Any]) -> tuple[str, float, str]:
    """Code, value and unit of one measurement."""
    return item["quantity"]["CodeValue"], float(item["value"]), item["units"]["CodeValue"]


@pytest.mark.parametrize("name", NAMES)
def test_its_reader_of_segmentations_finds_the_contours_in_their_place(
    given: dict[str, Sample], tmp_path: Path, name: str
) -> None:
    path = written(given[name], "seg", tmp_path)
    run("segimage2itkimage", "--inputDICOM", str(path), "--outputDirectory", str(tmp_path), "--outputType", "nrrd")
    meant = centers_meant(given[name])
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
