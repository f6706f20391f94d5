"""A fixed part of the validation of the assessable fraction, with its limits."""

from __future__ import annotations

import pytest

from tests.validation.margin.assessable import CLOSE, FIRST, Outcome, outcome, study, summary
from tests.validation.margin.hidden import Blinding

CASES = 40  # each way of blinding on each grid
MOST_TOO_MUCH = 6.0  # percentage points


@pytest.fixture(scope="module")
def outcomes() -> tuple[Outcome, ...]:
    return study(range(FIRST, FIRST + CASES))


@pytest.mark.slow
def test_entire_is_never_said_of_a_margin_that_is_hidden_in_part(outcomes: tuple[Outcome, ...]) -> None:
    assert [outcome.seed for outcome in outcomes if outcome.said_entire and not outcome.entire] == []


@pytest.mark.slow
def test_the_fraction_is_within_5_points(outcomes: tuple[Outcome, ...]) -> None:
    """In 19 of 20 cases. The rest are thin caps of the tumor, which the blur of the image fills, and weak edges."""
    far = [outcome.seed for outcome in outcomes if abs(outcome.error) > CLOSE]
    assert len(far) <= 0.05 * len(outcomes), far


@pytest.mark.slow
def test_no_more_is_said_to_be_assessable_than_can_be_seen(outcomes: tuple[Outcome, ...]) -> None:
    """The dangerous direction, against the share that no interval widens."""
    assert max(100.0 * (outcome.found - outcome.truth.exact) for outcome in outcomes) <= MOST_TOO_MUCH


@pytest.mark.slow
def test_a_margin_that_can_be_seen_is_said_to_be_entire(outcomes: tuple[Outcome, ...]) -> None:
    """Also where contrast is low but sufficient; right in 98 of 100 cases together with those that are hidden in part."""
    wrong = [outcome.seed for outcome in outcomes if outcome.said_entire != outcome.entire]
    assert len(wrong) <= 0.02 * len(outcomes), wrong


@pytest.mark.slow
def test_every_way_of_blinding_is_in_the_table(outcomes: tuple[Outcome, ...]) -> None:
    assert {row[0] for row in summary(outcomes)} == {str(blinding) for blinding in Blinding}


@pytest.mark.slow
def test_a_contrast_that_fades_between_thick_slices_is_noticed() -> None:
    """A third of this tumor looks like the zone, on slices of 5 mm: nowhere is all of the step lost. A case for tuning."""
    faded = outcome(1895)
    assert max(faded.spacing) == 5.0
    assert not faded.said_entire
    assert faded.found < 0.9
