"""The share of the margin that can be judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.codes import NO, YES
from service.features import assessable
from service.features.case import Case
from service.features.finding import Status
from tests.features.conftest import hidden


def test_good_exam_is_assessable_as_a_whole(wide: Case) -> None:
    (found,) = assessable.measure(wide)
    assert found.category == YES
    assert found.value is not None
    assert found.value >= assessable.ENTIRE


def test_hidden_part_is_counted(wide: Case) -> None:
    (found,) = assessable.measure(hidden(wide, 0.4))
    assert found.category == NO
    assert pytest.approx(60.0, abs=6.0) == found.value


def test_without_surface_there_is_a_reason_and_no_number(wide: Case) -> None:
    (found,) = assessable.measure(replace(wide, surface=None, missing={"margin": "The tumor cannot be seen."}))
    assert found.status is Status.NOT_ASSESSABLE
    assert found.value is None
