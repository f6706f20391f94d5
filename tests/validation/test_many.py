"""A long run that was cut off goes on where it was."""

from __future__ import annotations

from pathlib import Path

from tests.validation.many import Kept, measure_missing


def square(seed: int) -> int:
    return seed * seed


def test_what_was_kept_is_not_measured_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept")
    kept.add(2, -1)
    kept.add(None, "a run")
    again = Kept(tmp_path / "kept")
    measure_missing("squares", square, (1, 2, 3), again, processes=1, seconds=60.0)
    read = Kept(tmp_path / "kept")
    assert read.found == again.found == {1: 1, 2: -1, 3: 9}
    assert read.runs == ["a run"]


def test_a_record_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept")
    kept.add(1, 1)
    kept.add(2, 4)
    whole = (tmp_path / "kept").read_bytes()
    (tmp_path / "kept").write_bytes(whole[:-3])
    assert Kept(tmp_path / "kept").found == {1: 1}
    Kept(tmp_path / "kept").add(2, 4)
    assert Kept(tmp_path / "kept").found == {1: 1, 2: 4}
