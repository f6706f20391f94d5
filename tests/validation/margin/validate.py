"""`just validate-margin`: how right the margin is on phantoms that nothing was tuned on; numpy and its relatives are enough.

The margin from its contours, how much of it can be assessed on images with a blinded sector, and whether a lobe that the
liver's contour misses is noticed. The figures go into docs/evidence.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.validation import evidence
from tests.validation.many import Kept, measure_missing
from tests.validation.margin import assessable, figures, lobes, reliability, study
from tests.validation.margin.known import known_of

Measure = Callable[[int], Any]
Found = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the validation: its place in the evidence, what it measures, of which seeds, and what it says then."""

    name: str
    measure: Measure
    seeds: Sequence[int]
    tables: Callable[[Found], str]
    bad: Callable[[Found], int]
    plot: Callable[[Found], None] = lambda _found: None


def parts(margins: int, images: int, missing: int, first: int = 1, image: int = assessable.FIRST) -> tuple[Part, ...]:
    """So many phantoms of each part."""
    return (
        Part(
            "margin",
            study.measure,
            figures.reported(margins, first),
            _margin,
            lambda found: sum(one.wrong for one in found),
            _plot,
        ),
        Part("assessable", assessable.outcome, assessable.reported(images, image), assessable.table, assessable.wrongly_entire),
        Part("lobes", lobes.outcome, lobes.reported(missing), lobes.table, lambda found: sum(one.wrong for one in found)),
    )


def main() -> None:
    """Measure, print the figures and put them into docs/evidence.md; a part of which 0 is wished stays as it was."""
    chosen = _options().parse_args()
    bad, ends = 0, time.monotonic() + chosen.seconds
    for part in parts(chosen.margins, chosen.images, chosen.lobes, chosen.first, chosen.first_image):
        if not part.seeds:
            continue
        kept = Kept(None if chosen.keep is None else Path(f"{chosen.keep}.{part.name}"))
        _measured(_with_truths(part, chosen, ends), kept, chosen, ends)
        found = [kept.found[seed] for seed in part.seeds if seed in kept.found]
        if chosen.figures:
            body = "\n\n".join([*(f"`just validate-margin`, {run}" for run in kept.runs), part.tables(found)])
            print(body, flush=True)  # noqa: T201
            if chosen.write:
                evidence.replace(part.name, body)
                part.plot(found)
            bad += part.bad(found)
    sys.exit(1 if bad else 0)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--margins", type=int, default=5000, help="phantoms as contours")
    options.add_argument("--first", type=int, default=1, help="the first seed of these, odd: others than were looked at before")
    options.add_argument("--images", type=int, default=400, help="phantoms as images with a blinded sector")
    options.add_argument("--first-image", type=int, default=assessable.FIRST, help="the first seed of these")
    options.add_argument("--lobes", type=int, default=200, help="phantoms whose liver may be contoured in part")
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--seconds", type=float, default=7200.0, help="end after so many, with what was measured until then")
    options.add_argument("--keep", help="files (this and a suffix) for what was measured; it is not measured again")
    options.add_argument("--commit", default="", help="of the source, where git does not tell")
    options.add_argument("--no-write", dest="write", action="store_false", help="print the figures only")
    options.add_argument("--no-figures", dest="figures", action="store_false", help="only measure and keep")
    return options


def _with_truths(part: Part, chosen: argparse.Namespace, ends: float) -> Part:
    """Half of the time goes into truths, which no change of the method changes: they are kept in a file of their own."""
    if part.name != "margin" or chosen.keep is None:
        return part
    path = Path(f"{chosen.keep}.truths")
    measure_missing("truths", known_of, part.seeds, Kept(path), chosen.processes, max(ends - time.monotonic(), 1.0))
    there = Kept(path).found
    return replace(part, measure=partial(study.measure_against, path), seeds=[seed for seed in part.seeds if seed in there])


def _measured(part: Part, kept: Kept, chosen: argparse.Namespace, ends: float) -> None:
    began, before = time.monotonic(), len(kept.found)
    measure_missing(part.name, part.measure, part.seeds, kept, chosen.processes, max(ends - began, 1.0))
    if len(kept.found) > before:
        kept.add(None, evidence.when_and_where(time.monotonic() - began, chosen.commit))


def _plot(found: Found) -> None:
    reliability.plot(found, evidence.ROOT / "docs" / "reliability.svg")


def _margin(found: Found) -> str:
    return "\n\n".join(figures.tables(found))


if __name__ == "__main__":
    main()
