from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from errno import ENOSPC
from pathlib import Path

import pytest
from sqlalchemy import Connection

from service.dicom.destination import Destination
from service.errors import TryAgain
from service.jobs.delivery import Courier
from service.jobs.job import After, Interrupted, Job
from service.jobs.messages import Answer, MadeFile, Request
from service.jobs.process import Ended, Limits, Progress, Wanted
from service.jobs.steps import Steps
from service.options import AnalysisOptions, EarlierExam, Identity, RoleRule
from service.store.files import Files
from service.store.orders import Order
from service.store.records import Begin, DeliveryState, Kept, State
from service.store.work import KILLED
from service.study.identity import Compared, Doubt
from service.study.required import Requirement
from tests.jobs.conftest import NOW, STUDY, Store
from tests.store.builders import replay

SR = "1.2.840.10008.5.1.4.1.1.88.34"
RESULT = Answer(record={"verdict": "v"}, made=(MadeFile("sr", SR, "9.1", "1-sr.dcm"),))

Run = Callable[[Request, Path, Limits, Progress, Wanted], Ended]


def steps_of(store: Store, tmp_path: Path, run: Run) -> Steps:
    """Steps with an analysis of the test and no destination."""
    courier = Courier(store.means(), ())
    return Steps(store.index, store.files, courier, AnalysisOptions(), Limits(), tmp_path / "work", threading.Event(), run)


def answers(answer: Answer | None, fault: str = "") -> Run:
    """An analysis that ends like this; objects are written as the real one does."""

    def run(_request: Request, folder: Path, _limits: Limits, progress: Progress, _wanted: Wanted) -> Ended:
        progress("measure", 50)
        for made in answer.made if answer else ():
            (folder / made.name).write_bytes(b"object")
        return Ended(answer, fault, 100, 1.0)

    return run


@pytest.fixture
def job(store: Store) -> Job:
    store.receive("1.1")
    store.receive("1.2")
    return store.close()


def state(store: Store) -> tuple[State, str]:
    """State and sentence of the study."""
    summary = store.index.studies(1)[0]
    return summary.state, summary.sentence


def test_a_result_is_kept_with_its_objects(store: Store, job: Job, tmp_path: Path) -> None:
    assert steps_of(store, tmp_path, answers(RESULT)).analyse(job, 2) is After.DELIVER
    detail = store.index.study(STUDY)
    assert detail is not None
    assert detail.result == {"verdict": "v"}
    assert [store.files.path(made.key).read_bytes() for made in detail.outputs] == [b"object"]


def test_the_analysis_gets_the_files_and_the_time_of_its_version(store: Store, job: Job, tmp_path: Path) -> None:
    """The time in the objects comes from the job: the same job makes the same objects an hour later."""
    asked: list[Request] = []

    def run(request: Request, *_others: object) -> Ended:
        asked.append(request)
        return Ended(RESULT, "", 1, 1.0) if not request.paths else Ended(None, "enough", 1, 1.0)

    store.later(3600)
    steps_of(store, tmp_path, run).analyse(job, 2)
    assert {path.read_bytes() for path in asked[0].paths} == {b"content of 1.1", b"content of 1.2"}
    assert (asked[0].created_at, asked[0].content_version) == (NOW, job.content_version)


def test_the_analysis_hears_what_people_said_before_what_is_configured(store: Store, job: Job, tmp_path: Path) -> None:
    asked: list[Request] = []

    def run(request: Request, *_others: object) -> Ended:
        asked.append(request)
        return Ended(None, "enough", 1, 1.0)

    said, configured = RoleRule("arterial", "SIEMENS", "liver", "vibe", 2), RoleRule("t2", protocol="liver")
    store.index.keep_rule(said, NOW)
    store.index.tell(STUDY, {"seeds": [[1.0, 2.0, 3.0]], "procedure_at": "2024-03-01T09:00:00"}, NOW)
    steps = replace(steps_of(store, tmp_path, run), options=AnalysisOptions(roles=(configured,)))
    steps.analyse(job, 2)
    options = asked[0].options
    assert (options.roles, options.seeds) == ((said, configured), ((1.0, 2.0, 3.0),))
    assert options.procedure_at == datetime.fromisoformat("2024-03-01T09:00:00")


LATE = Requirement(longest_s=3600.0, roles=(("portal_venous", "delayed"),))


