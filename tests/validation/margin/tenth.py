"""`just known-margins`: the fixed tenth of the validation that every change is held to, and the file of its truths.

Odd seeds are never tuned on, nor calibrated on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.special import bdtr

from service.features.margin import THRESHOLD
from tests.validation.many import Kept, measure_missing
from tests.validation.margin.family import Recipe, recipe
from tests.validation.margin.figures import reported
from tests.validation.margin.known import known_of, read, write
from tests.validation.margin.study import Outcome, measure

PHANTOMS = 500
SEEDS = reported(PHANTOMS)
FILE = Path(__file__).with_name("known.csv")
LONG_S = 7200.0
COVERAGE = (0.93, 0.97)  # of all phantoms, the goal
CHANCE = 0.005  # to miss a goal that is just reached, to either side


def measured(which: Callable[[Recipe], bool]) -> tuple[Outcome, ...]:
    """Those of the tenth for which `which` holds, against the truths in the file."""
    known = read(FILE)
    return tuple(measure(seed, known[seed]) for seed in SEEDS if which(recipe(seed)))


def by_chance(number: int, goal: tuple[float, float]) -> tuple[int, int]:
    """Of how many of `number` phantoms something holds at least and at most, where of all it holds of a share in `goal`."""
    least, most = goal
    few, many = (bdtr(np.arange(number + 1), number, share) for share in (least, most))  # chance of so many or fewer
    return int(np.searchsorted(few, CHANCE)), int(np.searchsorted(many, 1.0 - CHANCE))


def brier_share(found: Sequence[Outcome]) -> float:
    """The Brier score of the probability of 3 mm or less, by that of a reader who knows the frequency alone."""
    said = np.array([one.sure.at_most for one in found])
    true = np.array([one.truth <= THRESHOLD for one in found], dtype=float)
    return float(np.mean((said - true) ** 2) / np.mean((true.mean() - true) ** 2))


def main() -> None:
    """Find the truth of each phantom anew and write the file."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--keep", type=Path, help="a file for what was found; it is not searched for again")
    chosen = options.parse_args()
    kept = Kept(chosen.keep)
    measure_missing("truths", known_of, SEEDS, kept, chosen.processes, LONG_S)
    write(FILE, {seed: kept.found[seed] for seed in SEEDS})


if __name__ == "__main__":
    main()
