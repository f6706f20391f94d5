from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.study.complete import Activity, Complete, CompletionRule, Waiting, is_complete

NOON = datetime(2024, 3, 2, 12, 0, 0, tzinfo=UTC)
RULE = CompletionRule(quiet_s=60, quiet_after_release_s=10)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def activity(*, open_associations: int = 0, released: float | None = None, instances: int = 8) -> Activity:
    """The last image came at noon."""
    return Activity("1.2", NOON, open_associations, None if released is None else after(released), instances)


def until(state: Complete | Waiting) -> float:
    assert isinstance(state, Waiting)
    return (state.until - NOON).total_seconds()


def test_an_open_association_holds_the_study_until_the_quiet_time() -> None:
    state = is_complete(activity(open_associations=1), after(20), RULE)
    assert until(state) == 60
    assert "An association that carried the study is still open" in state.sentence
    assert "12:01:00 UTC" in state.sentence


def test_a_forgotten_association_does_not_hold_it_for_ever() -> None:
    state = is_complete(activity(open_associations=1), after(60), RULE)
    assert isinstance(state, Complete)
    assert "nothing followed for 60 s" in state.sentence


def test_after_the_release_the_shorter_time_counts() -> None:
    state = is_complete(activity(released=2), after(5), RULE)
    assert until(state) == 12
    assert "released" in state.sentence
    done = is_complete(activity(released=2), after(12), RULE)
    assert isinstance(done, Complete)
    assert "10 s of the sender's release" in done.sentence


def test_an_image_after_the_release_starts_the_shorter_time_again() -> None:
    assert until(is_complete(activity(released=-30), after(5), RULE)) == 10


def test_a_late_release_adds_nothing_to_the_quiet_time() -> None:
    assert until(is_complete(activity(released=55), after(56), RULE)) == 60


def test_one_open_association_of_two_holds_the_study() -> None:
    state = is_complete(activity(open_associations=2, released=1), after(30), RULE)
    assert until(state) == 60
    assert "2 associations are still open" in state.sentence


def test_without_any_association_known_the_quiet_time_counts() -> None:
    assert until(is_complete(activity(), after(59), RULE)) == 60
    assert isinstance(is_complete(activity(), after(60), RULE), Complete)


def test_the_sentence_counts_the_images() -> None:
    assert is_complete(activity(instances=1), NOON, RULE).sentence.startswith("1 image came")
    assert is_complete(activity(instances=8), NOON, RULE).sentence.startswith("8 images came")


def test_a_clock_that_went_back_only_makes_it_wait() -> None:
    assert isinstance(is_complete(activity(released=1), after(-3600), RULE), Waiting)
