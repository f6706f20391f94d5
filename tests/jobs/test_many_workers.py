"""Several workers on one PostgreSQL: one is killed in an analysis, one is cut off, an older one runs beside a newer one."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from service.dicom.archive import Archive
from service.jobs.job import Job
from service.store.files import Files
from service.store.index import Index
from service.store.orders import Order
from service.store.records import ENDED, DeliveryState, State
from service.store.work import KILLED
from tests.cable import Cable
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

    def __init__(self, folder: Path, url: str, archive: Archive, workers: Nursery) -> None:
        self.folder = folder
        self.archive = archive
        self._url = url
        self._workers = workers
        self._running: dict[str, int] = {}

    def start(self, name: str, shape: str = "2", cable: Cable | None = None) -> None:
        """A worker that takes jobs, and reaches the databases by a cable of its own."""
        url = self._url.replace("tester@", f"tester@127.0.0.1:{cable.port}").partition("?")[0] if cable else self._url
        engine = url.replace("?", "_jobs?") if "?" in url else f"{url}_jobs"
        words = (self.folder, url, engine, self.archive.address, name, shape, ANALYSIS_S)
        self._running[name] = self._workers.start(*words)

    def told(self, word: str) -> list[str]:
        """The workers whose analyses began or ended, in order."""
        return [worker for _, worker in notes(self.folder, word)]

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


@pytest.fixture(scope="module")
def workers() -> Iterator[Nursery]:
    with nursery("tests.jobs.working") as made:
        yield made


@pytest.fixture
def cluster(shared: Store, tmp_path: Path, workers: Nursery) -> Iterator[Cluster]:
    archive = Archive(tmp_path / "archive")
    archive.start()
    made = Cluster(tmp_path, (tmp_path / "url").read_text(), archive, workers)
    yield made
    made.end()
    archive.stop()
    assert shared.index.counts().open_associations == 0


@pytest.fixture
def cable(postgresql: str) -> Iterator[Cable]:
    made = Cable(f"{postgresql.partition('host=')[2]}/.s.PGSQL.5432")
    yield made
    made.close()


def eventually(condition: object, seconds: float = 150.0, look_s: float = 0.3) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not (condition() if callable(condition) else condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(look_s)


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
    eventually(lambda: "worker-1" in cluster.told("begin"), look_s=0.05)
    began = time.monotonic()
    left = {one.job_id: one.attempt for one in shared.index.work.jobs_of("worker-1")}
    cluster.kill("worker-1")
    eventually(lambda: not shared.index.work.jobs_of("worker-1"), look_s=0.1)
    taken_s = time.monotonic() - began
    print(f"taken over {taken_s:.1f} s after the kill, heartbeat {HEARTBEAT_S:g} s: {left}")  # noqa: T201 - the figure of this test

    eventually(lambda: all(one.state in ENDED for one in shared.index.studies(50)))
    assert {one.state for one in shared.index.studies(50)} == {State.DONE}
    assert [one.copies for one in cluster.archive.stored()] == [1] * STUDIES * len(OBJECTS)
    again = [content for content, count in Counter(content for content, _ in notes(cluster.folder, "end")).items() if count > 1]
    assert again == []  # only what was interrupted is done twice, and it ended once


def arrive(shared: Store, number: int) -> str:
    """A study that is complete."""
    study = f"1.2.{number}"
    shared.receive(f"1.{number}", study)
    shared.index.close_version(study, shared.now)
    return study


def ends(shared: Store, cluster: Cluster, studies: int) -> None:
    """Every study is done, delivered and verified, and the archive has each object of each."""
    eventually(lambda: [one.state for one in shared.index.studies(50)] == [State.DONE] * studies)
    assert len(cluster.archive.stored()) == studies * len(OBJECTS)
    assert {one.state for one in shared.index.deliveries(f"1.2.{studies}")} == {DeliveryState.VERIFIED}


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_worker_that_is_cut_off_from_the_database_loses_and_doubles_nothing(
    shared: Store, cluster: Cluster, cable: Cable
) -> None:
    """For a moment: it goes on. For longer: another one takes over, in the middle of the analysis and after it."""
    cluster.start("worker-1", cable=cable)
    arrive(shared, 1)
    eventually(lambda: cluster.told("begin") == ["worker-1"], look_s=0.05)
    cable.cut()
    time.sleep(HEARTBEAT_S / 4)
    cable.mend()
    ends(shared, cluster, 1)
    assert cluster.told("begin") == ["worker-1"]

    cluster.start("worker-2")
    for number, moment in ((2, "begin"), (3, "end")):
        shared.index.operators.drain("worker-2", Order("tester", shared.now), draining=True)
        before = cluster.told(moment)
        arrive(shared, number)
        eventually(lambda moment=moment, before=before: cluster.told(moment) == [*before, "worker-1"], look_s=0.02)
        cable.cut()
        shared.index.operators.drain("worker-2", Order("tester", shared.now), draining=False)
        ends(shared, cluster, number)
        cable.mend()
        eventually(partial(is_back, shared, beat_of(shared) + 1))
    assert cluster.told("end").count("worker-1") + cluster.told("unwanted").count("worker-1") == 3
    ends(shared, cluster, 3)
    assert [analyses_of(shared, number) for number in (1, 2)] == [1, 1]


def is_back(shared: Store, beat: int) -> bool:
    """Whether the worker that was cut off has shown itself since."""
    return beat_of(shared) > beat


def beat_of(shared: Store) -> int:
    return next(one.beat for one in shared.index.machines.all() if one.name == "worker-1")


def analyses_of(shared: Store, number: int) -> int:
    """How many results were kept of a study."""
    detail = shared.index.study(f"1.2.{number}")
    assert detail is not None
    return [one.word for one in detail.events].count("analysed")


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
