"""Whether anything changed can be asked for next to nothing, and every change is seen."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from service.errors import TryAgain
from service.store.database import Database
from service.store.index import Index
from tests.store.builders import STUDY, arrival, at


def test_what_another_process_writes_is_a_change(index: Index, url: str) -> None:
    before = index.mark()
    with Index.open(url) as other:
        other.add_instance(arrival(1))
    assert index.mark() != before


def test_what_is_written_here_is_a_change(index: Index) -> None:
    marks = [index.mark()]
    for number in range(3):
        index.event(STUDY, "word", "sentence", at(number))
        marks.append(index.mark())
    assert len(set(marks)) == len(marks)


def test_reading_changes_nothing(index: Index) -> None:
    index.add_instance(arrival(1))
    before = index.mark()
    index.activities()
    index.studies(10)
    assert index.mark() == before


def test_what_is_not_committed_is_no_change_and_the_commit_is_one(index: Index, url: str) -> None:
    index.add_instance(arrival(1))
    other = Database.open(url)
    first = index.mark()
    with other.write() as connection:
        connection.exec_driver_sql("UPDATE study SET sentence = 'Other.'")
        during = index.mark()
    assert index.mark() not in (first, during)
    other.close()


def test_an_index_that_cannot_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index.open(f"sqlite:///{tmp_path / 'index.sqlite'}")

    class Broken:
        def cursor(self) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        def close(self) -> None:
            """Nothing to do."""

    monkeypatch.setattr(index._database._changes, "_connection", Broken())
    with pytest.raises(TryAgain):
        index.mark()
    index.close()
