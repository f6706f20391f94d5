from __future__ import annotations

from dataclasses import replace

from service.store.index import Index
from service.store.records import Added, State
from service.study.complete import Activity
from tests.store.builders import STUDY, arrival, at

CT = "CT Image Storage is neither an MR image nor a drawing: stored, not analysed."


def the_state(index: Index, study: str = STUDY) -> State:
    detail = index.study(study)
    assert detail is not None
    return detail.summary.state


def test_the_first_instance_opens_its_study(index: Index) -> None:
    assert index.add_instance(arrival(1)) is Added.NEW
    assert the_state(index) is State.RECEIVING
    assert index.activities() == [Activity(STUDY, at(0), 0, None, 1)]


def test_the_same_instance_again_makes_no_second_row(index: Index) -> None:
    index.add_instance(arrival(1))

    assert index.add_instance(arrival(1)) is Added.DUPLICATE
    assert index.counts().instances == 1


def test_a_repetition_shows_that_the_sender_is_still_at_it(index: Index) -> None:
    index.add_instance(arrival(1))
    index.add_instance(arrival(1, seconds=30))

    assert index.activities()[0].last_received_at == at(30)


def test_rows_in_another_order_than_the_arrivals_take_no_time_back(index: Index) -> None:
    """Several associations bring a study: what came earlier may get its row later."""
    index.association_opened("a", "peer", "SCANNER", at(0))
    for number, seconds in ((1, 0), (2, 50), (3, 40)):
        assert index.add_instance(arrival(number, seconds=seconds, association="a")) is Added.NEW

    assert index.activities()[0].last_received_at == at(50)
    assert index.counts().instances == 3


def test_a_repetition_after_the_end_opens_nothing(index: Index) -> None:
    """The same study sent twice gives one result."""
    index.add_instance(arrival(1))
    version = index.close_version(STUDY, at(60))
    index.set_state(STUDY, version.content_version, State.DONE, "Sent.")
    index.add_instance(arrival(1, seconds=90))

    assert the_state(index) is State.DONE
    assert index.activities() == []


def test_other_content_under_the_same_uid_is_kept_and_flagged_but_not_used(index: Index) -> None:
    first = arrival(1, content="a")
    second = arrival(1, content="b", seconds=5)
    index.add_instance(first)

    assert index.add_instance(second) is Added.CONFLICT
    detail = index.study(STUDY)
    assert detail is not None
    assert [stored.key for stored in index.instances(STUDY)] == [first.key]
    assert [conflict.key for conflict in detail.conflicts] == [second.key]
    assert detail.summary.conflicts == 1
    assert "conflict" in [event.word for event in detail.events]


def test_a_conflict_seen_before_is_a_repetition(index: Index) -> None:
    index.add_instance(arrival(1, content="a"))
    index.add_instance(arrival(1, content="b"))

    assert index.add_instance(arrival(1, content="b")) is Added.DUPLICATE
    assert index.counts().conflicts == 1


def test_a_conflict_opens_no_study_again(index: Index) -> None:
    index.add_instance(arrival(1))
    index.close_version(STUDY, at(60))
    index.add_instance(arrival(1, content="changed"))

    assert the_state(index) is State.QUEUED


def test_a_uid_that_another_study_has_is_a_conflict(index: Index) -> None:
    index.add_instance(arrival(1))

    assert index.add_instance(arrival(1, study="1.2.4", content="moved")) is Added.CONFLICT
    assert the_state(index, "1.2.4") is State.NOTHING_TO_DO
    assert index.instances("1.2.4") == []


def test_a_study_of_other_objects_has_nothing_to_do_and_says_why(index: Index) -> None:
    index.add_instance(arrival(1, reason_ignored=CT))
    detail = index.study(STUDY)

    assert detail is not None
    assert detail.summary.state is State.NOTHING_TO_DO
    assert detail.summary.sentence == CT
    assert (detail.summary.instances, detail.summary.ignored) == (0, 1)
    assert index.activities() == []


