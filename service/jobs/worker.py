"""The loop that notices what is to be done: studies that have arrived, and jobs that wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from service.jobs.job import Job
from service.jobs.looking import Looking, Next, Rhythm
from service.store.index import Index
from service.store.orders import Share
from service.store.records import State, Version
from service.study.complete import Activity, Complete, is_complete
from service.study.required import RECEIVING, When, missing, waits, without

Clock = Callable[[], datetime]
LOOK_S = 0.5
ASK_AGAIN = timedelta(seconds=60)  # how often the engine is asked whether a submitted job still lives
SOON = timedelta(seconds=8)  # before a study counts as complete: longer than it takes to load what an analysis needs

log = structlog.get_logger("worker")


class Submit(Protocol):
    """Enqueue a job; True when it has already ended."""

    def __call__(self, job: Job, /) -> bool:
        """Submit `job`; doing it again is harmless."""


class Worker:
    """Looks at the index again and again; every look can be repeated without harm.

    Listener, page and worker only share the index: a job is waiting because its row says so. So it does not matter which
    process closed a version or asked for a replay, nor whether the service died in between. Of several workers each takes
    what it has room for, and only one gets it.
    """

    def __init__(
        self,
        index: Index,
        submit: Submit,
        when: When,
        clock: Clock,
        share: Share | None = None,
        expect: Callable[[], None] = lambda: None,
    ) -> None:
        self._index = index
        self._expect = expect
        self._share = share or Share()
        self._submit = submit
        self._when = when
        self._clock = clock
        self._submitted: dict[str, datetime] = {}
        self._looking = Looking("worker", self.look, Rhythm(LOOK_S), index.mark)

    def start(self) -> None:
        """Begin to look."""
        self._looking.start()

    def stop(self) -> None:
        """Stop looking."""
        self._looking.stop()

    @property
    def alive(self) -> bool:
        """Whether it looks."""
        return self._looking.alive

    def look(self) -> Next:
        """Close the versions of the studies that have arrived, take what waits, and submit its jobs."""
        arriving = self._index.activities()
        self._complete(arriving)
        self._index.work.claim(self._share)
        self._submit_waiting()
        return Next.SOON if arriving or self._submitted else Next.ON_CHANGE

    def _complete(self, arriving: list[Activity]) -> None:
        now = self._clock()
        for activity in arriving:
            verdict = is_complete(activity, now, self._when.quiet)
            if isinstance(verdict, Complete):
                self._arrived(activity, now, verdict)
                continue
            self._say(activity, RECEIVING)
            if not activity.open_associations and verdict.until - now <= SOON:
                self._expect()

    def _arrived(self, activity: Activity, now: datetime, verdict: Complete) -> None:
        """Close the version of a study that is there, unless it has to wait for more than its images."""
        required, study, absent = self._when.required, activity.study_instance_uid, self._absent(activity)
        why = waits(required, absent, activity.last_received_at, now)
        if why:
            self._say(activity, why)
            return
        because = " ".join(filter(None, (verdict.sentence, without(required, absent))))
        version = self._index.close_version(study, now, because)
        log.info("study_complete", study=study, job=version.job_id)

    def _absent(self, activity: Activity) -> str:
        """What is required and not there, in words; which roles its series have, an analysis has said."""
        required = self._when.required
        modalities = self._index.work.modalities(activity.study_instance_uid) if required.groups else frozenset()
        return ", and ".join(filter(None, (missing(required, modalities), activity.lacks if required.roles else "")))

    def _say(self, activity: Activity, sentence: str) -> None:
        if activity.sentence != sentence:
            self._index.work.say_receiving(activity.study_instance_uid, sentence)

    def _submit_waiting(self) -> None:
        now, waiting = self._clock(), self._index.work.jobs_of(self._share.worker)
        self._submitted = {one.job_id: self._submitted[one.job_id] for one in waiting if one.job_id in self._submitted}
        for version in waiting:
            known = self._submitted.get(version.job_id)
            if known is None or now - known >= ASK_AGAIN:
                self._submit_one(version)
                self._submitted[version.job_id] = now

    def _submit_one(self, version: Version) -> None:
        """Submit, or ask again; a job that has ended although its version still waits lost its last words."""
        job = Job(version.study_instance_uid, version.content_version, version.attempt)
        if self._submit(job) and self._is_lost(version):
            sentence = "The job ended without an answer; replay the study."
            self._index.set_state(job.study_instance_uid, job.content_version, State.FAILED, sentence, attempt=job.attempt)
            log.error("job_lost", job=job.id)
        elif version.job_id not in self._submitted:
            log.info("job_submitted", job=job.id)

    def _is_lost(self, version: Version) -> bool:
        """Whether the version still waits for its analysis, now that the job is known to have ended."""
        now = self._index.version(version.study_instance_uid, version.content_version)
        return now.attempt == version.attempt and now.state in {State.QUEUED, State.ANALYSING}