def test_a_study_without_a_required_series_is_received_further_and_asked_once(store: Store, job: Job, tmp_path: Path) -> None:
    asked: list[tuple[tuple[str, ...], ...]] = []

    def run(request: Request, *_others: object) -> Ended:
        asked.append(request.required)
        return Ended(Answer(lacks="a portal venous or delayed series") if request.required else None, "enough", 1, 1.0)

    steps = replace(steps_of(store, tmp_path, run), required=LATE)
    store.later(60)
    assert steps.analyse(job, 2) is After.NOTHING
    said = (
        "Waiting for a portal venous or delayed series, until 2024-03-12 11:00 UTC at the latest; then it is analysed without."
    )
    assert state(store) == (State.RECEIVING, said)
    detail = store.index.study(STUDY)
    assert detail is not None
    assert [one.sentence for one in detail.events if one.word == "waits"] == [said]

    again = store.close()
    assert (again.content_version, again.attempt) == (job.content_version, 2)
    steps.analyse(again, 0)
    assert asked == [LATE.roles, ()]


def test_after_the_longest_wait_no_series_is_required(store: Store, job: Job, tmp_path: Path) -> None:
    asked: list[tuple[tuple[str, ...], ...]] = []

    def run(request: Request, *_others: object) -> Ended:
        asked.append(request.required)
        return Ended(None, "enough", 1, 1.0)

    store.later(3600)
    replace(steps_of(store, tmp_path, run), required=LATE).analyse(job, 2)
    assert asked == [()]


OWN = Identity("p", "", "b", "f")


def test_who_a_study_is_of_is_kept_and_a_later_exam_hears_it(store: Store, job: Job, tmp_path: Path) -> None:
    """Only the analysis can tell: the index knows no more than a patient ID."""
    record = {"verdict": "v", "tumors": [{"tracking_uid": "2.25.1"}]}
    first = replace(RESULT, record=record, compared=Compared(OWN))
    steps_of(store, tmp_path, answers(first)).analyse(job, 2)
    store.later(60)
    store.receive("2.1", "1.2.9")
    later, asked = store.close("1.2.9"), []
    doubts = (Doubt(STUDY, "It may be of another person."),)

    def run(request: Request, *_others: object) -> Ended:
        asked.append(request.earlier.exams)
        refused = Answer(code="x", sentence="No.", compared=Compared(OWN, None, doubts))
        return Ended(refused if len(asked) == 1 else replace(refused, compared=Compared(OWN, asked[0][0])), "", 1, 1.0)

    steps = steps_of(store, tmp_path, run)
    steps.analyse(later, 2)
    assert asked[0] == (EarlierExam(STUDY, job.content_version, ("2.25.1",), OWN),)
    assert prior(store) == ""
    replay(store.index, "1.2.9")
    steps.analyse(replace(later, attempt=2), 2)
    assert asked[1] == asked[0]
    assert prior(store) == STUDY


def prior(store: Store) -> str:
    """The exam that the later study goes on from."""
    detail = store.index.study("1.2.9")
    assert detail is not None
    return detail.versions[-1].prior_study_uid


def test_a_later_version_names_the_report_of_the_earlier_one(store: Store, job: Job, tmp_path: Path) -> None:
    steps_of(store, tmp_path, answers(RESULT)).analyse(job, 2)
    store.index.set_state(STUDY, job.content_version, State.DONE, "The results are at: archive.")
    store.receive("1.3")
    asked: list[Request] = []

    def run(request: Request, *_others: object) -> Ended:
        asked.append(request)
        return Ended(None, "enough", 1, 1.0)

    steps_of(store, tmp_path, run).analyse(store.close(), 2)
    assert asked[0].earlier.predecessors == ("9.1",)


def test_a_study_that_cannot_be_used_ends_with_its_sentence(store: Store, job: Job, tmp_path: Path) -> None:
    unusable = Answer(code="study.no_liver", sentence="This is not a liver exam.")
    assert steps_of(store, tmp_path, answers(unusable)).analyse(job, 2) is After.NOTHING
    assert state(store) == (State.NOTHING_TO_DO, "This is not a liver exam.")


WHY = Answer(
    code="study.no_liver", sentence="This is not a liver exam.", made=(MadeFile("not_assessable", SR, "9.7", "1.dcm"),)
)


def test_the_report_of_why_there_is_none_goes_out_and_the_study_ends_as_before(store: Store, job: Job, tmp_path: Path) -> None:
    steps = steps_of(store, tmp_path, answers(WHY))
    assert steps.analyse(job, 2) is After.DELIVER
    assert steps.plan(job)
    assert state(store)[0] is State.DELIVERING
    steps.courier.settle()

    detail = store.index.study(STUDY)
    assert detail is not None
    assert (detail.result, [made.sop_instance_uid for made in detail.outputs]) == (None, ["9.7"])
    assert state(store) == (
        State.NOTHING_TO_DO,
        "This is not a liver exam. The report of this is ready; no destination is configured.",
    )
    assert [event.sentence for event in detail.events if event.word == "unusable"] == [
        "This is not a liver exam. [study.no_liver]"
    ]


