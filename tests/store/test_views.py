from __future__ import annotations

from service.store.index import Index
from service.store.records import DeliveryState, State
from tests.store.builders import STUDY, arrival, at, made


def test_an_empty_index_counts_to_zero(index: Index) -> None:
    counts = index.counts()

    assert counts.studies == dict.fromkeys(State, 0)
    assert counts.deliveries == dict.fromkeys(DeliveryState, 0)
    assert (counts.instances, counts.ignored, counts.conflicts, counts.bytes_received, counts.open_associations) == (
        0,
        0,
        0,
        0,
        0,
    )


def test_everything_is_counted_once(index: Index) -> None:
    index.add_instance(arrival(1))
    index.add_instance(arrival(1, content="changed"))
    index.add_instance(arrival(2, study="1.2.4", reason_ignored="A report."))
    counts = index.counts()

    assert counts.studies[State.RECEIVING] == 1
    assert counts.studies[State.NOTHING_TO_DO] == 1
    assert (counts.instances, counts.ignored, counts.conflicts, counts.bytes_received) == (1, 1, 1, 300)


def test_studies_are_listed_last_active_first_and_in_pages(index: Index) -> None:
    for number, study in enumerate(("1.1", "1.2", "1.3")):
        index.add_instance(arrival(number, study=study, seconds=number))
    uids = [summary.study_instance_uid for summary in index.studies(10)]

    assert uids == ["1.3", "1.2", "1.1"]
    assert [summary.study_instance_uid for summary in index.studies(1, 1)] == ["1.2"]


def test_studies_can_be_narrowed_by_state(index: Index) -> None:
    index.add_instance(arrival(1))
    index.add_instance(arrival(2, study="1.2.4"))
    index.close_version("1.2.4", at(60))

    assert [summary.study_instance_uid for summary in index.studies(10, 0, State.QUEUED)] == ["1.2.4"]


def test_an_unknown_study_is_none(index: Index) -> None:
    assert index.study("9.9") is None


def test_a_study_shows_its_series_with_what_is_not_used_and_why(index: Index) -> None:
    index.add_instance(arrival(1))
    index.add_instance(arrival(2, reason_ignored="A report."))
    detail = index.study(STUDY)

    assert detail is not None
    (series,) = detail.series
    assert (series.number, series.description, series.modality) == (4, "portal venous", "MR")
    assert (series.instances, series.ignored, series.reason_ignored) == (1, 1, "A report.")
    assert detail.summary.series == 1


def test_a_study_shows_its_newest_result_while_the_next_is_at_work(index: Index) -> None:
    index.add_instance(arrival(1))
    version = index.close_version(STUDY, at(60)).content_version
    index.save_result(STUDY, version, {"verdict": "Margin 2 mm", "n": [1, None]}, [made()], at(70))
    index.plan_deliveries(STUDY, version, ["archive"], at(70))
    index.event(STUDY, "made", "The result is there.", at(71))
    index.add_instance(arrival(2, seconds=90))
    index.close_version(STUDY, at(120))
    detail = index.study(STUDY)

    assert detail is not None
    assert detail.result_version == version
    assert detail.result == {"verdict": "Margin 2 mm", "n": [1, None]}
    assert [output.role for output in detail.outputs] == ["sr"]
    assert [delivery.destination for delivery in detail.deliveries] == ["archive"]
    assert [one.ordinal for one in detail.versions] == [1, 2]
    assert [event.word for event in detail.events] == ["receiving", "queued", "made", "receiving", "queued"]
    assert detail.summary.state is State.QUEUED
    assert detail.summary.first_received_at == at(0)
