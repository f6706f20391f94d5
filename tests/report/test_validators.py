"""Validators of other people find no error in what we write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from service.options import OUTPUTS, AnalysisOptions
from service.report.compose import compose, to_bytes
from tests.peers import require_program
from tests.report.conftest import Sample, sample, without_regions

pytestmark = pytest.mark.peer

PIXELMED = "/usr/share/java/pixelmed.jar"
LIMITS = [f"-Djdk.xml.{name}=0" for name in ("xpathExprGrpLimit", "xpathExprOpLimit", "xpathTotalOpLimit")]
WITH_PDF = AnalysisOptions(outputs=(*OUTPUTS, "pdf"))
NAMES = {"Segmentation", "Comprehensive3DSR", "SCImage", "MultiframeTrueColorSCImage", "EncapsulatedPDF"}  # in its words
KINDS = ["one", "two", "none", "multiframe", "bare", "umlaut"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, two: Sample, none: Sample, multiframe: Sample) -> dict[str, list[Path]]:
    """Every kind of result as files, by kind; the first kind with its sources."""
    folder = tmp_path_factory.mktemp("objects")
    samples = {
        "one": sample(),
        "two": two,
        "none": none,
        "multiframe": multiframe,
        "bare": without_regions(sample()),
        "umlaut": sample(change=lambda image: setattr(image, "PatientName", "Müller^Jörg")),
    }
    return {kind: write(folder, kind, given) for kind, given in samples.items()}


def write(folder: Path, kind: str, given: Sample) -> list[Path]:
    paths = []
    for made in compose(given.result, given.sources, WITH_PDF):
        paths.append(folder / f"{kind}.{made.role}.dcm")
        paths[-1].write_bytes(to_bytes(made))
    for number, image in enumerate(given.sources):
        image.save_as(folder / f"{kind}.source{number}.dcm", enforce_file_format=True)
    return paths


def report(paths: list[Path]) -> Path:
    (found,) = (path for path in paths if path.suffixes[0] == ".sr")
    return found


def said(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, errors="replace")
    return done.stdout + done.stderr


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("kind", KINDS)
def test_dciodvfy_finds_no_error(kind: str, files: dict[str, list[Path]]) -> None:
    dciodvfy = require_program("dciodvfy")

    for path in files[kind]:
        output = said(dciodvfy, "-new", path)
        assert NAMES & set(output.split())
        assert errors(output) == [], path.name


@pytest.mark.parametrize("kind", KINDS)
def test_dcentvfy_finds_the_objects_in_the_study_of_their_sources(kind: str, files: dict[str, list[Path]]) -> None:
    dcentvfy = require_program("dcentvfy")
    sources = sorted(files[kind][0].parent.glob(f"{kind}.source*.dcm"))

    assert errors(said(dcentvfy, *files[kind], *sources)) == []
    if kind == "umlaut":
        assert errors(said(dcentvfy, *files[kind], *files["none"])), "another name under the same patient must be noticed"


@pytest.mark.parametrize("kind", KINDS)
def test_dsrdump_reads_the_report(kind: str, files: dict[str, list[Path]]) -> None:
    output = said(require_program("dsrdump"), report(files[kind]))

    assert "Comprehensive 3D SR Document" in output
    assert "UNVERIFIED" in output
    assert not any(line.startswith(("E:", "F:")) for line in output.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["two", "bare"])
def test_pixelmed_finds_no_error_in_the_report(kind: str, files: dict[str, list[Path]]) -> None:
    java = require_program("java")
    require_program("pixelmed.jar", PIXELMED)

    output = said(java, *LIMITS, "-cp", PIXELMED, "com.pixelmed.validate.DicomSRValidator", report(files[kind]))

    assert "Found Root Template TID_1500" in output
    assert "IOD validation complete" in output
    assert errors(output) == []
