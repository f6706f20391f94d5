"""Validators of other people find no error in what we write, however odd the study and whatever can be said of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydicom import dcmread

from service.features.finding import Status
from service.options import AnalysisOptions
from service.report.compose import OUTPUTS, compose, compose_refusal, to_bytes
from service.report.uids import NOT_ASSESSABLE
from tests.peers import require_program
from tests.report.cases import cases, reason_codes
from tests.report.conftest import Sample
from tests.report.pixelmed import validated
from tests.report.structure import covering

pytestmark = [pytest.mark.peer, pytest.mark.slow]

# A page takes seconds to draw, and its object differs little from case to case: these cases have one.
DRAWN = {"summary": ("no_tumor", "name_in_japanese"), "pdf": ("enhanced", "long_texts")}
REPORTS = ("sr", "sr_places", NOT_ASSESSABLE)
# Of these there is also the report of why nothing was measured.
REFUSED = ("one_tumor", "enhanced", "name_in_japanese", "procedure")


@dataclass(frozen=True)
class Files:
    """The objects of a case by role, and the images they were made from."""

    given: Sample
    made: Mapping[str, Path]
    sources: tuple[Path, ...]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """Every case as files, by name."""
    folder = tmp_path_factory.mktemp("objects")
    return {name: write(folder, name, given) for name, given in cases().items()}


def write(folder: Path, name: str, given: Sample) -> Files:
    roles = tuple(role for role, _ in OUTPUTS if name in DRAWN.get(role, (name,)))
    made, sources = {}, []
    for one in compose(given.result, given.sources, AnalysisOptions(outputs=roles)):
        made[one.role] = folder / f"{name}.{one.role}.dcm"
        made[one.role].write_bytes(to_bytes(one))
    if name in REFUSED:
        nothing = replace(given.result, tumors=(), verdict="", liver=None, vessels=None)
        (one,) = compose_refusal(nothing, given.sources, "The slices have gaps: send the series whole. [geometry.gap]")
        made[one.role] = folder / f"{name}.{one.role}.dcm"
        made[one.role].write_bytes(to_bytes(one))
    for number, image in enumerate(given.sources):
        sources.append(folder / f"{name}.source{number}.dcm")
        image.save_as(sources[-1], enforce_file_format=True)
    return Files(given, made, tuple(sources))


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


def test_dciodvfy_finds_no_error(files: dict[str, Files]) -> None:
    dciodvfy = require_program("dciodvfy")
    outputs = {path.name: said(dciodvfy, "-new", path) for case in files.values() for path in case.made.values()}

    assert len(outputs) > 200
    assert all(any(line.isalnum() for line in text.splitlines()) for text in outputs.values()), "not recognised"
    assert {name: errors(text) for name, text in outputs.items() if errors(text)} == {}


def test_dcentvfy_finds_the_objects_in_the_study_of_their_sources(files: dict[str, Files]) -> None:
    dcentvfy = require_program("dcentvfy")
    outputs = {name: said(dcentvfy, *case.made.values(), *case.sources) for name, case in files.items()}

    assert {name: errors(text) for name, text in outputs.items() if errors(text)} == {}


def test_dcentvfy_would_notice_another_patient(files: dict[str, Files]) -> None:
    mixed = [files[name].made["sr"] for name in ("one_tumor", "name_in_greek")]

    assert errors(said(require_program("dcentvfy"), *mixed))


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
