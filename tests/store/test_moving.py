"""An index that moves to PostgreSQL arrives whole or not at all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from service.errors import Unusable
from service.options import RoleRule
from service.store.database import Database
from service.store.index import Index
from service.store.moving import digest, move
from service.store.records import DeliveryState, State
from service.store.schema import metadata, study
from tests.store.builders import STUDY, arrival, at, made, mark, order
from tests.store.conftest import new_schema

pytestmark = pytest.mark.peer


@pytest.fixture
def filled(tmp_path: Path) -> str:
    """The URL of an embedded index that has something in most of its tables."""
    url = f"sqlite:///{tmp_path / 'index.sqlite'}"
    with Index.open(url) as index:
        index.association_opened("a", "192.0.2.1", "SCANNER", at(0))
        for number in range(1, 4):
            index.add_instance(arrival(number, study=f"1.2.{number}", association="a"))
        index.association_closed("a", at(5))
        version = index.close_version("1.2.1", at(60))
        index.save_result(
            "1.2.1", version.content_version, {"tumors": [], "value": 2.25, "text": "\u00fc \u2264"}, [made()], at(70)
        )
        index.plan_deliveries("1.2.1", version.content_version, ["archive", "other"], at(70))
        mark(index, ("1.9.1", "archive"), DeliveryState.SENT, 0, "taken", at(71))
        index.set_state("1.2.1", version.content_version, State.DELIVERING, "Being sent.")
        second = index.close_version("1.2.2", at(61))
        index.work.keep_output(("1.2.2", second.content_version, 1), "what it wrote: \x00 and so on")
        index.machines.join("worker-1", "here", "0.1.0", "2", at(1))
        index.keep_rule(RoleRule("arterial", protocol="t1"), at(2))
        index.tell("1.2.1", {"seeds": [[1.0, 2.0, 3.5]]}, at(3))
        index.operators.hold("1.2.3", order())
    return url


def moved(source_url: str, target_url: str, told: Callable[[str, int], None] = lambda _table, _rows: None) -> None:
    source, target = Database.open(source_url), Database.open(target_url)
    try:
        move(source, target, told)
    finally:
        source.close()
        target.close()


def rows(url: str) -> int:
    """How many rows there are in all."""
    database = Database.open(url)
    with database.read() as connection:
        number = sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in metadata.sorted_tables)
    database.close()
    return number


def test_everything_arrives_and_goes_on(filled: str, postgresql: str) -> None:
    target = new_schema(postgresql)
    moved(filled, target)

    with Index.open(filled) as before, Index.open(target) as after:
        assert after.studies(9) == before.studies(9)
        assert [after.study(f"1.2.{n}") for n in (1, 3)] == [before.study(f"1.2.{n}") for n in (1, 3)]
        assert after.deliveries() == before.deliveries()
        assert (after.role_rules(), after.told("1.2.1")) == (before.role_rules(), before.told("1.2.1"))
        second = after.study("1.2.2")
        assert second is not None
        assert second.output == "what it wrote:  and so on"  # PostgreSQL takes no zero byte
        after.add_instance(arrival(9, study="1.2.9"))  # rows are numbered on
        after.event(STUDY, "word", "sentence", at(99))
        after.operators.release("1.2.3", order(99))


def test_a_repeat_finds_everything_there(filled: str, postgresql: str) -> None:
    target = new_schema(postgresql)
    moved(filled, target)
    number = rows(target)
    moved(filled, target)
    assert rows(target) == number > 20


def test_what_holds_something_else_is_refused_and_left_alone(filled: str, postgresql: str) -> None:
    target = new_schema(postgresql)
    with Index.open(target) as other:
        other.add_instance(arrival(7, study="1.2.77"))
    number = rows(target)
    with pytest.raises(Unusable, match="not empty and holds something else"):
        moved(filled, target)
    assert rows(target) == number


@pytest.mark.parametrize("table", ["study", "delivery", metadata.sorted_tables[-1].name])
def test_killed_in_the_middle_nothing_has_moved_and_a_repeat_moves_all(filled: str, postgresql: str, table: str) -> None:
    target = new_schema(postgresql)
    whole = rows(filled)

    def die(name: str, _rows: int) -> None:
        if name == table:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        try:
            moved(filled, target, die)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    assert rows(target) == 0
    moved(filled, target)
    assert rows(target) == rows(filled) == whole


def test_a_row_that_arrives_changed_is_noticed(filled: str) -> None:
    database = Database.open(filled)
    with database.write() as connection:
        before = digest(connection, study)
        connection.execute(study.update().where(study.c.study_instance_uid == "1.2.1").values(urgent=True))
        assert digest(connection, study) != before
    database.close()
