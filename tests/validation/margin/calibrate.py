"""`just calibrate`: what the precision of a minimum margin is made of, from the tuning half of the phantoms.

Run it whenever the method changes, then `just validate`, which reports on the other half.
"""

from __future__ import annotations

import pickle
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path

import cyclopts
import numpy as np
from rich.progress import track
from scipy.optimize import nnls

from service.features import calibration
from service.features.calibration import LEVELS, Calibration
from service.features.precision import leanings
from tests.validation.margin.family import UNTUNED, recipe
from tests.validation.margin.study import Outcome, measure_all

PLACE = Path(calibration.__file__)
FLOOR = 0.02  # mm of expected error, at least
ROUNDS = 30
FOLDS = 8
REWEIGHTED = 6
NEAR = 0.3  # of the expected error: nearer ones do not count more


def main(phantoms: int = 3600, keep: Path | None = None) -> None:
    """Measure so many phantoms and write the constants into the source.

    `keep` is a file for the outcomes; if it is there already, nothing is measured again.
    """
    write(constants(outcomes(phantoms, keep)))


def outcomes(phantoms: int, keep: Path | None) -> Sequence[Outcome]:
    """The tuning phantoms, measured or as they were kept."""
    if keep is not None and keep.exists():
        kept: Sequence[Outcome] = pickle.loads(keep.read_bytes())  # noqa: S301 our own file
        return kept
    seeds = list(islice((seed for seed in count(0, 2) if recipe(seed).shape not in UNTUNED), phantoms))
    found = list(track(measure_all(seeds), "Phantoms", total=len(seeds)))
    if keep is not None:
        keep.write_bytes(pickle.dumps(found))
    return found


def constants(found: Sequence[Outcome]) -> dict[str, Calibration]:
    """The calibration of each group."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in found:
        if not one.refusal:
            groups[one.group].append(one)
    return {name: calibrate(groups[name]) for name in sorted(groups)}


def calibrate(found: Sequence[Outcome]) -> Calibration:
    """Shift and weights that explain the errors best, and the quantiles of what is left in phantoms they were not fitted to.

    Source: cross-conformal prediction, Vovk 2015, Ann Math Artif Intell 74:9-28.
    """
    errors = np.array([one.error for one in found])
    parts = np.array([one.terms for one in found])
    leaning = np.array([leanings(one.terms) for one in found])
    fold = np.arange(len(errors)) % FOLDS
    unseen = np.empty(len(errors))
    for number in range(FOLDS):
        out = fold == number
        shift, weights = _fitted(errors[~out], parts[~out], leaning[~out])
        unseen[out] = (errors[out] - leaning[out] @ shift) / (parts[out] @ weights)
    shift, weights = _fitted(errors, parts, leaning)
    left, expected = errors - leaning @ shift, parts @ weights
    agree = np.array([not one.methods_disagree for one in found])
    sizes, quotients = left[agree], unseen[agree]
    return Calibration(
        phantoms=len(errors),
        widest=round(float(sizes.max()), 4),
        over=round(float(quotients.max()), 4),
        narrowest=round(float(-sizes.min()), 4),
        under=round(float(-quotients.min()), 4),
        largest=round(float(expected.max()), 4),
        shift=_rounded(shift),
        weights=_rounded(weights),
        quantiles=_rounded(np.quantile(unseen, _corrected(np.array(LEVELS), len(errors)))),
    )


def _fitted(errors: np.ndarray, parts: np.ndarray, leaning: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift (3,) and weights (terms,) of `errors` (n,) mm; the shift by least absolute deviations, by reweighting."""
    expected = parts @ _weights(parts, np.abs(errors))
    shift = np.zeros(leaning.shape[1])
    for _ in range(REWEIGHTED):
        far = np.maximum(np.abs(errors - leaning @ shift) / expected, NEAR)
        scale = 1.0 / (expected * np.sqrt(far))
        shift, *_ = np.linalg.lstsq(leaning * scale[:, None], errors * scale, rcond=None)
    return shift, _weights(parts, np.abs(errors - leaning @ shift))


def _corrected(levels: np.ndarray, number: int) -> np.ndarray:
    """The levels a little farther from the middle, as so many phantoms need (Lei et al. 2018)."""
    return np.clip(0.5 + (levels - 0.5) * (number + 1) / number, 0.0, 1.0)


def _weights(parts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Non-negative weights whose sum of `parts` (n, terms) is near `sizes` (n,) mm in proportion: by reweighting."""
    expected = np.full(len(sizes), sizes.mean())
    for _ in range(ROUNDS):
        scale = 1.0 / np.maximum(expected, FLOOR)
        weights, _ = nnls(parts * scale[:, None], sizes * scale)
        weights[0] = max(weights[0], FLOOR)
        expected = 0.5 * expected + 0.5 * parts @ weights
    return np.asarray(weights)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def write(groups: dict[str, Calibration], place: Path = PLACE) -> None:
    """Put the constants at the end of the module that holds them."""
    head, _, _ = place.read_text(encoding="utf-8").partition("GROUPS: ")
    lines = ["GROUPS: dict[str, Calibration] = {"]
    for name, group in groups.items():
        lines += [
            f'    "{name}": Calibration(',
            *(f"        {field}={value}," for field, value in asdict(group).items()),
            "    ),",
        ]
    place.write_text(head + "\n".join([*lines, "}", ""]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
