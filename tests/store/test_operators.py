"""What people may order, what it changes, and when it is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.errors import TryAgain, Unusable
from service.store.index import Index
from service.store.orders import Queue, Share
from service.store.records import Begin, DeliveryState, State, Version
from tests.store.builders import STUDY, arrival, at, made, mark, order, replay

SHARE = Share("worker-1", parallel=1)


def closed(index: Index, number: int = 1, study: str = STUDY, seconds: float = 60) -> Version:
    """A study that is complete and waits for its analysis."""
    index.add_instance(arrival(number, study=study))
    return index.close_version(study, at(seconds))


def state(index: Index, study: str = STUDY) -> State:
    """Where the study stands."""
    detail = index.study(study)
    assert detail is not None
    return detail.summary.state


def delivering(index: Index) -> Version:
    """A study whose results wait for their destination."""
    version = closed(index)
    index.save_result(STUDY, version.content_version, {}, [made()], at(70))
    index.plan_deliveries(STUDY, version.content_version, ["archive"], at(70))
    index.set_state(STUDY, version.content_version, State.DELIVERING, "Being sent.")
    return version


def test_every_order_has_its_line_with_who_when_before_and_after(index: Index) -> None:
    closed(index)
    index.operators.hold(STUDY, order(61, "m.reader"))
    index.operators.release(STUDY, order(62, "s.chief"))

    lines = [(one.at, one.who, one.what, one.subject, one.before, one.after) for one in index.operators.actions()]
    assert lines == [
        (at(62), "s.chief", "release", STUDY, "held", "queued"),
        (at(61), "m.reader", "hold", STUDY, "queued", "held"),
    ]
    detail = index.study(STUDY)
    assert detail is not None
    assert detail.actions == index.operators.actions(STUDY)


def test_a_held_study_is_taken_by_nobody_until_it_is_released(index: Index) -> None:
    closed(index)
    index.operators.hold(STUDY, order())
    assert index.work.claim(SHARE) == []
    index.operators.release(STUDY, order())
    assert [one.attempt for one in index.work.claim(SHARE)] == [2]


def test_a_study_that_is_held_while_it_arrives_stops_when_it_is_complete(index: Index) -> None:
    index.add_instance(arrival(1))
    index.operators.hold(STUDY, order())
    assert state(index) is State.RECEIVING
    index.close_version(STUDY, at(60))
    assert state(index) is State.HELD


def test_a_job_cannot_go_on_with_a_study_that_was_held(index: Index) -> None:
    version = delivering(index)
    index.operators.hold(STUDY, order())
    assert not index.set_state(STUDY, version.content_version, State.DONE, "Done.", attempt=1)
    assert state(index) is State.HELD


def test_a_released_study_goes_on_where_it_stood(index: Index) -> None:
    """What was analysed is not analysed again."""
    version = delivering(index)
    index.work.reached((STUDY, version.content_version, 1), Begin.DELIVER)
    index.operators.hold(STUDY, order())
    index.operators.release(STUDY, order())
    assert index.waiting_jobs()[0].begin is Begin.DELIVER


def test_a_study_that_waits_again_says_so(index: Index) -> None:
    """Released, asked for again, or taken from a worker that is gone: never an empty sentence."""
    version = closed(index)
    said = []
    index.operators.hold(STUDY, order())
    index.operators.release(STUDY, order())
    said.append(index.studies(1)[0].sentence)
    index.work.claim(SHARE)
    index.work.take_over(["worker-1"])
    said.append(index.studies(1)[0].sentence)
    index.set_state(STUDY, version.content_version, State.FAILED, "It crashed.")
    replay(index)
    said.append(index.studies(1)[0].sentence)
    index.set_state(STUDY, version.content_version, State.FAILED, "It crashed.")
    index.save_result(STUDY, version.content_version, {}, [made()], at(70))
    index.plan_deliveries(STUDY, version.content_version, ["archive"], at(70))
    index.operators.resend(STUDY, "archive", order())
    said.append(index.studies(1)[0].sentence)

    assert said == [
        "Waiting for a worker.",
        "Its worker is gone; another one takes it.",
        "Waiting for a worker.",
        "The results are being sent to archive again.",
    ]


def test_a_study_can_be_declared_complete(index: Index) -> None:
    index.add_instance(arrival(1))
    index.operators.complete(STUDY, order(5))
    assert state(index) is State.QUEUED
    detail = index.study(STUDY)
    assert detail is not None
    assert "A person declared it complete." in [event.sentence for event in detail.events]


def test_a_cancelled_study_sends_nothing_and_no_late_word_of_its_job_counts(index: Index) -> None:
    version = delivering(index)
    index.operators.cancel(STUDY, order())
    assert not index.set_state(STUDY, version.content_version, State.DONE, "Done.", attempt=1)
    assert state(index) is State.CANCELLED
    assert [one.state for one in index.deliveries(STUDY)] == [DeliveryState.FAILED]


def test_a_cancelled_study_can_be_analysed_again_and_then_sends_all(index: Index) -> None:
    delivering(index)
    index.operators.cancel(STUDY, order())
    assert replay(index).attempt == 2
    assert [one.state for one in index.deliveries(STUDY)] == [DeliveryState.PENDING]


def test_what_ended_can_be_done_again_from_a_stage(index: Index) -> None:
    version = delivering(index)
    index.set_state(STUDY, version.content_version, State.DONE, "Done.")
    index.operators.rerun(STUDY, Begin.DELIVER, order())
    job = index.waiting_jobs()[0]
    assert (job.begin, job.attempt, job.state) == (Begin.DELIVER, 2, State.QUEUED)


def test_a_stage_whose_work_was_never_done_is_no_beginning(index: Index) -> None:
    version = closed(index)
    index.set_state(STUDY, version.content_version, State.FAILED, "It crashed.")
    with pytest.raises(Unusable, match="no result"):
        index.operators.rerun(STUDY, Begin.DELIVER, order())


def test_a_resend_is_for_one_destination(index: Index) -> None:
    version = delivering(index)
    index.plan_deliveries(STUDY, version.content_version, ["archive", "viewer"], at(70))
    for name in ("archive", "viewer"):
        mark(index, ("1.9.1", name), DeliveryState.VERIFIED, 0, "", at(80))
    index.set_state(STUDY, version.content_version, State.DONE, "Done.")
    index.operators.resend(STUDY, "viewer", order())
    states = {one.destination: one.state for one in index.deliveries(STUDY)}
    assert states == {"archive": DeliveryState.VERIFIED, "viewer": DeliveryState.PENDING}
    assert state(index) is State.DELIVERING


def test_urgent_studies_go_first(index: Index) -> None:
    closed(index, 1, "1.2.3", 60)
    closed(index, 2, "1.2.4", 70)
    index.operators.prioritise("1.2.4", order(), urgent=True)
    assert [one.study_instance_uid for one in index.work.claim(SHARE)] == ["1.2.4"]


def test_a_paused_queue_gives_nothing_and_then_all(index: Index) -> None:
    closed(index)
    index.operators.pause(Queue.ANALYSIS, order(), paused=True)
    assert index.operators.paused() == {Queue.ANALYSIS}
    assert index.work.claim(SHARE) == []
    index.operators.pause(Queue.ANALYSIS, order(), paused=False)
    assert len(index.work.claim(SHARE)) == 1


def test_a_draining_worker_takes_nothing(index: Index) -> None:
    closed(index)
    index.machines.join("worker-1", "here", "1", "2", at(0))
    index.operators.drain("worker-1", order(), draining=True)
    assert index.work.claim(SHARE) == []
    assert len(index.work.claim(Share("worker-2"))) == 1
    index.operators.drain("worker-1", order(), draining=False)
    assert [one.draining for one in index.machines.all()] == [False]


Refused = Callable[[Index], object]

REFUSED: dict[str, Refused] = {
    "release what is not held": lambda index: index.operators.release(STUDY, order()),
    "complete what is complete": lambda index: index.operators.complete(STUDY, order()),
    "make normal what is normal": lambda index: index.operators.prioritise(STUDY, order(), urgent=False),
    "resume what runs": lambda index: index.operators.pause(Queue.ANALYSIS, order(), paused=False),
    "drain an unknown worker": lambda index: index.operators.drain("nobody", order(), draining=True),
    "hold an unknown study": lambda index: index.operators.hold("9.9", order()),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED.keys())
def test_what_the_state_does_not_allow_is_refused_and_leaves_no_line(index: Index, refused: Refused) -> None:
    closed(index)
    with pytest.raises(Unusable):
        refused(index)
    assert index.operators.actions() == ()


def test_what_has_ended_can_be_neither_held_nor_cancelled(index: Index) -> None:
    version = closed(index)
    index.set_state(STUDY, version.content_version, State.DONE, "Done.")
    for refused in (index.operators.hold, index.operators.cancel):
        with pytest.raises(Unusable, match="The study is done"):
            refused(STUDY, order())


def test_what_is_at_work_is_asked_for_again_later(index: Index) -> None:
    closed(index)
    with pytest.raises(TryAgain, match="still queued"):
        index.operators.resend(STUDY, "archive", order())


def test_a_long_name_from_a_proxy_is_cut(index: Index) -> None:
    closed(index)
    assert len(index.operators.hold(STUDY, order(who="x" * 5000)).who) == 200
