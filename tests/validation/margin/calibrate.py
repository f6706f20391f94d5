"""`just calibrate`: what the precision of a minimum margin is made of, from the tuning half of the phantoms.

Run it whenever the method changes, then `just validate`, which reports on the other half.
"""

from __future__ import annotations

import pickle
import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path

import cyclopts
import numpy as np
from rich.progress import track
from scipy.optimize import nnls

from service.features import calibration
from service.features.calibration import LEVELS, Calibration
from tests.validation.margin.family import UNTUNED, recipe
from tests.validation.margin.study import Outcome, measure_all

PLACE = Path(calibration.__file__)
FLOOR = 0.02  # mm of expected error, at least
ROUNDS = 30


def main(phantoms: int = 2400, keep: Path | None = None) -> None:
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
    """The weights that explain the absolute errors best (least absolute deviations), and the quantiles of what is left."""
    parts = np.array([one.terms for one in found])
    errors = np.array([one.error for one in found])
    weights = _weights(parts, np.abs(errors))
    quotients = errors / (parts @ weights)
    return Calibration(len(errors), _rounded(weights), _rounded(np.quantile(quotients, LEVELS)))


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
            f"        phantoms={group.phantoms},",
            f"        weights={group.weights},",
            f"        quantiles={group.quantiles},",
            "    ),",
        ]
    place.write_text(head + "\n".join([*lines, "}", ""]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
