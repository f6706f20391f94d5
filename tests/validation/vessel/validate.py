"""`just validate-vessel`: how right the vessel in the margin is, on phantoms that nothing was tuned on.

The figures go into docs/evidence.md. Odd seeds are for the report, even ones for tuning.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cyclopts

from tests.validation import evidence
from tests.validation.many import Kept, measure_missing
from tests.validation.vessel import study

PROCESSES = 2


def main(
    vessels: int = 260, seconds: float = 7200.0, *, first: int = study.FIRST, keep: Path | None = None, write: bool = True
) -> None:
    """Measure `vessels` phantoms, and half as many with a vessel of 2 mm; print the figures and put them in their place.

    The seeds are odd ones from `first` on, an even one. After `seconds` the figures are of what was done until then; in `keep`
    (a file, and a suffix) a run goes on where it ended.
    """
    began, parts = time.monotonic(), []
    for name, measure, count in (("wide", study.measure, vessels), ("thin", study.measure_thin, max(vessels // 2, 1))):
        kept = Kept(None if keep is None else Path(f"{keep}.{name}"))
        left = max(seconds - (time.monotonic() - began), 1.0)
        measure_missing(f"vessels, {name}", measure, study.seeds(count, first), kept, PROCESSES, left)
        parts.append([kept.found[seed] for seed in study.seeds(count, first) if seed in kept.found])
    wide, thin = parts
    stamp = evidence.stamp("just validate-vessel", time.monotonic() - began)
    body = f"{stamp} Seeds from {first + 1} on.\n\n{study.tables(wide, thin)}"
    print(body)  # noqa: T201
    if write:
        evidence.replace("vessel", body)
    sys.exit(1 if any(one.wrong for one in (*wide, *thin)) else 0)


if __name__ == "__main__":
    cyclopts.run(main)
