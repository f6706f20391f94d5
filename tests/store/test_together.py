"""Rows that are wanted at the same time share a transaction; whatever is wrong with one of them is its own affair."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from service.errors import TryAgain
from service.store.database import Database
from service.store.index import Index
from service.store.records import Added, Received
from tests.store.builders import STUDY, arrival


class Counting:
    """A database that counts the transactions of the writer, the first of which begins when all others wait."""

    def __init__(self, database: Database, waiting: Any) -> None:
        self._database = database
        self._waiting = waiting
        self.transactions = 0

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[Any]:
        """One transaction."""
        self.transactions += 1
        while self.transactions == 1 and not self._waiting():
            time.sleep(0.001)
        with self._database.write(synced=synced) as connection:
            yield connection


def add_at_once(index: Index, rows: list[Received]) -> tuple[dict[str, Any], int]:
    """What became of each row (by key), each asked for by a thread of its own, and the number of transactions."""
    together, outcomes = index._together, dict[str, Any]()
    counting = Counting(together._database, lambda: len(together._waiting) >= len(rows) - 1)
    together._database = counting  # type: ignore[assignment]

    def ask(row: Received) -> None:
        try:
            outcomes[row.key] = together.add(row)
        except Exception as fault:  # noqa: BLE001 - looked at by the test
            outcomes[row.key] = fault

    threads = [threading.Thread(target=ask, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes, counting.transactions


def test_all_who_wait_are_taken_along(index: Index) -> None:
    rows = [arrival(number) for number in range(1, 9)]
    outcomes, transactions = add_at_once(index, rows)

    assert outcomes == {row.key: Added.NEW for row in rows}
    assert transactions == 2
    assert len(index.instances(STUDY)) == 8


def test_each_is_told_what_it_was(index: Index) -> None:
    """Of the same instance twice in one transaction one is new and one repeats it."""
    first, again = arrival(1), replace(arrival(1), key="received/ff/" + 32 * "f" + ".dcm")
    outcomes, _ = add_at_once(index, [first, again, arrival(2)])

    assert sorted(outcomes.values()) == [Added.DUPLICATE, Added.NEW, Added.NEW]


def test_the_fault_of_one_is_not_that_of_the_others(index: Index) -> None:
    """A time without a zone is refused by the index; those beside it are taken."""
    wrong = replace(arrival(3), received_at=arrival(3).received_at.replace(tzinfo=None))
    rows = [arrival(1), arrival(2), wrong, arrival(4)]
    outcomes, _ = add_at_once(index, rows)

    assert isinstance(outcomes.pop(wrong.key), Exception)
    assert set(outcomes.values()) == {Added.NEW}
    assert len(index.instances(STUDY)) == 3


def test_an_index_that_does_not_answer_is_told_to_each(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(**_: Any) -> Any:
        raise TryAgain("store.unavailable", "The index cannot be reached.")

    monkeypatch.setattr(index._together._database, "write", down)
    for number in (1, 2):
        with pytest.raises(TryAgain):
            index.add_instance(arrival(number))
    monkeypatch.undo()
    assert index.add_instance(arrival(3)) is Added.NEW
