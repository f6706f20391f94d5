"""Several workers on one PostgreSQL: one is killed in the middle of an analysis, an older one runs beside a newer one."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from service.dicom.archive import Archive
from service.jobs.job import Job
from service.store.files import Files
from service.store.index import Index
from service.store.records import ENDED, State
from service.store.work import KILLED
from tests.jobs.conftest import STUDY, Store
from tests.jobs.nursery import Nursery, kill, nursery
from tests.jobs.test_steps import RESULT, answers, steps_of
from tests.jobs.working import HEARTBEAT_S, OBJECTS, notes
from tests.store.conftest import postgresql

__all__ = ["postgresql"]  # the fixture of the store's tests

STUDIES = 5
ANALYSIS_S = 1.5


class Cluster:
    """Workers on one index, one engine's database and one folder."""

    def __init__(self, folder: Path, urls: tuple[str, str], archive: Archive, workers: Nursery) -> None:
        self.folder = folder
        self.archive = archive
        self._words = (folder, *urls, archive.address)
        self._workers = workers
        self._running: dict[str, int] = {}

    def start(self, name: str, shape: str) -> None:
        """A worker that takes jobs."""
        self._running[name] = self._workers.start(*self._words, name, shape, ANALYSIS_S)

    def kill(self, name: str) -> None:
        """As a power cut would."""
        kill(self._running.pop(name))

    def end(self) -> None:
        """All of them."""
        for name in list(self._running):
            self.kill(name)


@pytest.fixture
def shared(tmp_path: Path, postgresql: str) -> Iterator[Store]:
    """An index in PostgreSQL and a folder, as several machines share them."""
    import psycopg

    name = f"w{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = postgresql.replace("/postgres?", f"/{name}?")
    (tmp_path / "url").write_text(url)
    with Index.open(url) as index:
        yield Store(index, Files(tmp_path / "files"))


@pytest.fixture
def cluster(shared: Store, tmp_path: Path) -> Iterator[Cluster]:
    archive = Archive(tmp_path / "archive")
    archive.start()
    url = (tmp_path / "url").read_text()
    engine = url.replace("?", "_jobs?").replace("postgresql://", "postgresql+psycopg://")
    with nursery("tests.jobs.working") as workers:
        made = Cluster(tmp_path, (url, engine), archive, workers)
        yield made
        made.end()
    archive.stop()
    assert shared.index.counts().open_associations == 0


def eventually(condition: object, seconds: float = 150.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not (condition() if callable(condition) else condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.timeout(280)
def test_what_a_killed_worker_left_is_done_by_the_others_once(shared: Store, cluster: Cluster) -> None:
    """Old and new shapes of the workflows side by side: the one that dies is old, those that take over are new."""
    for name, shape in (("worker-1", "1"), ("worker-2", "2"), ("worker-3", "2")):
        cluster.start(name, shape)
    for number in range(STUDIES):
        shared.receive(f"1.{number}", f"1.2.{number}")
        shared.index.close_version(f"1.2.{number}", shared.now)
    eventually(lambda: {"worker-1"} & {worker for _, worker in notes(cluster.folder, "begin")})
    began = time.monotonic()
    left = {one.job_id: one.attempt for one in shared.index.work.jobs_of("worker-1")}
    cluster.kill("worker-1")
    eventually(lambda: not shared.index.work.jobs_of("worker-1"))
    taken_s = time.monotonic() - began
    print(f"taken over {taken_s:.1f} s after the kill, heartbeat {HEARTBEAT_S:g} s: {left}")  # noqa: T201 - the figure of this test

    eventually(lambda: all(one.state in ENDED for one in shared.index.studies(50)))
    assert {one.state for one in shared.index.studies(50)} == {State.DONE}
    assert [one.copies for one in cluster.archive.stored()] == [1] * STUDIES * len(OBJECTS)
    again = [content for content, count in Counter(content for content, _ in notes(cluster.folder, "end")).items() if count > 1]
    assert again == []  # only what was interrupted is done twice, and it ended once


def take_along(*_given: object) -> NoReturn:
    """An analysis that ends its worker."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def dies(folder: Path) -> int:
    """The signal that ended a worker without its engine, whose analysis takes it along."""
    child = os.fork()
    if child == 0:
        try:
            store = Store(Index.open(f"sqlite:///{folder / 'index.sqlite'}"), Files(folder / "files"))
            steps_of(store, folder, take_along).analyse(the_job(store), 2)
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def the_job(store: Store) -> Job:
    """The job of the only study that waits in this test."""
    version = next(one for one in store.index.waiting_jobs() if one.study_instance_uid == STUDY)
    return Job(STUDY, version.content_version, version.attempt)


@pytest.mark.timeout(280)
def test_a_study_that_kills_its_worker_each_time_ends_visibly_and_others_go_on(store: Store, tmp_path: Path) -> None:
    store.receive("1.1")
    store.close()
    store.receive("2.1", "1.2.9")
    other = store.close("1.2.9")
    for _kill in range(KILLED):
        assert dies(tmp_path) == signal.SIGKILL
    steps = steps_of(store, tmp_path, answers(RESULT))
    steps.analyse(the_job(store), 2)
    steps.analyse(other, 2)

    states = {one.study_instance_uid: one for one in store.index.studies(5)}
    assert states[STUDY].state is State.FAILED
    assert states[STUDY].sentence.startswith(f"This study ended its worker {KILLED} times while it was analysed")
    assert store.index.version("1.2.9", other.content_version).begin == "deliver"
