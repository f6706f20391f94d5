"""The steps of a job. Each may be repeated after a crash: it looks at what is there and ends with the same rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import structlog

from service.errors import TryAgain
from service.jobs.delivery import Courier
from service.jobs.job import After, Interrupted, Job, Unwanted
from service.jobs.messages import TOLD, Answer, MadeFile, Request
from service.jobs.process import Ended, Limits, Progress, Wanted, run_analysis, work_folder
from service.jobs.wanted import Watch
from service.options import AnalysisOptions, Earlier
from service.store.files import Files
from service.store.index import Index
from service.store.orders import Start
from service.store.records import Begin, MadeObject, State
from service.store.versions import StaleError
from service.store.work import KILLED
from service.study.required import RECEIVING, Groups, Requirement, waits

log = structlog.get_logger("jobs")

Run = Callable[[Request, Path, Limits, Progress, Wanted], Ended]
PATIENCE_S = 900.0  # how long a result waits for an index that is away, before its study is analysed again
ASK_AGAIN_S = 1.0
AT_IT = "The images are being analysed."
POISON = (
    "This study ended its worker {times} times while it was analysed, so it is not tried again by itself. "
    "Its images stay here: look into the log, then analyse it again."
)


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps and what they work with. `stop` is set when the service must end now; `worker` is who takes them.

    A study without the series in `required` is received further.
    """

    index: Index
    files: Files
    courier: Courier
    options: AnalysisOptions
    limits: Limits
    folder: Path
    stop: threading.Event
    run: Run = run_analysis
    worker: str = "worker-1"
    required: Requirement = field(default_factory=Requirement)
    patience_s: float = PATIENCE_S
    owed: set[tuple[str, str, int]] = field(default_factory=set)  # jobs whose analysis came back, which the index has not heard

    def analyse(self, job: Job, tries_left: int) -> After:
        """Analyse in a child process and keep the result, or say why there is none.

        Raises:
            Interrupted: The service stops; the step is repeated at the next start.
            TryAgain: The index, or a disk of this worker, does not do what it should now.
        """
        if self.index.version(job.study_instance_uid, job.content_version).begin is Begin.DELIVER:
            return After.DELIVER  # a job before this one came so far
        self._say_it_came_back(job)
        start = self.index.work.start(job.key, self.worker, AT_IT)
        if start is Start.POISON:
            self.give_up(job, POISON.format(times=KILLED))
        if start is not Start.GO:
            return After.NOTHING
        try:
            return self._analysed(job, tries_left)
        except (Unwanted, StaleError):
            return After.NOTHING
        except OSError as fault:
            raise _on_disk(fault) from fault
        finally:
            self.owed.add(job.key)
            with suppress(TryAgain):
                self._say_it_came_back(job)

    def _analysed(self, job: Job, tries_left: int) -> After:
        self._progress(job)("start", 0)  # not where an attempt that was killed had come to
        with work_folder(self.folder) as folder:
            request = self._request(job)
            ended = self.run(request, folder, self.limits, self._progress(job), self._wanted(job))
            return self._patiently(lambda: self._kept(job, tries_left, request, ended, folder))

    def _kept(self, job: Job, tries_left: int, request: Request, ended: Ended, folder: Path) -> After:
        """Keep what an analysis gave; may be repeated."""
        self.index.work.keep_output(job.key, ended.output)
        if ended.answer is None:
            return self._failed(job, ended, tries_left)
        if ended.answer.lacks:
            self._lacks(job, ended.answer.lacks)
            return After.NOTHING
        self._understood(job, request, ended.answer)
        if ended.answer.record is None and (ended.answer.failed or not ended.answer.made):
            self._without_result(job, ended.answer)
            return After.NOTHING
        self._save(job, ended.answer, folder)
        self._event(job, "analysed", f"{len(ended.answer.made)} objects in {ended.seconds:.1f} s, at most {ended.peak_mb} MB.")
        return After.DELIVER

    def _patiently(self, keep: Callable[[], After]) -> After:
        """An index that is away is waited for with the answer in hand: to begin anew costs an analysis.

        Raises:
            Interrupted: The service stops.
            TryAgain: It is away for too long.
        """
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return keep()
            except TryAgain as fault:
                if time.monotonic() > deadline:
                    raise
                log.warning("result_waits", reason=fault.sentence)
            if self.stop.wait(ASK_AGAIN_S):
                raise Interrupted

    def _say_it_came_back(self, job: Job) -> None:
        """The analysis did not take its worker with it; where the index is away, it hears so before the next one begins."""
        if job.key in self.owed:
            self.index.work.came_back(job.key)
            self.owed.discard(job.key)

    def plan(self, job: Job) -> bool:
        """Fill the outbox; False when a newer version of the study took over."""
        if not self.index.set_progress(job.study_instance_uid, job.content_version, "deliver", 95, attempt=job.attempt):
            return False
        with suppress(StaleError):
            self.courier.plan(job)  # before the state: a study that is delivering with an empty outbox has arrived
        return self._state(job, State.DELIVERING, self.courier.outlook())

    def give_up(self, job: Job, sentence: str) -> None:
        """Show the job as failed."""
        self._state(job, State.FAILED, sentence)
        self._event(job, "failed", sentence)

    def _request(self, job: Job) -> Request:
        study, content = job.study_instance_uid, job.content_version
        version = self.index.version(study, content)
        paths = tuple(self.files.path(instance.key) for instance in self.index.instances(study, content))
        earlier = Earlier(tuple(self.index.predecessors(study, content)), self.index.priors.of(study, content))
        return Request(paths, content, version.closed_at, earlier, self._options(study), self._required(study, content))

    def _required(self, study_uid: str, content: str) -> Groups:
        """The roles of series without which this is not analysed yet; a version waits for them once, and not for ever."""
        last = self.index.work.may_wait(study_uid, content) if self.required.roles else None
        if last is None or not waits(self.required, "a series", last, self.courier.clock()):
            return ()
        return self.required.roles

    def _lacks(self, job: Job, words: str) -> None:
        """Let the study be received further: the worker closes it again when more came, or it has waited for long enough."""
        now = self.courier.clock()
        last = self.index.work.may_wait(job.study_instance_uid, job.content_version) or now
        self.index.work.lacks(job.key, words, waits(self.required, words, last, now) or RECEIVING, now)

    def _understood(self, job: Job, request: Request, answer: Answer) -> None:
        """Keep what the analysis made of the series and of earlier exams, whether there is a result or not."""
        study, content = job.study_instance_uid, job.content_version
        self.index.save_phases(study, content, [asdict(one) for one in answer.phases], attempt=job.attempt)
        if answer.compared is not None:
            self.index.priors.keep(job.key, answer.compared, request.earlier.exams, self.courier.clock())

    def _options(self, study_uid: str) -> AnalysisOptions:
        """The configured options with what people said, which goes before them."""
        told = TOLD.validate_python(self.index.told(study_uid))
        roles = (*self.index.role_rules(), *self.options.roles)
        return replace(self.options, roles=roles, seeds=told.seeds, procedure_at=told.procedure_at)

    def _progress(self, job: Job) -> Progress:
        def pass_on(stage: str, percent: int) -> None:
            with suppress(TryAgain):  # no reason to end an analysis
                self.index.set_progress(job.study_instance_uid, job.content_version, stage, percent, attempt=job.attempt)

        return pass_on

    def _wanted(self, job: Job) -> Wanted:
        """Asked again and again while the analysis runs.

        Raises:
            Interrupted: The service stops.
            Unwanted: The job was cancelled, or begun anew elsewhere.
        """
        watch = Watch(self.index, job, self.stop)
        return watch.look

    def _failed(self, job: Job, ended: Ended, tries_left: int) -> After:
        self._event(job, "attempt_failed", ended.fault)
        if tries_left > 0:
            return After.AGAIN
        self.give_up(job, ended.fault)
        return After.NOTHING

    def _without_result(self, job: Job, answer: Answer) -> None:
        """A study that cannot be analysed is no failure; an object of ours that may not leave is, and a repeat makes it too."""
        if answer.failed:
            self.give_up(job, answer.sentence)
            return
        # what it had before, by other settings, is its result no more
        if self._state(job, State.NOTHING_TO_DO, answer.sentence):
            self.index.save_refusal(job.study_instance_uid, job.content_version, "", (), attempt=job.attempt)
        self._unusable(job, answer)

    def _unusable(self, job: Job, answer: Answer) -> None:
        self._event(job, "unusable", f"{answer.sentence} [{answer.code}]")

    def _save(self, job: Job, answer: Answer, folder: Path) -> None:
        """Objects first, durable, then the rows that name them; a repeat replaces both.

        Raises:
            Unwanted: The job was cancelled, or begun anew elsewhere: another one makes the result.
            StaleError: It was begun anew while the objects were written.
        """
        if not self.index.work.is_wanted(job.key):
            raise Unwanted
        made = [_keep(self.files, one, folder) for one in answer.made]
        study, content = job.study_instance_uid, job.content_version
        if answer.record is None:
            self.index.save_refusal(study, content, answer.sentence, made, attempt=job.attempt)
            self._unusable(job, answer)
        else:
            at = self.index.version(study, content).closed_at
            self.index.save_result(study, content, answer.record, made, at, attempt=job.attempt)
        self.index.work.reached(job.key, Begin.DELIVER)

    def _state(self, job: Job, state: State, sentence: str) -> bool:
        return self.index.set_state(job.study_instance_uid, job.content_version, state, sentence, attempt=job.attempt)

    def _event(self, job: Job, word: str, sentence: str) -> None:
        self.index.event(job.study_instance_uid, word, sentence, self.courier.clock())


def _keep(files: Files, made: MadeFile, folder: Path) -> MadeObject:
    content = (folder / made.name).read_bytes()
    try:
        kept = files.write_object(content)
    except OSError as fault:  # room may come: the result waits for it
        raise _on_disk(fault) from fault
    return MadeObject(made.role, made.sop_class_uid, made.sop_instance_uid, kept.key, kept.size)


def _on_disk(fault: OSError) -> TryAgain:
    """A disk that is full or fails now says nothing about the study."""
    return TryAgain("jobs.disk", f"This worker cannot write or read its own files ({fault.strerror or type(fault).__name__}).")
