from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from service.errors import TryAgain, Unusable
from service.store.index import Index
from service.store.records import DeliveryState, MadeObject, State, Version
from tests.store.builders import STUDY, arrival, at, made, mark, replay


def complete(index: Index, *numbers: int, seconds: float = 60) -> Version:
    for number in numbers:
        index.add_instance(arrival(number))
    return index.close_version(STUDY, at(seconds))


def the_state(index: Index) -> State:
    detail = index.study(STUDY)
    assert detail is not None
    return detail.summary.state


def test_a_version_is_named_by_its_content(index: Index) -> None:
    first, second = arrival(1), arrival(2)
    text = "".join(sorted(f"{one.sop_instance_uid} {one.sha256}\n" for one in (first, second)))
    version = complete(index, 2, 1)

    assert version.content_version == hashlib.sha256(text.encode()).hexdigest()[:12]
    assert (version.ordinal, version.attempt, version.state) == (1, 1, State.QUEUED)
    assert version.job_id == f"{STUDY}/{version.content_version}/1"
    assert the_state(index) is State.QUEUED
    assert index.waiting_jobs() == [version]


def test_closing_twice_gives_the_same_version(index: Index) -> None:
    """The process may die between the version and its job."""
    version = complete(index, 1)

    assert index.close_version(STUDY, at(70)) == version


def test_ignored_and_conflicting_instances_are_no_content(index: Index) -> None:
    version = complete(index, 1)
    index.add_instance(arrival(2, reason_ignored="A report."))
    index.add_instance(arrival(1, content="changed"))

    assert index.close_version(STUDY, at(90)).content_version == version.content_version


def test_late_content_makes_the_next_version(index: Index) -> None:
    first = complete(index, 1, 2)
    second = complete(index, 3, seconds=120)

    assert second.ordinal == 2
    assert second.content_version != first.content_version
    assert index.waiting_jobs() == [second]


def test_a_version_reads_exactly_what_it_names(index: Index) -> None:
    first = complete(index, 1, 2)
    index.add_instance(arrival(3))

    assert len(index.instances(STUDY, first.content_version)) == 2
    assert len(index.instances(STUDY)) == 3


def test_the_state_of_a_version_is_that_of_its_study(index: Index) -> None:
    version = complete(index, 1)

    assert index.set_state(STUDY, version.content_version, State.ANALYSING, "At it.")
    assert the_state(index) is State.ANALYSING
    assert index.version(STUDY, version.content_version).sentence == "At it."
    assert [job.state for job in index.waiting_jobs()] == [State.ANALYSING]


def test_an_ended_version_waits_for_nothing(index: Index) -> None:
    version = complete(index, 1)
    index.set_state(STUDY, version.content_version, State.FAILED, "No.")

    assert index.waiting_jobs() == []


def test_an_old_job_cannot_speak_for_a_newer_version(index: Index) -> None:
    old = complete(index, 1)
    new = complete(index, 2, seconds=120)

    assert not index.set_state(STUDY, old.content_version, State.DONE, "Old.")
    assert not index.set_progress(STUDY, old.content_version, "margin", 50)
    assert the_state(index) is State.QUEUED
    assert index.set_state(STUDY, new.content_version, State.DONE, "New.")


def test_a_job_cannot_end_a_study_that_is_receiving_again(index: Index) -> None:
    """Otherwise the late instances would never be looked at."""
    old = complete(index, 1)
    index.add_instance(arrival(2))

    assert not index.set_state(STUDY, old.content_version, State.DONE, "Done.")
    assert the_state(index) is State.RECEIVING


def test_progress_is_shown_within_its_limits(index: Index) -> None:
    version = complete(index, 1)

    assert index.set_progress(STUDY, version.content_version, "registration", 140)
    after = index.version(STUDY, version.content_version)
    assert (after.stage, after.percent) == ("registration", 100)


def test_a_replay_is_another_attempt_at_the_same_content(index: Index) -> None:
    version = complete(index, 1)
    index.set_state(STUDY, version.content_version, State.FAILED, "The archive refused.")
    again = replay(index, STUDY, 200)

    assert (again.content_version, again.attempt, again.state) == (version.content_version, 2, State.QUEUED)
    assert again.job_id.endswith("/2")
    assert index.waiting_jobs() == [again]


