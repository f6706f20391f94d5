"""A worker as `app` puts it together, with an analysis that takes time, notes when it begins and ends, and makes objects."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pynetdicom.sop_class import Comprehensive3DSRStorage, SegmentationStorage

from service.dicom.destination import Caller, Verify, parse_destination
from service.jobs import engine as jobs
from service.jobs.delivery import Courier
from service.jobs.dispatch import Dispatch
from service.jobs.job import Unwanted
from service.jobs.messages import Answer, MadeFile, Request
from service.jobs.pauses import Pauses
from service.jobs.process import Ended, Limits, Progress, Wanted
from service.jobs.steps import Run, Steps
from service.jobs.visit import Means
from service.jobs.watchdog import Pulse, Watchdog
from service.jobs.worker import Worker
from service.options import AnalysisOptions
from service.store.files import Files
from service.store.index import Index
from service.store.orders import Share
from service.study.complete import CompletionRule
from service.study.required import When
from tests.jobs.sending import made

HEARTBEAT_S = 2.0
OBJECTS = (("seg", str(SegmentationStorage)), ("sr", str(Comprehensive3DSRStorage)))


def work(ready: Callable[[], object], *words: str) -> None:
    """Work until killed. `words`: folder, index, engine, archive, name, shape of the workflows, s that an analysis takes."""
    folder, index_url, engine_url, address, name, shape, takes_s = words
    jobs.WORKFLOW_VERSION = shape
    index, files, stop = Index.open(index_url), Files(Path(folder) / "files"), threading.Event()
    means = Means(index, files, Caller(timeout_s=10.0), _now, Pauses(0.5, 1.0), lambda: 0.5)
    courier = Courier(means, (parse_destination("pacs", address, verify=Verify.FIND),), name)
    run = _analysis(Path(folder), name, float(takes_s))
    steps = Steps(index, files, courier, AnalysisOptions(), Limits(), Path(folder) / "work", stop, run, name)
    watchdog = Watchdog(index, Pulse(name, shape, 1, HEARTBEAT_S), _now)
    watchdog.join()
    engine = jobs.Engine(jobs.EngineOptions(engine_url, name), steps, stop)
    engine.start()
    watchdog.start()
    Worker(index, engine.submit, When(CompletionRule(0.1, 0.1)), _now, Share(name, 1)).start()
    Dispatch(courier).start()
    ready()
    threading.Event().wait()


def notes(folder: Path, word: str) -> list[tuple[str, str]]:
    """Content and worker of the analyses that began or ended, in order."""
    path = folder / "notes.txt"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(content, worker) for kind, content, worker in lines if kind == word]


def uid_of(content: str, number: int) -> str:
    """The name of an object: the same content makes the same ones."""
    return f"2.25.{int(content, 16)}.{number}"


def _analysis(folder: Path, name: str, takes_s: float) -> Run:
    def note(word: str, content: str) -> None:
        with (folder / "notes.txt").open("a") as file:
            file.write(f"{word} {content} {name}\n")

    def run(request: Request, work: Path, _limits: Limits, _progress: Progress, wanted: Wanted) -> Ended:
        note("begin", request.content_version)
        until = time.monotonic() + takes_s
        while time.monotonic() < until:
            try:
                wanted()
            except Unwanted:
                note("unwanted", request.content_version)
                raise
            time.sleep(0.05)
        files = tuple(_make(work, request.content_version, number) for number in range(len(OBJECTS)))
        note("end", request.content_version)
        return Ended(Answer({"verdict": "v"}, files), "", 1, takes_s)

    return run


def _make(work: Path, content: str, number: int) -> MadeFile:
    role, sop_class = OBJECTS[number]
    uid = uid_of(content, number + 1)
    (work / f"{role}.dcm").write_bytes(made(uid, "1.2.3", sop_class))
    return MadeFile(role, sop_class, uid, f"{role}.dcm")


def _now() -> datetime:
    return datetime.now(UTC)
