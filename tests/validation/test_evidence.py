"""Figures land between their markers and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.validation import evidence


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.md"
    path.write_text(evidence.EVIDENCE.read_text(encoding="utf-8"), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["validate", "vessel", "soak", "bench", "receive", "soak-receiving", "fuzz"])
def test_the_document_has_a_place_for_each_command(copy: Path, name: str) -> None:
    """What stood there before goes, what stands around it stays, and a second run finds the same place."""
    headings = [line for line in copy.read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    for figures in ("first figures", "second figures"):
        evidence.replace(name, figures, copy)
    text = copy.read_text(encoding="utf-8")
    assert "second figures" in text
    assert "first figures" not in text
    assert headings == [line for line in text.splitlines() if line.startswith("## ")]


def test_a_table_is_markdown() -> None:
    assert evidence.table(["what", "mm"], [["mean", 0.1]]) == "| what | mm |\n|---|---|\n| mean | 0.1 |"


def test_figures_without_a_place_are_refused(copy: Path) -> None:
    with pytest.raises(ValueError, match="no place for rumours"):
        evidence.replace("rumours", "figures", copy)


def test_a_stamp_names_command_and_processor_but_no_path() -> None:
    said = evidence.stamp("just bench", 90.0)
    assert said.startswith("`just bench`, ")
    assert "1.5 minutes" in said
    assert str(evidence.ROOT) not in said
