"""The durable engine (DBOS): a job that was accepted is finished, whatever dies in between.

One workflow: `examine` analyses and fills the outbox. Which worker does it, and when, is decided in the index (`store.work`),
so a job starts here as soon as it is submitted. What the outbox holds is delivered by `dispatch`: a destination that is down
for a week costs no job and holds up nothing else.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy import make_url

from service.errors import TryAgain
from service.jobs.job import After, Interrupted, Job, Work
from service.jobs.pauses import Pauses
from service.store.server import IDLE_S, limited

APPLICATION = "cryomargin"
# The shape of the workflow below: pending jobs go on after an upgrade of the product as long as this stays the same. Change it
# with it: what a worker of another shape left is then begun anew, at the stage that it had reached.
WORKFLOW_VERSION = "3"
RETRY_PAUSE_S = 2.0
UNWIND_S = 10.0
LOOK_S = 0.2
SQLITE = "sqlite:///"
FINISHED = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})

Answer = TypeVar("Answer")
log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`system_url` is the engine's own database; `worker` the fixed name by which unfinished jobs are found again.

    An analysis that crashed is tried `attempts` times; one that something outside kept from beginning, with ever longer
    `pauses`, until it has waited for so long that it is given up.
    """

    system_url: str
    worker: str = "worker-1"
    parallel: int = 1
    attempts: int = 3
    pauses: Pauses = field(default_factory=Pauses)


