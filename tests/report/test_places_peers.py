"""Validators of other people find no error in bands, paths and lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from service.options import AnalysisOptions
from service.report.compose import compose, to_bytes
from tests.peers import require_program
from tests.report.conftest import Sample, enhanced
from tests.report.measured import GAP, measured

pytestmark = pytest.mark.peer

PIXELMED = "/usr/share/java/pixelmed.jar"
LIMITS = [f"-Djdk.xml.{name}=0" for name in ("xpathExprGrpLimit", "xpathExprOpLimit", "xpathTotalOpLimit")]
ROLES = ("seg", "sr", "sr_places")


@pytest.fixture(scope="module", params=["two tumors with a gap", "enhanced source"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The objects of a measured result by role, beside their sources."""
    given: Sample = measured(make=enhanced) if "enhanced" in request.param else measured(tumors=2, gap=GAP)
    folder = tmp_path_factory.mktemp("measured")
    for made in compose(given.result, given.sources, AnalysisOptions(outputs=ROLES)):
        (folder / f"{made.role}.dcm").write_bytes(to_bytes(made))
    for number, image in enumerate(given.sources):
        image.save_as(folder / f"source{number}.dcm", enforce_file_format=True)
    return {role: folder / f"{role}.dcm" for role in ROLES}


def said(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, errors="replace")
    return done.stdout + done.stderr


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(("Error", "E:", "F:"))]


@pytest.mark.parametrize(
    ("role", "kind"), [("seg", "Segmentation"), ("sr", "Comprehensive3DSR"), ("sr_places", "ComprehensiveSR")]
)
def test_dciodvfy_finds_no_error(role: str, kind: str, files: dict[str, Path]) -> None:
    output = said(require_program("dciodvfy"), "-new", files[role])

    assert output.split("\n", 1)[0] == kind
    assert errors(output) == []


def test_dcentvfy_finds_all_objects_in_the_study_of_their_sources(files: dict[str, Path]) -> None:
    sources = sorted(files["seg"].parent.glob("source*.dcm"))

    assert errors(said(require_program("dcentvfy"), *files.values(), *sources)) == []


def test_dsrdump_reads_the_lines(files: dict[str, Path]) -> None:
    output = said(require_program("dsrdump"), files["sr_places"])

    assert "Comprehensive SR Document" in output
    assert errors(output) == []


@pytest.mark.slow
def test_pixelmed_finds_no_error_in_the_lines(files: dict[str, Path]) -> None:
    jar = require_program("pixelmed.jar", PIXELMED)
    validator = "com.pixelmed.validate.DicomSRValidator"
    output = said(require_program("java"), *LIMITS, "-cp", jar, validator, files["sr_places"])

    assert "Found Root Template TID_1500" in output
    assert "IOD validation complete" in output
    assert errors(output) == []