@pytest.mark.parametrize("answer", [WHY, replace(WHY, made=())])
def test_a_result_of_before_is_none_once_the_study_is_found_unusable(
    store: Store, job: Job, tmp_path: Path, answer: Answer
) -> None:
    """Else the page would show numbers beside the sentence that there are none."""
    steps_of(store, tmp_path, answers(RESULT)).analyse(job, 2)
    store.index.set_state(STUDY, job.content_version, State.DONE, "Done.")
    store.index.operators.rerun(STUDY, Begin.ANALYSE, Order("a", NOW))
    again = Job(STUDY, job.content_version, 2)
    steps_of(store, tmp_path, answers(answer)).analyse(again, 2)

    detail = store.index.study(STUDY)
    assert detail is not None
    assert detail.result is None
    assert "9.1" not in [made.sop_instance_uid for made in detail.outputs]


def test_a_crash_costs_one_attempt_and_the_last_one_is_shown(store: Store, job: Job, tmp_path: Path) -> None:
    steps = steps_of(store, tmp_path, answers(None, "It crashed."))
    assert steps.analyse(job, 1) is After.AGAIN
    assert state(store)[0] is State.ANALYSING
    assert steps.analyse(job, 0) is After.NOTHING
    assert state(store) == (State.FAILED, "It crashed.")


def test_a_version_that_is_out_of_date_is_not_analysed(store: Store, job: Job, tmp_path: Path) -> None:
    store.receive("1.3")
    assert steps_of(store, tmp_path, answers(RESULT)).analyse(job, 2) is After.NOTHING
    assert state(store)[0] is State.RECEIVING


def test_a_late_instance_during_the_analysis_stops_the_delivery(store: Store, job: Job, tmp_path: Path) -> None:
    steps = steps_of(store, tmp_path, answers(RESULT))
    steps.analyse(job, 2)
    store.receive("1.3")
    assert not steps.plan(job)
    assert store.index.deliveries(STUDY) == []


def test_a_stop_changes_nothing(store: Store, job: Job, tmp_path: Path) -> None:
    def interrupted(*_arguments: object) -> Ended:
        raise Interrupted

    with pytest.raises(Interrupted):
        steps_of(store, tmp_path, interrupted).analyse(job, 2)
    assert state(store)[0] is State.ANALYSING
    assert list((tmp_path / "work").iterdir()) == []


class Away:
    """An index that does not answer the next `times` changes."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self._write = store.index._database.write
        monkeypatch.setattr(store.index._database, "write", self.write)

    def write(self, *, synced: bool = True) -> AbstractContextManager[Connection]:
        """As ever, or not at all."""
        if self.times:
            self.times -= 1
            raise TryAgain("store.unavailable", "The index cannot be reached.")
        return self._write(synced=synced)


def test_a_result_waits_for_an_index_that_is_away(
    store: Store, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went away in the middle of the analysis, which is neither ended nor repeated for that."""
    away, analyses = Away(store, monkeypatch), []
    monkeypatch.setattr("service.jobs.steps.ASK_AGAIN_S", 0.01)

    def run(request: Request, folder: Path, limits: Limits, progress: Progress, wanted: Wanted) -> Ended:
        analyses.append(request.content_version)
        away.times = 4
        return answers(RESULT)(request, folder, limits, progress, wanted)

    steps = steps_of(store, tmp_path, run)
    assert steps.analyse(job, 2) is After.DELIVER
    assert (away.times, analyses) == (0, [job.content_version])
    assert store.index.version(STUDY, job.content_version).begin is Begin.DELIVER


class Full:
    """A disk without room for some writes."""

    def __init__(self, write: Callable[..., object], times: int) -> None:
        self._write = write
        self.times = times

    def write(self, *given: object, **more: object) -> object:
        """Write, or say that there is no room."""
        if self.times > 0:
            self.times -= 1
            raise OSError(ENOSPC, "No space left on device")
        return self._write(*given, **more)


