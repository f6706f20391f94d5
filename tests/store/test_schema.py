from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import StatementError

from service.store.index import Index
from tests.store.builders import STUDY, arrival, at


def test_a_time_without_a_zone_is_refused(index: Index) -> None:
    with pytest.raises(StatementError, match="zone"):
        index.event(STUDY, "word", "sentence", datetime(2026, 3, 1))  # noqa: DTZ001 - the fault to be found


def test_times_come_back_in_utc(index: Index) -> None:
    index.add_instance(arrival(1))
    tokyo = at(0).astimezone(timezone(timedelta(hours=9)))
    index.event(STUDY, "word", "sentence", tokyo)
    detail = index.study(STUDY)

    assert detail is not None
    assert detail.events[-1].at == tokyo
    assert detail.events[-1].at.tzinfo is UTC
