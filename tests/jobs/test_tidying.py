"""What is old leaves at quiet hours, in pieces, and whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest

from service.jobs.tidying import Keeping, Tidying
from service.store import files as files_module
from service.store.files import Files
from service.store.index import Index
from service.store.records import State
from service.store.retention import Stock
from tests.jobs.conftest import Store

DAYS = {Stock.RECEIVED: timedelta(days=30)}
ALWAYS = Keeping(DAYS, time(0), time(23, 59, 59), share=0.2)
STUDIES = 7  # more than one piece


def finished(store: Store, number: int) -> None:
    """A study that ended, of two images."""
    study = f"1.2.{number}"
    for image in (1, 2):
        store.receive(f"{number}.{image}", study)
    job = store.close(study)
    store.index.set_state(study, job.content_version, State.NOTHING_TO_DO, "Nothing here to measure.")


@pytest.fixture
def filled(store: Store) -> Store:
    for number in range(STUDIES):
        finished(store, number)
    store.later(31 * 86400)
    return store


def tidying(store: Store, keeping: Keeping) -> Tidying:
    return Tidying(store.index, store.files, keeping, store.clock, lambda: 0.0)


def left(store: Store) -> tuple[int, int, int]:
    """Instances with a row, files, and files that are to go."""
    return store.index.counts().instances, len(list(store.files.received_keys())), len(store.index.retention.doomed())


def test_what_is_old_enough_leaves_with_its_files(filled: Store) -> None:
    filled.receive("9.1", "1.2.99")
    assert tidying(filled, ALWAYS).look() == STUDIES
    assert left(filled) == (1, 1, 0)


def test_nothing_leaves_that_a_dead_listener_would_bring_back(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, and not started again before the days of retention were over; a worker of its own tidies."""
    monkeypatch.setattr(files_module, "_MUCH_ROOM", 0)
    filled.files.begin_journal()
    filled.receive("9.1", "1.2.99")
    journal = filled.files._journal
    assert journal is not None
    for segment in journal._all:
        segment.close()
        os.utime(segment.path, times=(filled.now.timestamp() - 8 * 3600,) * 2)
    assert tidying(filled, ALWAYS).look() == 0
    assert left(filled) == (2 * STUDIES + 1, 2 * STUDIES + 1, 0)
    again = Files(filled.files.root)
    again.begin_journal()
    assert tidying(filled, ALWAYS).look() == STUDIES
    again.end_journal()


def test_what_is_younger_stays(filled: Store) -> None:
    assert tidying(filled, replace(ALWAYS, longest={Stock.RECEIVED: timedelta(days=32)})).look() == 0
    assert left(filled) == (2 * STUDIES, 2 * STUDIES, 0)


def test_nothing_leaves_at_busy_hours(filled: Store) -> None:
    now = filled.now.astimezone()
    later = (now + timedelta(hours=1)).time(), (now + timedelta(hours=2)).time()
    assert tidying(filled, Keeping(DAYS, *later)).look() == 0
    assert left(filled) == (2 * STUDIES, 2 * STUDIES, 0)


def test_others_get_their_share_of_the_time(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece that took 1 s is followed by a pause of 4 s where removing may take a fifth of the time."""
    ticks = iter(range(1000))
    made = Tidying(filled.index, filled.files, ALWAYS, filled.clock, lambda: float(next(ticks)))
    pauses: list[float] = []
    monkeypatch.setattr(made._stop, "wait", pauses.append)
    made.look()
    assert set(pauses) == {4.0}
    assert len(pauses) == 4  # rows and files of two pieces


def test_a_file_is_forgotten_only_when_no_power_cut_brings_it_back(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without a row counts as new: its study would be analysed and sent once more."""
    disk = {name.name for name in filled.files.root.glob("received/*/*")}
    fsync, gone = os.fsync, filled.index.retention.gone
    forgotten: list[str] = []

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        folder = Path(f"/proc/self/fd/{descriptor}").readlink()
        disk.difference_update({name for name in disk if name[:2] == folder.name and not (folder / name).exists()})

    def forget(keys: Sequence[str]) -> None:
        assert not disk & {Path(key).name for key in keys}
        forgotten.extend(keys)
        gone(keys)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(filled.index.retention, "gone", forget)
    tidying(filled, ALWAYS).look()
    assert len(forgotten) == 2 * STUDIES


@pytest.mark.parametrize("after", [0, 1, 3])
def test_killed_in_the_middle_no_study_is_half_there_and_the_rest_goes_next_time(
    filled: Store, tmp_path: Path, after: int
) -> None:
    child = os.fork()
    if child == 0:
        try:
            with Index.open(f"sqlite:///{tmp_path / 'index.sqlite'}") as index:
                Tidying(index, Dying(tmp_path / "files", after), ALWAYS, filled.clock, lambda: 0.0).look()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    rows, files, doomed = left(filled)
    assert rows % 2 == 0
    assert doomed > 0
    assert files == 2 * STUDIES - after
    tidying(filled, ALWAYS).look()
    assert left(filled) == (0, 0, 0)


class Dying(Files):
    """Files whose remover is killed after some."""

    def __init__(self, root: Path, after: int) -> None:
        super().__init__(root)
        self._after = after

    def remove(self, key: str) -> None:
        """Delete, or die."""
        if self._after == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._after -= 1
        super().remove(key)