def test_an_analysis_waits_for_room_for_its_folder_and_then_for_its_result(
    store: Store, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is no reason to say that the study failed, nor to analyse it anew."""
    monkeypatch.setattr("service.jobs.steps.ASK_AGAIN_S", 0.01)
    disk, folders, asked = Full(store.files.write_object, 2), Full(tempfile.mkdtemp, 1), []

    def run(request: Request, folder: Path, limits: Limits, progress: Progress, wanted: Wanted) -> Ended:
        asked.append(request)
        return answers(RESULT)(request, folder, limits, progress, wanted)

    monkeypatch.setattr(tempfile, "mkdtemp", folders.write)
    monkeypatch.setattr(Files, "write_object", lambda _files, content: disk.write(content))
    steps = steps_of(store, tmp_path, run)
    with pytest.raises(TryAgain, match="No space left on device"):
        steps.analyse(job, 0)
    assert state(store)[0] is State.ANALYSING
    assert steps.analyse(job, 0) is After.DELIVER
    assert (len(asked), disk.times, folders.times) == (1, 0, 0)


def test_an_index_that_goes_away_again_and_again_makes_no_study_one_that_kills_its_worker(
    store: Store, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That an analysis came back is said later where it cannot be said now."""
    away = Away(store, monkeypatch)

    def run(*_given: object) -> Ended:
        away.times = 9
        raise TryAgain("store.unavailable", "The index cannot be reached.")

    steps = steps_of(store, tmp_path, run)
    for _time in range(KILLED + 1):
        with pytest.raises(TryAgain):
            steps.analyse(job, 2)
        away.times = 0
    assert replace(steps, run=answers(RESULT)).analyse(job, 2) is After.DELIVER


def test_without_destinations_a_result_is_done(store: Store, job: Job, tmp_path: Path) -> None:
    steps = steps_of(store, tmp_path, answers(RESULT))
    steps.analyse(job, 2)
    assert steps.plan(job)
    steps.courier.settle()
    assert state(store) == (State.DONE, "The results are ready; no destination is configured.")
    assert store.index.studies(1)[0].percent == 100


def test_every_step_can_be_repeated(store: Store, job: Job, tmp_path: Path) -> None:
    """A crash between a step and the engine's note of it repeats the step."""
    steps = steps_of(store, tmp_path, answers(RESULT))
    for _time in range(2):
        steps.analyse(job, 2)
    for _time in range(2):
        assert steps.plan(job)
    detail = store.index.study(STUDY)
    assert detail is not None
    assert [made.sop_instance_uid for made in detail.outputs] == ["9.1"]


def test_a_worker_that_was_thought_dead_takes_nothing_back_from_the_one_after_it(
    store: Store, job: Job, tmp_path: Path
) -> None:
    """It stands still while it writes objects of other names, as an older release would make them; meanwhile all is done."""
    courier = Courier(store.means(), (Destination("pacs", "PACS", "127.0.0.1", 1),))
    late = replace(RESULT, made=(replace(RESULT.made[0], sop_instance_uid="9.8"),))
    stale = replace(steps_of(store, tmp_path, answers(late)), courier=courier)
    after = replace(steps_of(store, tmp_path, answers(RESULT)), courier=courier, worker="worker-2")
    write = store.files.write_object

    def stands_still(content: bytes) -> Kept:
        monkey.undo()
        (anew,) = store.index.work.take_over(["worker-1"])
        again = Job(STUDY, anew.content_version, anew.attempt)
        assert after.analyse(again, 0) is After.DELIVER
        assert after.plan(again)
        return write(content)

    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(Files, "write_object", lambda _files, content: stands_still(content))
        assert stale.analyse(job, 0) is After.NOTHING
    assert not stale.plan(job)
    detail = store.index.study(STUDY)
    assert detail is not None
    assert (detail.result, [made.sop_instance_uid for made in detail.outputs]) == ({"verdict": "v"}, ["9.1"])
    assert [(one.sop_instance_uid, one.state) for one in store.index.deliveries()] == [("9.1", DeliveryState.PENDING)]
    assert state(store)[0] is State.DELIVERING


def test_an_object_of_ours_that_may_not_leave_fails_the_job_at_once(store: Store, job: Job, tmp_path: Path) -> None:
    """It is no verdict about the study, and a repeat would make the same object."""
    kept_back = Answer(code="check.broken", sentence="The object 'sr' is kept back.", failed=True)
    assert steps_of(store, tmp_path, answers(kept_back)).analyse(job, 2) is After.NOTHING
    assert state(store) == (State.FAILED, "The object 'sr' is kept back.")
    assert store.index.deliveries(STUDY) == []


def test_a_result_that_no_destination_wants_is_done_and_says_so(store: Store, job: Job, tmp_path: Path) -> None:
    """Nobody must look for it where it never went."""
    elsewhere = Destination("pacs", "PACS", "127.0.0.1", 1, objects=frozenset({"pdf"}))
    courier = Courier(store.means(), (elsewhere,))
    steps = replace(steps_of(store, tmp_path, answers(RESULT)), courier=courier)
    steps.analyse(job, 2)
    assert steps.plan(job)
    steps.courier.settle()
    assert state(store) == (State.DONE, "The results are ready; no destination wants any of these objects.")
