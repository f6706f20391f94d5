"""A fixed part of the validation of the assessable fraction, with its limits."""

from __future__ import annotations

import pytest

from tests.validation.margin.assessable import CLOSE, FIRST, Outcome, study, summary
from tests.validation.margin.hidden import Blinding

CASES = 40  # each way of blinding on each grid


@pytest.fixture(scope="module")
def outcomes() -> tuple[Outcome, ...]:
    return study(range(FIRST, FIRST + CASES))


@pytest.mark.slow
def test_entire_is_never_said_of_a_margin_that_is_hidden_in_part(outcomes: tuple[Outcome, ...]) -> None:
    assert [outcome.seed for outcome in outcomes if outcome.said_entire and not outcome.entire] == []


@pytest.mark.slow
def test_the_fraction_is_within_5_points(outcomes: tuple[Outcome, ...]) -> None:
    """In three of four cases; the goal is 19 of 20. Small sectors of an isointense tumor are found a little too small."""
    far = [outcome for outcome in outcomes if abs(outcome.error) > CLOSE]
    assert len(far) <= 0.25 * len(outcomes)


@pytest.mark.slow
def test_a_margin_that_can_be_seen_is_said_to_be_entire(outcomes: tuple[Outcome, ...]) -> None:
    clear = [outcome for outcome in outcomes if outcome.blinding is Blinding.NONE]
    assert all(outcome.said_entire for outcome in clear)


@pytest.mark.slow
def test_every_way_of_blinding_is_in_the_table(outcomes: tuple[Outcome, ...]) -> None:
    assert {row[0] for row in summary(outcomes)} == {str(blinding) for blinding in Blinding}
