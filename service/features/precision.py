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
BEYOND = 1.4  # times the largest error of the tuning phantoms: what a category must not depend on
BEYOND_THICK = 1.6  # the same on thick slices, and of whole voxels on coarse ones: what they hide may be large and is rare
THIN, BEYOND_THIN = 1.5, 2.8  # voxels: a tumor hardly thicker than a slice shows no edge that is not another one's, too
STATED = 4.0  # standard deviations that contours state of themselves: a doubt has tails that no number of phantoms shows
LOW, HIGH = 0.025, 0.975
HOLLOW = 0.03  # mm that an edge recedes at a tip or ridge: half of what a sharp one makes
BROAD = 50.0  # mm2 of a tumor's surface that are much
MOST_BENT = 0.5  # 1/mm: a ridge or tip with a radius of 2 to 4 mm
DISAGREE = 1.0  # mm between the two measurements, above which neither is believed
SECOND, NOTCH = 4, 6  # the places of their difference and of the edge's recession among the terms
FARTHEST = 5.0  # mm that the second measurement counts as off, also where it found no surface at all


@dataclass(frozen=True, slots=True)
class Precision:
    """Of a minimum margin, mm: `low` to `high` is the 95 % interval.

    `least` to `most` was never left on any phantom on which the second measurement agreed, and reaches as far as a doubt that
    the contours state may go.

    `at_most` is the probability (0-1) that the true minimum does not exceed the threshold that was asked for.
    """

    low: float
    high: float
    least: float
    most: float
    at_most: float


def precision(value: float, surface: MarginSurface, threshold: float) -> Precision:
    """The precision of `value` (mm), a minimum over `surface` or a part of it, and how likely it is up to `threshold` mm."""
    return precision_of(value, surface.evidence, surface.minimum, threshold)


def precision_of(value: float, evidence: Evidence, minimum: float, threshold: float) -> Precision:
    """The same from the `evidence` of a surface and its `minimum` (mm)."""
    name, parts = group_of(evidence), terms(evidence, minimum)
    group = GROUPS[name]
    expected, center = expected_error(group, parts), value - float(np.dot(group.shift, leanings(evidence)))
    quotients = np.array(group.quantiles)
    low, high = (float(np.interp(level, LEVELS, quotients)) for level in (LOW, HIGH))
    # The largest quotient and the largest expectation never came together; beyond what was tuned on, nothing is known.
    beyond = BEYOND_THICK if name.startswith("thick") or name == "coarse whole voxels" else BEYOND
    beyond = BEYOND_THIN if evidence.across < THIN else beyond
    further = max(1.0, expected / group.largest)
    stated = STATED * evidence.edge_sd
    least = min(value, center - max(stated, beyond * min(group.over * expected, group.widest * further)))
    most = max(value, center + max(stated, beyond * min(group.under * expected, group.narrowest * further)))
    apart = parts[SECOND] if parts[SECOND] > DISAGREE else 0.0  # then neither is believed alone
    return Precision(
        low=min(max(min(value, center - high * expected), least), value - apart),
        high=max(min(max(value, center - low * expected), most), value + apart),
        least=min(least, value - apart, value - beyond * parts[NOTCH]),  # an edge this wide may hide all of it, and more
        most=max(most, value + apart),
        at_most=1.0 - float(np.interp((center - threshold) / expected, quotients, LEVELS, left=0.0, right=1.0)),
    )


def group_of(evidence: Evidence) -> str:
    """Which measurements it is like."""
    coarse = "coarse " if evidence.voxel > COARSE or evidence.width > WIDE else ""
    if evidence.edge_sd > 0:
        return f"{coarse}uncertain contours" if evidence.zone_sd > 0 else f"{coarse}uncertain place"
    coarse = "thick " if evidence.voxel > THICK or evidence.width > WIDEST else coarse
    if evidence.voxel > 0:
        return f"{coarse}whole voxels"
    return f"{coarse}noisy fractions" if evidence.noise > NOISY else f"{coarse}fractions"


def terms(evidence: Evidence, minimum: float) -> tuple[float, ...]:
    """What the expected error of a `minimum` (mm) is a sum of: each is at least 0."""
    return (
        1.0,
        evidence.voxel,
        evidence.width,
        evidence.noise * max(evidence.width, evidence.voxel),
        second_off(evidence, minimum),
        evidence.edge_sd,
        evidence.notch,
        evidence.wedge,
        1.0 - _broad(evidence),
        _bent(evidence),
    )


def leanings(evidence: Evidence) -> tuple[float, ...]:
    """By what errors lean to one side, each 0-1.

    Always; at a tip or ridge of untreated liver, by the blur there and by its curvature; beside the capsule; and where much
    of the surface is nearly as narrow: the smallest of many doubtful distances is smaller than the true one.
    """
    hollow = evidence.notch / (evidence.notch + HOLLOW)
    return 1.0, hollow, float(evidence.wedge > 0), _broad(evidence), _bent(evidence)


def _broad(evidence: Evidence) -> float:
    return evidence.breadth / (evidence.breadth + BROAD)


def _bent(evidence: Evidence) -> float:
    return float(np.clip(evidence.bend, 0.0, MOST_BENT) / MOST_BENT)


def disagreement(surface: MarginSurface) -> float:
    """How far the second measurement of the minimum is from the first, mm."""
    return second_off(surface.evidence, surface.minimum)


def second_off(evidence: Evidence, minimum: float) -> float:
    """The same of the `evidence` and `minimum` (mm) of a surface."""
    return min(abs(evidence.second - minimum), FARTHEST)


def expected_error(group: Calibration, parts: Sequence[float]) -> float:
    """The mean absolute error that the evidence lets expect, mm."""
    return float(np.dot(group.weights, parts))
