from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.study.required import Requirement, missing, missing_roles, waits, without

LAST = datetime(2024, 3, 12, 10, 0, tzinfo=UTC)
BOTH = Requirement((("SEG", "RTSTRUCT"), ("PR",)), longest_s=60.0)


@pytest.mark.parametrize(
    ("here", "absent"),
    [
        ({"MR"}, "SEG or RTSTRUCT, and PR"),
        ({"MR", "seg"}, "PR"),
        ({"PR"}, "SEG or RTSTRUCT"),
        ({"PR", "RTSTRUCT", "SEG"}, ""),
    ],
)
def test_of_each_group_one_must_have_come(here: set[str], absent: str) -> None:
    assert missing(BOTH, here) == absent


def test_who_asks_for_nothing_misses_nothing() -> None:
    assert missing(Requirement(), ()) == ""


SERIES = (("portal_venous", "delayed"), ("arterial",))


@pytest.mark.parametrize(
    ("here", "absent"),
    [
        ({"t2"}, "a portal venous or delayed series, and an arterial series"),
        ({"arterial", "t2"}, "a portal venous or delayed series"),
        ({"arterial", "delayed"}, ""),
    ],
)
def test_of_each_group_of_roles_one_series_must_have_come(here: set[str], absent: str) -> None:
    assert missing_roles(SERIES, here) == absent


@pytest.mark.parametrize(("seconds", "is_waiting"), [(0, True), (59, True), (60, False), (61, False)])
def test_the_waiting_ends_in_time(seconds: int, is_waiting: bool) -> None:  # noqa: FBT001
    assert bool(waits(BOTH, "PR", LAST, LAST + timedelta(seconds=seconds))) == is_waiting


def test_only_what_did_not_come_has_words_in_the_history() -> None:
    assert without(BOTH, "") == ""
    assert without(BOTH, "PR") == "PR did not come within 60 s: it is analysed without."