def test_other_objects_never_open_a_study_again(index: Index) -> None:
    """Our own report coming back from the archive starts nothing."""
    index.add_instance(arrival(1))
    version = index.close_version(STUDY, at(60))
    index.set_state(STUDY, version.content_version, State.DONE, "Sent.")
    index.add_instance(arrival(2, reason_ignored="Made by this service.", seconds=90))

    assert the_state(index) is State.DONE
    assert index.close_version(STUDY, at(100)) == index.version(STUDY, version.content_version)


def test_images_after_other_objects_open_the_study(index: Index) -> None:
    index.add_instance(arrival(1, reason_ignored=CT))
    index.add_instance(arrival(2, seconds=5))

    assert the_state(index) is State.RECEIVING
    assert index.activities()[0].instances == 1


def test_a_late_instance_opens_the_study_again(index: Index) -> None:
    index.add_instance(arrival(1))
    index.close_version(STUDY, at(60))
    index.add_instance(arrival(2, seconds=90))

    assert index.activities() == [Activity(STUDY, at(90), 0, None, 2)]


def test_an_earlier_arrival_does_not_turn_the_clock_back(index: Index) -> None:
    index.add_instance(arrival(1, seconds=50))
    index.add_instance(arrival(2, seconds=10))

    assert index.activities()[0].last_received_at == at(50)


def test_associations_count_as_long_as_they_are_open(index: Index) -> None:
    for name in ("a", "b"):
        index.association_opened(name, "10.0.0.1:104", "SCANNER", at(0))
    index.add_instance(arrival(1, association="a"))
    index.add_instance(arrival(2, association="b"))
    index.add_instance(arrival(3, association="b"))

    assert index.activities() == [Activity(STUDY, at(0), 2, None, 3)]
    assert index.counts().open_associations == 2

    index.association_closed("a", at(10))
    assert index.activities() == [Activity(STUDY, at(0), 1, at(10), 3)]

    index.association_closed("b", at(20))
    assert index.activities() == [Activity(STUDY, at(0), 0, at(20), 3)]


def test_an_association_that_carries_only_repetitions_counts_too(index: Index) -> None:
    index.add_instance(arrival(1))
    index.association_opened("a", "10.0.0.1:104", "SCANNER", at(5))
    index.add_instance(arrival(1, association="a", seconds=6))

    assert index.activities()[0].open_associations == 1


def test_an_association_that_carried_other_studies_does_not_hold_this_one(index: Index) -> None:
    index.association_opened("a", "10.0.0.1:104", "SCANNER", at(0))
    index.add_instance(arrival(1, association="a"))
    index.add_instance(arrival(2, study="1.2.4"))

    open_by_study = {activity.study_instance_uid: activity.open_associations for activity in index.activities()}
    assert open_by_study == {STUDY: 1, "1.2.4": 0}


def test_after_a_crash_no_association_is_open(index: Index) -> None:
    index.association_opened("a", "10.0.0.1:104", "SCANNER", at(0))
    index.add_instance(arrival(1, association="a"))
    index.close_all_associations(at(100))

    assert index.activities() == [Activity(STUDY, at(0), 0, at(100), 1)]


def test_a_row_that_start_up_already_made_is_the_same_instance(index: Index) -> None:
    """Otherwise the listener would take its own file for a repetition and delete it."""
    found = arrival(1)
    index.add_instance(replace(found, calling_ae="", association_id=""))

    assert index.add_instance(found) is Added.NEW
    assert index.counts().instances == 1


def test_what_the_header_says_comes_back(index: Index) -> None:
    received = arrival(1)
    index.add_instance(received)
    (stored,) = index.instances(STUDY)

    for name in (
        "series_instance_uid",
        "sop_class_uid",
        "transfer_syntax_uid",
        "modality",
        "series_number",
        "size",
        "received_at",
    ):
        assert getattr(received, name) == getattr(stored, name)
    assert stored.used
