"""How sure a minimum margin is: intervals whose coverage was measured on phantoms, not assumed.

Source: split-conformal prediction (Vovk 2005; Lei et al. 2018, J Am Stat Assoc 113:1094-1111), normalised: the error of a
measurement is divided by what its evidence lets expect, and the quotient's distribution on the tuning phantoms gives the
interval. Each group of evidence has its own distribution. `calibration.py` holds the constants; `just calibrate` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.features.calibration import GROUPS, LEVELS, Calibration
from service.regions.margin_surface import Evidence, MarginSurface

NOISY = 0.02  # of a fraction
THICK, WIDE = 3.5, 2.2  # mm, of whole voxels and of a soft edge: what hides a notch is a group of its own
BEYOND = 1.25  # times the largest error of the tuning phantoms: what a category must not depend on
LOW, HIGH = 0.025, 0.975
FARTHEST = 5.0  # mm that the second measurement counts as off, also where it found no surface at all


@dataclass(frozen=True, slots=True)
class Precision:
    """Of a minimum margin, mm: `low` to `high` is the 95 % interval, `least` to `most` what was never left on any phantom.

    `at_most` is the probability (0-1) that the true minimum does not exceed the threshold that was asked for.
    """

    low: float
    high: float
    least: float
    most: float
    at_most: float


def precision(value: float, surface: MarginSurface, threshold: float) -> Precision:
    """The precision of `value` (mm), a minimum over `surface` or a part of it, and how likely it is up to `threshold` mm."""
    return precision_of(value, group_of(surface.evidence), terms(surface), threshold)


def precision_of(value: float, name: str, parts: Sequence[float], threshold: float) -> Precision:
    """The precision of `value` (mm) in the group of this `name`, from the terms of its expected error."""
    group = GROUPS[name]
    expected = expected_error(group, parts)
    quotients = np.array(group.quantiles)
    low, high = (float(np.interp(level, LEVELS, quotients)) for level in (LOW, HIGH))
    return Precision(
        low=value - high * expected,
        high=value - low * expected,
        least=value - BEYOND * max(float(quotients[-1]), 0.0) * expected,
        most=value - BEYOND * min(float(quotients[0]), 0.0) * expected,
        at_most=1.0 - float(np.interp((value - threshold) / expected, quotients, LEVELS, left=0.0, right=1.0)),
    )


def group_of(evidence: Evidence) -> str:
    """Which measurements it is like."""
    coarse = "coarse " if evidence.voxel > THICK or evidence.width > WIDE else ""
    if evidence.edge_sd > 0:
        return f"{coarse}uncertain contours"
    if evidence.voxel > 0:
        return f"{coarse}whole voxels"
    return f"{coarse}noisy fractions" if evidence.noise > NOISY else f"{coarse}fractions"


def terms(surface: MarginSurface) -> tuple[float, ...]:
    """What the expected error is a sum of, mm: each is at least 0."""
    evidence = surface.evidence
    return (
        1.0,
        evidence.voxel,
        evidence.width,
        evidence.noise * max(evidence.width, evidence.voxel),
        disagreement(surface),
        evidence.edge_sd,
        evidence.notch,
        evidence.wedge,
    )


def disagreement(surface: MarginSurface) -> float:
    """How far the second measurement of the minimum is from the first, mm."""
    return min(abs(surface.evidence.second - surface.minimum), FARTHEST)


def expected_error(group: Calibration, parts: Sequence[float]) -> float:
    """The mean absolute error that the evidence lets expect, mm."""
    return float(np.dot(group.weights, parts))
