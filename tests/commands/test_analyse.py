from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from service.commands.analyse import analyse_folder, studies_in
from service.jobs.example import example_patient
from service.phantom.write import write_study
from service.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("study")
    write_study(example_patient(), made, seg="fractional")
    (made / "notes.txt").write_text("not DICOM")
    return made


@pytest.fixture(scope="module")
def shown(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What was printed of that folder, and where its objects are."""
    written, console = tmp_path_factory.mktemp("out"), Console(file=StringIO(), width=200)
    assert analyse_folder(console, Settings(), folder, written, as_json=False) == 0
    return console.file.getvalue(), written  # type: ignore[attr-defined]


def test_findings_are_shown_and_written_with_the_objects(shown: tuple[str, Path]) -> None:
    text, written = shown
    out = written / "study-1"
    record = json.loads((out / "findings.json").read_text())
    assert record["tumors"][0]["findings"][0]["answer"] in text
    assert "For research use." in text
    assert sorted(path.name for path in out.iterdir()) == [
        "1-seg.dcm",
        "2-sr.dcm",
        "3-sr_places.dcm",
        "4-summary.dcm",
        "findings.json",
    ]


def test_our_own_results_in_the_folder_change_nothing(folder: Path, shown: tuple[str, Path]) -> None:
    (paths,) = studies_in(folder).values()
    (results,) = [*studies_in(shown[1]).values()] or [[]]
    assert len(paths) > 100
    assert results == []


def test_json_is_nothing_but_json(folder: Path, tmp_path: Path) -> None:
    """So that it can be piped."""
    console = Console(file=StringIO(), width=80)
    assert analyse_folder(console, Settings(), folder, tmp_path, as_json=True) == 0
    record = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
    assert record["format"] == 1


def test_a_study_that_cannot_be_analysed_says_why(folder: Path, tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=300)
    only_t2 = next(path for path in folder.iterdir() if "t2" in path.name)
    assert analyse_folder(console, Settings(), only_t2, tmp_path, as_json=False) == 1
    assert "not a post-ablation liver exam" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=80)
    assert analyse_folder(console, Settings(), tmp_path / "misspelt", tmp_path, as_json=False) == 1
    assert "misspelt is no folder" in console.file.getvalue()  # type: ignore[attr-defined]
