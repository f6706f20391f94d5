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
COARSE, THICK = 3.5, 4.5  # mm, of whole voxels: what hides a notch is a group of its own
WIDE, WIDEST = 2.2, 3.2  # mm, of a soft edge
BEYOND = 1.25  # times the largest error of the tuning phantoms: what a category must not depend on
BEYOND_THICK = 1.6  # the same on thick slices, where rare errors are large
LOW, HIGH = 0.025, 0.975
HOLLOW = 0.03  # mm that an edge recedes at a tip or ridge: half of what a sharp one makes
DISAGREE = 1.0  # mm between the two measurements, above which neither is believed
SECOND, NOTCH = 4, 6  # the places of their difference and of the edge's recession among the terms
FARTHEST = 5.0  # mm that the second measurement counts as off, also where it found no surface at all


@dataclass(frozen=True, slots=True)
class Precision:
    """Of a minimum margin, mm: `low` to `high` is the 95 % interval.

    `least` to `most` was never left on any phantom on which the second measurement agreed.

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
    expected, center = expected_error(group, parts), value - float(np.dot(group.shift, leanings(parts)))
    quotients = np.array(group.quantiles)
    low, high = (float(np.interp(level, LEVELS, quotients)) for level in (LOW, HIGH))
    # The largest quotient and the largest expectation never came together; beyond what was tuned on, nothing is known.
    beyond = BEYOND_THICK if name.startswith("thick") else BEYOND
    further = max(1.0, expected / group.largest)
    least = min(value, center - beyond * min(group.over * expected, group.widest * further))
    most = max(value, center + beyond * min(group.under * expected, group.narrowest * further))
    apart = parts[SECOND] if parts[SECOND] > DISAGREE else 0.0  # then neither is believed alone
    return Precision(
        low=min(max(min(value, center - high * expected), least), value - apart),
        high=max(min(max(value, center - low * expected), most), value + apart),
        least=min(least, value - apart, value - parts[NOTCH]),  # an edge this wide may hide all of it
        most=max(most, value + apart),
        at_most=1.0 - float(np.interp((center - threshold) / expected, quotients, LEVELS, left=0.0, right=1.0)),
    )


def group_of(evidence: Evidence) -> str:
    """Which measurements it is like."""
    coarse = "coarse " if evidence.voxel > COARSE or evidence.width > WIDE else ""
    if evidence.edge_sd > 0:
        return f"{coarse}uncertain contours"
    coarse = "thick " if evidence.voxel > THICK or evidence.width > WIDEST else coarse
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


def leanings(parts: Sequence[float]) -> tuple[float, float, float]:
    """By what errors lean to one side, each 0-1: always, at a tip or ridge of untreated liver, beside the capsule."""
    *_, notch, wedge = parts
    return 1.0, notch / (notch + HOLLOW), float(wedge > 0)


def disagreement(surface: MarginSurface) -> float:
    """How far the second measurement of the minimum is from the first, mm."""
    return min(abs(surface.evidence.second - surface.minimum), FARTHEST)


def expected_error(group: Calibration, parts: Sequence[float]) -> float:
    """The mean absolute error that the evidence lets expect, mm."""
    return float(np.dot(group.weights, parts))