class Engine:
    """DBOS, started and stopped; a process has one at a time. `stop_now` ends the analyses that `work` has in flight."""

    def __init__(self, options: EngineOptions, work: Work, stop_now: threading.Event) -> None:
        self._options = options
        self._work = work
        self._stop_now = stop_now
        self._draining = threading.Event()
        self._busy = 0
        self._slots = threading.BoundedSemaphore(options.parallel)
        self._idle = threading.Condition()

    def start(self) -> None:
        """Open the database and go on with what a crash left."""
        _use_wal(self._options.system_url)
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": _limited(self._options.system_url),
            "sys_db_idle_transaction_timeout_sec": IDLE_S,
            "application_version": WORKFLOW_VERSION,
            "executor_id": self._options.worker,
            "log_level": "ERROR",
            "notification_coalesce_sec": 0.25,  # a hundred looks a second for notifications, which we have none of, otherwise
            "enable_otlp": False,
        }
        engine = DBOS(config=config)
        self._register()
        DBOS.launch()
        if not self._left_by_a_crash():
            _quieten(engine)

    def stop(self, drain_s: float) -> None:
        """Begin no further step; a step in flight may go on for `drain_s`, then its job is left for the next start."""
        self._draining.set()
        self._wait_idle(drain_s)
        self._stop_now.set()
        self._wait_idle(UNWIND_S)
        DBOS.destroy(destroy_registry=True)

    def submit(self, job: Job) -> bool:
        """Start a job, harmless when it was started already; True when it has already ended."""
        with SetWorkflowID(job.id):
            handle = DBOS.start_workflow(self._examine, *_words(job))
        return handle.get_status().status in FINISHED

    def _left_by_a_crash(self) -> bool:
        """Whether the engine goes on with jobs of before: it asks for its own, and puts each into its queue first."""
        same: dict[str, Any] = {"app_version": WORKFLOW_VERSION, "limit": 1, "load_input": False, "load_output": False}
        own = DBOS.list_workflows(status="PENDING", executor_id=self._options.worker, **same)
        return bool(own or DBOS.list_workflows(status="ENQUEUED", **same))

    def _register(self) -> None:
        """Name the workflow for the engine; a plain function, because it keeps notes on it, which methods do not allow."""

        def examine(study: str, content: str, attempt: int) -> None:
            self._guarded(Job(study, content, attempt), self._examine_job)

        self._examine = DBOS.workflow(name="examine")(examine)

    def _guarded(self, job: Job, run: Callable[[Job], None]) -> None:
        """The outer door: something nobody foresaw ends the job visibly, and a person can replay it."""
        try:
            run(job)
        except Exception as fault:
            log.exception("job_broken", job=job.id)
            self._work.give_up(job, f"An unexpected fault ended the job ({type(fault).__name__}); the log has the details.")
            raise

    def _examine_job(self, job: Job) -> None:
        if self._analysed(job):
            patience = _Patience(self._options.pauses)
            while self._step("plan", partial(_later, partial(self._planned, job), job, patience.is_left)) == After.LATER:
                patience.wait()

    def _analysed(self, job: Job) -> bool:
        left, patience = self._options.attempts - 1, _Patience(self._options.pauses)
        while True:
            with self._slot():
                analyse = partial(self._work.analyse, job, left)
                after = self._step("analyse", partial(_later, analyse, job, patience.is_left))
            if after == After.LATER:  # equal, not identical: a recorded answer comes back from the database
                patience.wait()
            elif after == After.AGAIN:
                left -= 1
                DBOS.sleep(RETRY_PAUSE_S)
            else:
                return after == After.DELIVER

    def _planned(self, job: Job) -> After:
        self._work.plan(job)
        return After.NOTHING

    def _step(self, name: str, work: Callable[[], Answer]) -> Answer:
        """Do `work` once: after a crash its recorded answer is used."""
        with self._counted():
            return DBOS.run_step({"name": name}, work)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._idle:
            if self._draining.is_set():
                raise Interrupted
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """No more analyses at once than the machine bears, even when it goes on with those that a crash left."""
        while not self._slots.acquire(timeout=LOOK_S):
            if self._draining.is_set():
                raise Interrupted
        try:
            yield
        finally:
            self._slots.release()

    def _wait_idle(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._idle:
            while self._busy and (left := deadline - time.monotonic()) > 0:
                self._idle.wait(left)


class _Patience:
    """How long one step has waited for what does not answer."""

    def __init__(self, pauses: Pauses) -> None:
        self._pauses = pauses
        self._waits = 0
        self._waited_s = 0.0

    @property
    def is_left(self) -> bool:
        """Whether it may wait once more."""
        return self._waited_s < self._pauses.give_up_s

    def wait(self) -> None:
        """Longer each time. What counts is the pause without chance, so that a repeat after a crash counts the same."""
        self._waits += 1
        self._waited_s += self._pauses.before(self._waits).total_seconds()
        DBOS.sleep(self._pauses.before(self._waits, random.random()).total_seconds())  # noqa: S311 - no secret


def _later(step: Callable[[], After], job: Job, may_wait: bool) -> After:  # noqa: FBT001 - called by name of a step only
    """Something outside that does not answer costs no attempt, only time."""
    try:
        return step()
    except TryAgain as fault:
        if not may_wait:
            raise
        log.warning("job_waits", job=job.id, reason=fault.sentence)
        return After.LATER


def _quieten(engine: DBOS) -> None:
    """End the threads that ask the database every second for what we never have: queues, schedules, delays and time limits."""
    for event in engine.background_thread_stop_events:
        event.set()
    engine._background_jobs_stop_event.set()  # noqa: SLF001 - no option of the engine says it; the minor version is pinned


def _words(job: Job) -> tuple[str, str, int]:
    return job.study_instance_uid, job.content_version, job.attempt


def _limited(url: str) -> str:
    """A server that does not answer is waited for no longer than the index is."""
    return url if url.startswith(SQLITE) else limited(make_url(url)).render_as_string(hide_password=False)


def _use_wal(url: str) -> None:
    """Switch a SQLite file to write-ahead logging before the engine opens it (three times faster; it stays switched)."""
    if not url.startswith(SQLITE):
        return
    path = Path(url.removeprefix(SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.DatabaseError as fault:
        sentence = (
            f"{path} cannot be used ({fault}): restore a backup, or move it away; unfinished studies are then queued again."
        )
        raise TryAgain("jobs.damaged", sentence) from fault
    finally:
        connection.close()
