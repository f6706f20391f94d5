from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from service.app import open_index
from service.commands.order import carry_out
from service.errors import Unusable
from service.settings import DestinationTable, Settings, Storage
from service.store.orders import Queue
from service.store.records import State
from tests.store.builders import STUDY, arrival, at


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation with one destination and one study that waits."""
    made = Settings(
        storage=Storage(folder=tmp_path), destination=(DestinationTable(name="archive", address="ARCHIVE@192.0.2.1:104"),)
    )
    with open_index(made) as index:
        index.add_instance(arrival(1))
        index.close_version(STUDY, at(60))
        index.machines.join("worker-1", "here", "1", "2", at(0))
    return made


def ordered(settings: Settings, what: str, subject: str, to: str = "") -> str:
    """What the command says."""
    console = Console(file=StringIO(), width=200)
    carry_out(console, settings, what, subject, to)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_an_order_says_what_it_changed(settings: Settings) -> None:
    assert ordered(settings, "hold", STUDY) == f"hold {STUDY}: queued -> held\n"
    with open_index(settings) as index:
        assert index.studies(1)[0].state is State.HELD


def test_queues_and_workers_are_told_apart_by_their_names(settings: Settings) -> None:
    ordered(settings, "pause", "analysis")
    ordered(settings, "drain", "worker-1")
    with open_index(settings) as index:
        assert index.operators.paused() == {Queue.ANALYSIS}
        assert index.machines.all()[0].draining
    assert ordered(settings, "resume", "analysis") == "resume queue analysis: paused -> running\n"
    assert ordered(settings, "resume", "worker-1") == "resume worker worker-1: draining -> working\n"


@pytest.mark.parametrize(
    ("what", "subject", "to"),
    [
        ("release", STUDY, ""),
        ("resend", STUDY, "nowhere"),
        ("resend", STUDY, ""),
        ("pause", "worker-1", ""),
        ("hold", "9.9", ""),
    ],
)
def test_what_is_not_possible_says_why(settings: Settings, what: str, subject: str, to: str) -> None:
    with pytest.raises(Unusable):
        ordered(settings, what, subject, to)
