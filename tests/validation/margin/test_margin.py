"""A fixed part of the validation of the margin, held to the goals; `just validate` measures all of it.

Odd seeds are never tuned on, nor calibrated on.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.validation.margin import figures
from tests.validation.margin.family import Shape
from tests.validation.margin.study import Outcome, measure

PHANTOMS = 500  # a tenth
SURE = ("fractions", "noisy fractions", "whole voxels")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def every() -> tuple[Outcome, ...]:
    return tuple(measure(seed) for seed in figures.reported(PHANTOMS))


@pytest.fixture(scope="module")
def found(every: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Those that were measured."""
    return tuple(one for one in every if not one.refusal)


def errors(found: tuple[Outcome, ...]) -> np.ndarray:
    return np.array([one.error for one in found])


def soft(one: Outcome) -> bool:
    """Contours in fractions as the goals name them: slices up to 4 mm, noise up to .1, blur up to .6 voxel."""
    return one.of.seen in SURE[:2] and not one.of.grid.startswith("5") and one.of.blur <= 0.6


def test_nothing_is_asserted_wrongly(found: tuple[Outcome, ...]) -> None:
    assert [one.of.seed for one in found if one.wrong] == []


def test_all_but_tumors_smaller_than_a_slice_are_measured(every: tuple[Outcome, ...]) -> None:
    refused = [one for one in every if one.refusal]
    assert {one.refusal for one in refused} <= {"margin.tumor_too_small"}
    assert len(refused) <= 0.01 * PHANTOMS
    assert {one.of.shape for one in every} == {shape.value for shape in Shape}


def test_from_fractions(found: tuple[Outcome, ...]) -> None:
    off = errors(tuple(one for one in found if soft(one)))
    assert np.abs(off).mean() <= 0.25
    assert np.percentile(np.abs(off), 95) <= 0.6
    assert np.percentile(off, 99) <= 1.0  # the goal for each; once in some hundreds a notch in noise is found .01 mm wider
    assert off.max() <= 1.25


def test_from_whole_voxels(found: tuple[Outcome, ...]) -> None:
    whole = tuple(one for one in found if one.of.seen == "whole voxels")
    thin = tuple(one for one in whole if one.of.grid.startswith(("1.5", "3")))
    thick = tuple(one for one in whole if one.of.grid.startswith("5"))
    assert np.abs(errors(thin)).mean() <= 0.25
    assert np.abs(errors(thick)).mean() <= 0.40


def test_interval_holds_the_truth_as_often_as_it_says(found: tuple[Outcome, ...]) -> None:
    """93 to 97 % of thousands; of 500, chance alone leaves 2 points more to either side."""
    assert 0.92 <= np.mean([one.covered for one in found]) <= 0.98


def test_a_clear_margin_gets_an_answer(found: tuple[Outcome, ...]) -> None:
    """In nine of ten, as the goal for all 5,000; of the 140 clear ones here, chance alone leaves 5 points more."""
    clear = [one for one in found if one.clear and one.good]
    assert np.mean([one.equivocal for one in clear]) <= 0.15


def test_distribution(found: tuple[Outcome, ...]) -> None:
    sure = [one for one in found if one.of.seen in SURE]
    assert np.mean(np.abs([one.shares for one in sure]), axis=0).max() <= 3.0
    assert np.mean(np.abs([one.percentiles for one in sure]), axis=0).max() <= 0.3
    assert np.median([one.place for one in sure]) <= 2.0


def test_volumes_and_contact(found: tuple[Outcome, ...]) -> None:
    sure = [one for one in found if one.of.seen in SURE]
    assert np.mean(np.abs([one.volume for one in sure])) <= 3.0
    assert np.mean(np.abs([one.contact for one in sure if np.isfinite(one.contact)])) <= 10.0
    for n, most in enumerate((0.05, 0.05, 0.1, 0.3)):  # mL, in the tumor and within 3, 5 and 10 mm of it
        assert np.mean(np.abs(figures.uncovered(sure, n))) <= most


def test_probability_is_better_than_the_frequency(found: tuple[Outcome, ...]) -> None:
    said = np.array([one.sure.at_most for one in found])
    true = np.array([one.truth <= 3.0 for one in found], dtype=float)
    assert np.mean((said - true) ** 2) <= 0.3 * np.mean((true.mean() - true) ** 2)
