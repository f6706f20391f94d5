"""How the index answers: no question that is asked again and again may read a whole large table.

SQLite says how it would go about a statement (EXPLAIN QUERY PLAN): SCAN is all rows, SEARCH those that an index names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from service.store.index import Index
from service.store.records import State
from tests.store.builders import STUDY, arrival, at

LARGE = ("instance", "association", "association_study", "event", "made", "version")
QUESTIONS: dict[str, Callable[[Index], Any]] = {
    "list": lambda index: index.studies(50),
    "list of a state": lambda index: index.studies(50, 100, State.DONE),
    "study": lambda index: index.study(STUDY),
    "receiving": lambda index: index.activities(),
    "waiting": lambda index: index.waiting_jobs(),
    "instances": lambda index: index.instances(STUDY),
    "gauges": lambda index: index.gauges(),
    "earlier exams": lambda index: index.priors.of(STUDY, index.waiting_jobs()[0].content_version),
    "left to do at a destination": lambda index: index.lines.awaits("archive"),
    "may wait": lambda index: index.work.may_wait(STUDY, index.waiting_jobs()[0].content_version),
    "arrival": lambda index: index.add_instance(arrival(7, association="a")),
    "duplicate": lambda index: index.add_instance(arrival(1, association="b")),
    "release": lambda index: index.association_closed("a", at(9)),
}


@pytest.fixture
def statements(tmp_path: Path) -> Iterator[tuple[Index, list[tuple[str, Any]]]]:
    """An index with a study, and what is asked of its database."""
    asked: list[tuple[str, Any]] = []
    with Index.open(f"sqlite:///{tmp_path}/index.db") as index:
        index.add_instance(arrival(1, association="a"))
        index.close_version(STUDY, at(5))

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            asked.append((statement, parameters))

        event.listen(index._database._engine, "before_cursor_execute", note)
        yield index, asked


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_large_table_is_read_as_a_whole(statements: tuple[Index, list[tuple[str, Any]]], question: str) -> None:
    index, asked = statements
    QUESTIONS[question](index)
    wanted = [(statement, parameters) for statement, parameters in asked if re.match("SELECT|UPDATE|DELETE", statement)]

    assert wanted
    with index._database.read() as connection:
        for statement, parameters in wanted:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            scanned = [line for line in plan for table in LARGE if re.fullmatch(rf"SCAN {table}( USING (?!COVERING).*)?", line)]
            assert not scanned, (statement, plan)


def test_a_page_of_the_list_sorts_nothing(statements: tuple[Index, list[tuple[str, Any]]]) -> None:
    index, asked = statements
    index.studies(50)
    page = next(entry for entry in asked if "LIMIT" in entry[0])

    with index._database.read() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {page[0]}", page[1])]
    assert any("study_by_arrival" in line for line in plan)
    assert not any("TEMP B-TREE FOR ORDER BY" in line for line in plan), plan
