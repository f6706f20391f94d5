"""How right the assessable fraction is where a sector of the image was blinded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from service.codes import YES
from service.features import assessable
from service.features.case import Case
from service.regions.margin_surface import margin_surface
from service.regions.visibility import visibility
from service.study.model import Role
from tests.validation import evidence
from tests.validation.margin.blinded import make
from tests.validation.margin.hidden import OPEN, Blinding, Share

FIRST = 30_000  # seeds of the validation; smaller ones are for tuning
CLOSE = 5.0  # percentage points between found and true share


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: true and found assessable share (0-1), and whether the entire margin is and was said to be assessable."""

    seed: int
    blinding: Blinding
    spacing: tuple[float, float, float]
    truth: Share
    found: float
    said_entire: bool
    reasons: tuple[tuple[str, float], ...]

    @property
    def error(self) -> float:
        """Found minus the nearest that is true, percentage points."""
        return 100.0 * (self.found - float(np.clip(self.found, self.truth.least, self.truth.most)))

    @property
    def entire(self) -> bool:
        """Whether the entire margin can be assessed in truth."""
        return self.blinding in OPEN


def reported(number: int, first: int = FIRST) -> range:
    """The first `number` seeds from `first`, of those that nothing was tuned on."""
    return range(first, first + number)


def wrongly_entire(outcomes: Iterable[Outcome]) -> int:
    """How many margins were said to be entire that are hidden in part."""
    return sum(one.said_entire and not one.entire for one in outcomes)


def study(seeds: Iterable[int]) -> tuple[Outcome, ...]:
    """The outcome of each seed."""
    return tuple(outcome(seed) for seed in seeds)


def outcome(seed: int) -> Outcome:
    """Make the case of a seed and measure it."""
    made = make(seed)
    surface = margin_surface(made.tumor, made.zone, None)
    seen = visibility(surface, made.tumor, made.zone, {role.value: volume for role, volume in made.phases.items()})
    case = Case("1", Role.PORTAL_VENOUS, made.phases, {}, made.tumor, made.zone, None, None, surface=surface, visibility=seen)
    (finding,) = assessable.measure(case)
    found = (finding.value or 0.0) / 100.0
    spacing, reasons = made.tumor.mask.spacing, tuple(seen.reasons.items())
    return Outcome(seed, made.blinding, spacing, made.truth, found, finding.category == YES, reasons)


def table(outcomes: Sequence[Outcome]) -> str:
    """The summary as Markdown, all ways of blinding together in its last lines."""
    head = ("what is hidden", "cases", "within 5 points", "largest error (points)", "entire wrongly said", "entire missed")
    rows = [(name, count, f"{close:.0f} %", f"{worst:.0f}", *told) for name, count, close, worst, *told in summary(outcomes)]
    close = np.mean([abs(one.error) <= CLOSE for one in outcomes])
    exact = np.mean([100.0 * abs(one.found - one.truth.exact) <= CLOSE for one in outcomes])
    right = np.mean([one.said_entire == one.entire for one in outcomes])
    seeds = ", ".join(str(one.seed) for one in outcomes if one.said_entire and not one.entire) or "none"
    within = f"Within 5 points in {close:.1%} of {len(outcomes)}, or {exact:.1%} where no truth is an interval"
    said = f"{within}; entire margin assessable or not: right in {right:.1%}."
    return f"{evidence.table(head, rows)}\n\n{said} Seeds where it was wrongly said: {seeds}."


def summary(outcomes: Sequence[Outcome]) -> tuple[tuple[str, int, float, float, int, int], ...]:
    """For each way of blinding: cases, share within 5 points (%), largest error (points), entire wrongly said and missed."""
    return tuple(
        (
            blinding.value,
            len(rows),
            100.0 * float(np.mean([abs(row.error) <= CLOSE for row in rows])),
            max(abs(row.error) for row in rows),
            sum(row.said_entire and not row.entire for row in rows),
            sum(row.entire and not row.said_entire for row in rows),
        )
        for blinding in Blinding
        if (rows := [row for row in outcomes if row.blinding is blinding])
    )
