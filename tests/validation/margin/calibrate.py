"""`just calibrate`: what the precision of a minimum margin is made of, from the tuning half of the phantoms.

Run it whenever the method changes, then `just validate`, which reports on the other half.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count, islice
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from service.features import calibration
from service.features.calibration import LEVELS, Calibration
from service.features.precision import HIGH, LOW, group_of, leanings, terms
from service.volumes.volume import Matrix
from tests.validation.many import Kept, measure_missing
from tests.validation.margin.family import UNTUNED, recipe
from tests.validation.margin.study import Outcome, measure

PLACE = Path(calibration.__file__)
FLOOR = 0.02  # mm of expected error, at least
ROUNDS = 30
FOLDS = 8
REWEIGHTED = 6
FAIR, FAIR_ROUNDS = 4.0, 40
MOST_FAIR = 3.0  # times
NEAR = 0.3  # of the expected error: nearer ones do not count more


def main() -> None:
    """Measure phantoms of the tuning half and write the constants into the source."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--phantoms", type=int, default=3600)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--seconds", type=float, default=7200.0, help="end after so many, with what was measured until then")
    options.add_argument("--keep", type=Path, help="a file for what was measured; what is in it is not measured again")
    options.add_argument("--no-constants", dest="constants", action="store_false", help="only measure and keep")
    chosen = options.parse_args()
    kept = Kept(chosen.keep)
    measure_missing("calibrate", measure, tuning(chosen.phantoms), kept, chosen.processes, chosen.seconds)
    if chosen.constants:
        write(constants([kept.found[seed] for seed in sorted(kept.found)]))


def tuning(number: int) -> Sequence[int]:
    """The first `number` even seeds whose shapes are not kept for the report alone."""
    return list(islice((seed for seed in count(0, 2) if recipe(seed).shape not in UNTUNED), number))


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The phantoms of a group: its constants but for the quantiles, and the quotients of phantoms that it was not fitted to."""

    kinds: Sequence[tuple[str, ...]]
    unseen: Matrix
    fitted: Calibration


def constants(found: Sequence[Outcome]) -> dict[str, Calibration]:
    """The calibration of each group."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in found:
        if not one.refusal:
            groups[group_of(one.told)].append(one)
    fitted = {name: _group(groups[name]) for name in sorted(groups)}
    weights = _fair(list(fitted.values()))
    return {
        name: replace(group.fitted, quantiles=_rounded(_quantiles(group, LEVELS, weights))) for name, group in fitted.items()
    }


def _group(found: Sequence[Outcome]) -> _Group:
    """Shift and weights that explain the errors best, and what is left in phantoms they were not fitted to.

    Source: cross-conformal prediction, Vovk 2015, Ann Math Artif Intell 74:9-28.
    """
    errors = np.array([one.error for one in found])
    parts = np.array([terms(one.told, one.value) for one in found])
    leaning = np.array([leanings(one.told) for one in found])
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
    fitted = Calibration(
        phantoms=len(errors),
        widest=round(float(sizes.max()), 4),
        over=round(float(quotients.max()), 4),
        narrowest=round(float(-sizes.min()), 4),
        under=round(float(-quotients.min()), 4),
        largest=round(float(expected.max()), 4),
        shift=_rounded(shift),
        weights=_rounded(weights),
        quantiles=(),
    )
    return _Group([_kinds(one) for one in found], unseen, fitted)


def _kinds(one: Outcome) -> tuple[str, ...]:
    """What a phantom is that its evidence does not tell: for each of these the interval should hold the truth as often."""
    return one.of.shape, one.of.grid, f"noise {one.of.noise:g}"


def _fair(groups: Sequence[_Group]) -> dict[str, float]:
    """How much a phantom of each kind counts, so that the interval holds the truth about as often for the hardest of them.

    Its shape is not known of a patient: where the evidence does not tell the hard from the easy, all get the wider interval.
    """
    kinds = sorted({kind for group in groups for one in group.kinds for kind in one})
    weights = dict.fromkeys(kinds, 1.0)
    for _ in range(FAIR_ROUNDS):
        held: dict[str, list[bool]] = defaultdict(list)
        for group in groups:
            low, high = _quantiles(group, (LOW, HIGH), weights)
            for one, quotient in zip(group.kinds, group.unseen, strict=True):
                for kind in one:
                    held[kind].append(bool(low <= quotient <= high))
        for kind in kinds:
            more = weights[kind] * np.exp(FAIR * (HIGH - LOW - float(np.mean(held[kind]))))
            weights[kind] = float(np.clip(more, 1.0 / MOST_FAIR, MOST_FAIR))
    return weights


def _quantiles(group: _Group, levels: Sequence[float], weights: Mapping[str, float]) -> Matrix:
    """Of the quotients, each counted as its kinds do; the levels a little farther out, as so many phantoms need.

    Source: Lei et al. 2018, J Am Stat Assoc 113:1094-1111.
    """
    number = len(group.unseen)
    outer = np.clip(0.5 + (np.array(levels) - 0.5) * (number + 1) / number, 0.0, 1.0)
    order = np.argsort(group.unseen)
    count = np.array([math.prod(weights[kind] for kind in one) for one in group.kinds])[order]
    share = np.cumsum(count) - count
    return np.asarray(np.interp(outer, share / share[-1], group.unseen[order]))


def _fitted(errors: np.ndarray, parts: np.ndarray, leaning: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift (3,) and weights (terms,) of `errors` (n,) mm; the shift by least absolute deviations, by reweighting."""
    expected = parts @ _weights(parts, np.abs(errors))
    shift = np.zeros(leaning.shape[1])
    for _ in range(REWEIGHTED):
        far = np.maximum(np.abs(errors - leaning @ shift) / expected, NEAR)
        scale = 1.0 / (expected * np.sqrt(far))
        shift, *_ = np.linalg.lstsq(leaning * scale[:, None], errors * scale, rcond=None)
    return shift, _weights(parts, np.abs(errors - leaning @ shift))


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
    main()
