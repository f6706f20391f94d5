"""A fixed tenth of the validation of the margin, its other part: contours that state a doubt of their own.

They are a reader's, and those of two images that were registered. Only the minimum is held against the truth.
"""

from __future__ import annotations

import pytest

from tests.validation.margin import figures, tenth
from tests.validation.margin.family import Shape
from tests.validation.margin.study import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def found() -> tuple[Outcome, ...]:
    return tenth.measured(lambda drawn: drawn.seen not in figures.SURE)


def test_all_are_measured(found: tuple[Outcome, ...]) -> None:
    assert [one.of.seed for one in found if one.refusal] == []
    assert {one.of.shape for one in found} == {shape.value for shape in Shape}


def test_nothing_is_asserted_wrongly(found: tuple[Outcome, ...]) -> None:
    assert [one.of.seed for one in found if one.wrong] == []


def test_interval_holds_the_truth_as_often_as_it_says(found: tuple[Outcome, ...]) -> None:
    for seen in {one.of.seen for one in found}:
        alike = [one for one in found if one.of.seen == seen]
        least, most = tenth.by_chance(len(alike), tenth.COVERAGE)
        assert least <= sum(one.covered for one in alike) <= most, seen


def test_probability_is_better_than_the_frequency(found: tuple[Outcome, ...]) -> None:
    assert tenth.brier_share(found) <= 0.3
