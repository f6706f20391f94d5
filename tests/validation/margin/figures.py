"""The margin's figures: tables for docs/evidence.md, and the limits that the fixed tenth of them is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count, islice

import numpy as np

from tests.validation import evidence
from tests.validation.margin.family import GRIDS, SHAPES
from tests.validation.margin.known import PERCENTILES, SHARES
from tests.validation.margin.study import Outcome

SURE = ("fractions", "noisy fractions", "whole voxels")  # contours that state no doubt of their own
NEAR = 2.0  # mm
LEAST_ML = 1.0  # of untreated liver, to speak of percent
BINS = np.linspace(0.0, 1.0, 11)
Which = Callable[[Outcome], bool]
KINDS: tuple[tuple[str, Callable[[Outcome], str]], ...] = (
    ("contours", lambda one: one.of.seen),
    ("shape", lambda one: one.of.shape),
    ("grid", lambda one: one.of.grid),
    ("noise", lambda one: f"{one.of.noise:g}"),
    ("blur (voxels)", lambda one: f"{one.of.blur:g}"),
)


def reported(number: int, first: int = 1) -> tuple[int, ...]:
    """The first `number` odd seeds from `first`: never tuned on."""
    return tuple(islice(count(first, 2), number))


def goals(found: Sequence[Outcome]) -> str:
    """The figures that the method was built for."""
    wanted: tuple[tuple[str, str, Which], ...] = (
        ("fractions, slices <= 4 mm, noise <= .1, blur <= .6 voxel", "<= .25 / .6 / 1.0", _soft),
        ("the same, smooth and clean", "<= .10", lambda one: _soft(one) and one.of.shape == "smooth" and not _spoilt(one)),
        ("whole voxels, slices <= 3 mm", "<= .25", lambda one: one.of.seen == "whole voxels" and _slice(one) <= 3),
        ("whole voxels, slices of 5 mm", "<= .40", lambda one: one.of.seen == "whole voxels" and _slice(one) == 5),
    )
    rows = [(name, goal, *_errors([one for one in found if which(one)])) for name, goal, which in wanted]
    head = ("contours", "goal: mean / 95th / widest (mm)", "phantoms", "mean", "95th", "widest over", "missed <= 3 mm")
    return evidence.table(head, rows)


def by_kind(found: Sequence[Outcome]) -> str:
    """Error, coverage and answers by how the contours were given, by shape and by grid."""
    rows = [_row("all", found), _row("good: no stated doubt, slices <= 4 mm", [one for one in found if one.good])]
    for title, of in KINDS:
        names = sorted({of(one) for one in found})
        rows += [_row(f"{title}: {name}", [one for one in found if of(one) == name]) for name in names]
    head = (
        "phantoms",
        "number",
        "bias (mm)",
        "mean error (mm)",
        "95th percentile (mm)",
        "truth in 95 % interval",
        "no answer where clear",
        "confident-wrong",
    )
    return evidence.table(head, rows)


def distribution(found: Sequence[Outcome]) -> str:
    """The whole distribution: mean absolute error and its 95th percentile, for contours that state no doubt."""
    sure = [one for one in found if one.of.seen in SURE and not one.refusal]
    rows: list[tuple[object, ...]] = []
    for n, limit in enumerate(SHARES):
        rows.append((f"surface with margin <= {limit:g} mm", "points", *_spread([one.shares[n] for one in sure])))
    for n, percent in enumerate(PERCENTILES):
        rows.append((f"percentile {percent:g} of the margin", "mm", *_spread([one.percentiles[n] for one in sure])))
    rows.append(("place of the minimum, narrowest point of one that is told", "mm", *_spread([one.place for one in sure])))
    rows.append(
        (
            "the same, any point of one that is told",
            "mm",
            *_spread([one.tied for one in sure if not np.isnan(one.tied)]),
        )
    )
    rows.append(("tumor volume", "%", *_spread([one.volume for one in sure])))
    for n, limit in enumerate(SHARES):
        rows.append((_uncovered_title(limit), "mL", *_spread(uncovered(sure, n))))
    rows.append(("capsule that the zone reaches", "%", *_spread([one.contact for one in sure if np.isfinite(one.contact)])))
    table = evidence.table(("what", "unit", "median error", "mean error", "95th percentile"), rows)
    near = np.mean([one.place <= NEAR for one in sure])
    tied = np.mean([one.tied <= NEAR for one in sure if not np.isnan(one.tied)])
    told = f"of the narrowest point of a place that is told: {near:.1%}; of any of its points: {tied:.1%}"
    said = f"True place of the minimum within {NEAR:g} mm {told}."
    return f"{table}\n\n{said} {_relative(sure)}"


def uncovered(found: Sequence[Outcome], n: int) -> list[float]:
    """The errors of the n-th volume of untreated liver, mL."""
    return [one.uncovered[n][0] - one.uncovered[n][1] for one in found if one.uncovered and np.isfinite(one.uncovered[n][0])]


def _uncovered_title(limit: float) -> str:
    return f"untreated liver within {limit:g} mm" if limit else "tumor outside the zone"


def _relative(found: Sequence[Outcome]) -> str:
    """Volumes of at least 1 mL in percent of themselves."""
    said = []
    for n, limit in enumerate(SHARES):
        there = [one.uncovered[n] for one in found if one.uncovered and one.uncovered[n][1] >= LEAST_ML]
        off = [100.0 * abs(had - true) / true for had, true in there if np.isfinite(had)]
        if off:
            said.append(f"{_uncovered_title(limit)} {np.mean(off):.1f} % ({len(off)})")
    return f"Mean error of volumes of {LEAST_ML:g} mL or more, in percent of them (phantoms): {', '.join(said) or 'none'}."


def reliability(found: Sequence[Outcome]) -> str:
    """How often the margin is 3 mm or less where it is said with a probability, and the Brier score."""
    said = np.array([one.sure.at_most for one in found if not one.refusal])
    true = np.array([one.truth <= 3.0 for one in found if not one.refusal], dtype=float)
    index = np.clip(np.digitize(said, BINS) - 1, 0, len(BINS) - 2)
    rows = [
        (
            f"{BINS[n]:.1f} to {BINS[n + 1]:.1f}",
            int((index == n).sum()),
            f"{said[index == n].mean():.2f}",
            f"{true[index == n].mean():.2f}",
        )
        for n in range(len(BINS) - 1)
        if (index == n).any()
    ]
    table = evidence.table(("probability of <= 3 mm", "phantoms", "said", "true"), rows)
    brier, ignorant = np.mean((said - true) ** 2), np.mean((true.mean() - true) ** 2)
    return f"{table}\n\nBrier score {brier:.3f}; {ignorant:.3f} when only the frequency is known."


def speed(found: Sequence[Outcome]) -> str:
    """Processor time of one tumor by grid."""
    rows = []
    for name in GRIDS:
        seconds = [one.seconds for one in found if one.of.grid == name and not one.refusal]
        rows.append((name, *(_spread(seconds)[n] for n in (0, 2))))
    return evidence.table(("slice x row x column (mm)", "median (s)", "95th percentile (s)"), rows)


def wrong(found: Iterable[Outcome]) -> str:
    """The seeds of confident-wrong answers and of refusals."""
    bad = ", ".join(f"{one.of.seed} ({one.of.shape}, {one.of.seen}, {one.of.grid})" for one in found if one.wrong) or "none"
    refused = ", ".join(f"{one.of.seed} ({one.refusal})" for one in found if one.refusal) or "none"
    return f"Seeds of confident-wrong answers: {bad}. Seeds of refusals: {refused}."


def tables(found: Sequence[Outcome]) -> list[str]:
    """Everything, part by part."""
    shapes = ", ".join(shape.value for shape in SHAPES)
    intervals = (
        "The 95 % interval and the category. Clear: the truth is 1 mm or more from 3 mm. A reader's contours and two "
        "registered images state a doubt of .5 or 1 mm, which the interval carries:"
    )
    return [
        f"{len(found)} phantoms of the reporting half ({shapes}; the last was never tuned on):\n\n{goals(found)}",
        f"{intervals}\n\n{by_kind(found)}",
        f"The whole distribution, for contours that state no doubt:\n\n{distribution(found)}",
        f"The probability that is stated:\n\n{reliability(found)}\n\n![said against true](reliability.svg)",
        f"Processor time of one tumor on one core:\n\n{speed(found)}",
        wrong(found),
    ]


def _slice(one: Outcome) -> float:
    return GRIDS[one.of.grid][0]


def _soft(one: Outcome) -> bool:
    return one.of.seen in SURE[:2] and _slice(one) <= 4 and one.of.blur <= 0.6


def _spoilt(one: Outcome) -> bool:
    return bool(one.of.blur or one.of.noise)


def _errors(found: Sequence[Outcome]) -> tuple[object, ...]:
    errors = np.array([one.error for one in found if not one.refusal])
    if not errors.size:
        return (0, "-", "-", "-", "-")
    missed = sum(one.truth <= 3 < one.value for one in found if not one.equivocal)
    size = np.abs(errors)
    return len(errors), f"{size.mean():.2f}", f"{np.percentile(size, 95):.2f}", f"{errors.max():+.2f}", missed


def _row(name: str, found: Sequence[Outcome]) -> tuple[object, ...]:
    measured = [one for one in found if not one.refusal]
    errors = np.array([one.error for one in measured])
    clear = [one for one in found if one.clear]
    return (
        name,
        len(found),
        f"{errors.mean():+.2f}",
        f"{np.abs(errors).mean():.2f}",
        f"{np.percentile(np.abs(errors), 95):.2f}",
        f"{np.mean([one.covered for one in measured]):.1%}",
        f"{np.mean([one.equivocal for one in clear]):.1%}" if clear else "-",
        sum(one.wrong for one in found),
    )


def _spread(errors: Sequence[float]) -> tuple[str, str, str]:
    size = np.abs(errors)
    return (f"{np.median(size):.2f}", f"{size.mean():.2f}", f"{np.percentile(size, 95):.2f}") if size.size else ("-", "-", "-")
