"""The demonstration is the README's promise: it runs here as it is shown to people."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from pydicom import dcmread
from rich.console import Console

from service.commands.demo import Choice, show
from service.commands.orthanc import find_orthanc
from service.errors import TryAgain
from service.web.info import Check, Probed
from tests.peers import require_program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


def demonstrate(choice: Choice) -> str:
    """Everything that it prints; it must end well and must not wait."""
    console = Console(file=StringIO(), width=200)

    def never() -> None:
        pytest.fail("the demonstration waits although it was not asked to stay")

    status = show(console, choice, wait=never)
    said = str(console.file.getvalue())  # type: ignore[attr-defined]
    assert status == 0, said
    return said


def test_the_results_reach_the_archive_and_nothing_is_wrong(tmp_path: Path) -> None:
    text = demonstrate(Choice(folder=tmp_path))
    results = [dcmread(path, stop_before_pixels=True) for path in (tmp_path / "archive").glob("*.dcm")]
    assert sorted(result.Modality for result in results) == ["OT", "SEG", "SR", "SR"]
    assert len({result.StudyInstanceUID for result in results}) == 1
    assert "right" in text
    assert "WRONG" not in text


@pytest.mark.peer
def test_orthanc_receives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other demonstration has shown that the self-test passes."""
    require_program("Orthanc", "/usr/sbin/Orthanc")
    passed = Check("self-test", lambda: Probed(ok=True, sentence="Passed before."))
    monkeypatch.setattr("service.app.require_truth", lambda _settings: passed)
    text = demonstrate(Choice(folder=tmp_path, orthanc=True))
    assert "Comprehensive 3D SR Storage" in text
    assert "NOT in the archive" not in text


def test_a_folder_with_old_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("")
    with pytest.raises(TryAgain, match="is not empty"):
        show(Console(file=StringIO()), Choice(folder=tmp_path), wait=lambda: None)


def test_a_missing_orthanc_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_arguments, **_options: None)
    with pytest.raises(TryAgain, match="Orthanc is not installed"):
        find_orthanc()