def test_a_replay_tries_failed_deliveries_again(index: Index) -> None:
    version = complete(index, 1)
    index.save_result(STUDY, version.content_version, {}, [made()], at(70))
    index.plan_deliveries(STUDY, version.content_version, ["archive"], at(70))
    mark(index, ("1.9.1", "archive"), DeliveryState.FAILED, 0xA900, "No.", at(71))
    index.set_state(STUDY, version.content_version, State.FAILED, "The archive refused.")
    replay(index, STUDY, 80)

    assert [delivery.state for delivery in index.deliveries(STUDY)] == [DeliveryState.PENDING]


def test_what_is_at_work_cannot_be_replayed(index: Index) -> None:
    complete(index, 1)

    with pytest.raises(TryAgain, match="still queued"):
        replay(index)


def test_what_was_never_complete_cannot_be_replayed(index: Index) -> None:
    index.add_instance(arrival(1, reason_ignored="A report."))

    with pytest.raises(Unusable, match="no such version"):
        replay(index)
    with pytest.raises(Unusable, match="no such study"):
        replay(index, "9.9")
    with pytest.raises(Unusable, match="no such study"):
        index.close_version("9.9", at(0))


def test_a_result_names_the_report_it_supersedes(index: Index) -> None:
    first = complete(index, 1)
    index.save_result(STUDY, first.content_version, {}, [made("seg", "1.9.0"), made("sr", "1.9.1")], at(70))
    index.set_state(STUDY, first.content_version, State.DONE, "No destination is configured.")
    second = complete(index, 2, seconds=120)
    index.save_result(STUDY, second.content_version, {}, [made("sr", "1.9.2")], at(130))
    index.set_state(STUDY, second.content_version, State.DONE, "No destination is configured.")
    third = complete(index, 3, seconds=180)
    fourth = complete(index, 4, seconds=240)

    assert index.predecessors(STUDY, first.content_version) == []
    assert index.predecessors(STUDY, second.content_version) == ["1.9.1"]
    assert index.predecessors(STUDY, third.content_version) == ["1.9.2"]
    assert index.predecessors(STUDY, fourth.content_version) == ["1.9.2"]


def test_a_report_that_nothing_was_measured_is_superseded_like_one_of_findings(index: Index) -> None:
    first = complete(index, 1)
    why = replace(made("sr", "1.9.1"), role="not_assessable")
    index.save_refusal(STUDY, first.content_version, "It is no liver.", [why])
    index.plan_deliveries(STUDY, first.content_version, ["archive"], at(70))
    mark(index, ("1.9.1", "archive"), DeliveryState.SENT, 0, "", at(71))
    second = complete(index, 2, seconds=120)

    assert index.predecessors(STUDY, second.content_version) == ["1.9.1"]


def test_a_report_of_lines_is_superseded_only_beside_the_one_of_the_findings(index: Index) -> None:
    first = complete(index, 1)
    index.save_result(STUDY, first.content_version, {}, [made("sr", "1.9.1"), lines("1.9.2")], at(70))
    index.set_state(STUDY, first.content_version, State.DONE, "No destination is configured.")
    second = complete(index, 2, seconds=120)
    index.save_result(STUDY, second.content_version, {}, [lines("1.9.3")], at(130))
    index.set_state(STUDY, second.content_version, State.DONE, "No destination is configured.")
    third = complete(index, 3, seconds=180)

    assert index.predecessors(STUDY, second.content_version) == ["1.9.1", "1.9.2"]
    assert index.predecessors(STUDY, third.content_version) == []


def lines(uid: str) -> MadeObject:
    """The report of the lines."""
    return replace(made("sr", uid), role="sr_places")


@pytest.mark.parametrize(
    ("state", "named"),
    [
        (DeliveryState.SENT, ["1.9.1"]),
        (DeliveryState.VERIFIED, ["1.9.1"]),
        (DeliveryState.PENDING, []),
        (DeliveryState.FAILED, []),
    ],
)
def test_only_a_report_that_went_out_can_be_superseded(index: Index, state: DeliveryState, named: list[str]) -> None:
    """A reference to a report that no archive holds leads nowhere."""
    first = complete(index, 1)
    index.save_result(STUDY, first.content_version, {}, [made("sr", "1.9.1")], at(70))
    index.plan_deliveries(STUDY, first.content_version, ["archive"], at(70))
    mark(index, ("1.9.1", "archive"), state, None, "", at(71))
    second = complete(index, 2, seconds=120)

    assert index.predecessors(STUDY, second.content_version) == named
