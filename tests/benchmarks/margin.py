"""`just bench-margin`: the minimum margin of our method and of its peers, from the same whole voxels, in one run.

Peers know whole voxels only, so ours gets the same masks; its figures from soft ones stand in the last line.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import cyclopts
import numpy as np
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import track

from service.phantom.bodies import Ball, Ellipsoid
from service.phantom.sample import Grid, fraction
from service.regions.margin_surface import margin_surface
from service.regions.region import Kind, Region
from tests.validation import evidence
from tests.validation.margin.family import Seen, recipe
from tests.validation.margin.figures import reported
from tests.validation.margin.peers import PEERS
from tests.validation.margin.render import render
from tests.validation.margin.truth import truth_of

OURS, SOFT = "Cryomargin, whole voxels", "Cryomargin, fractions"
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One phantom: its shape, the truth, and by method the error (mm) and the processor time (s)."""

    shape: str
    truth: float
    errors: Mapping[str, float]
    seconds: Mapping[str, float]


def main(phantoms: int = 200, *, write: bool = True) -> None:
    """Measure `phantoms` by all methods and print the table."""
    console, started = Console(), time.monotonic()
    with ProcessPoolExecutor(PROCESSES) as pool:
        found = list(track(pool.map(compare, reported(phantoms), chunksize=2), "Phantoms", total=phantoms))
    many = f"Ten tumors in one liver of 80 x 260 x 320 voxels, 3 x 1.2 x 1.2 mm, on one core: {ten_tumors():.1f} s (goal 3 s)."
    body = f"{evidence.stamp('just bench-margin', time.monotonic() - started)}\n\n{table(found)}\n\n{many}"
    console.print(Markdown(body))
    if write:
        evidence.replace("peers", body)
    sys.exit(0)


def compare(seed: int) -> Row:
    """One phantom, clean, by every method that is installed."""
    drawn = replace(recipe(seed), seen=Seen.FRACTIONS, blur=0.0, noise=0.0, jitter=0.0, slip_sd=0.0)
    truth = truth_of(drawn.scene).minimum
    soft = render(drawn)
    whole = tuple(_whole(region) for region in soft)
    tumor, zone, liver = (None if region is None else region.mask.values > 0.5 for region in whole)
    if tumor is None or zone is None:
        raise ValueError("a phantom without tumor or zone")
    untreated = ~zone if liver is None else liver & ~zone
    errors, seconds = {}, {}
    for peer in PEERS.values():
        if peer.installed:
            begin = time.process_time()
            errors[peer.title] = peer.measure(tumor, untreated, soft[0].mask.spacing) - truth
            seconds[peer.title] = time.process_time() - begin
    for title, regions in ((OURS, whole), (SOFT, soft)):
        begin = time.process_time()
        errors[title] = margin_surface(*_three(regions)).minimum - truth
        seconds[title] = time.process_time() - begin
    return Row(drawn.shape.value, truth, errors, seconds)


def ten_tumors() -> float:
    """Processor time (s) of ten tumors in one liver of clinical size: what is done twice on the whole volume shows here."""
    grid = Grid((80, 260, 320), (3.0, 1.2, 1.2)).empty()
    liver = Region(Kind.LIVER, fraction(Ellipsoid((0, 0, 0), (150.0, 120.0, 100.0)), grid), "truth")
    pairs = []
    for number in range(10):
        middle = (-100.0 + 50.0 * (number % 5), -30.0 + 60.0 * (number // 5), 10.0 * (number % 3) + 0.4)
        zone = Region(Kind.ABLATION_ZONE, fraction(Ball(middle, 17.0), grid), "truth")
        pairs.append((Region(Kind.TUMOR, fraction(Ball(middle, 9.0), grid), "truth"), zone))
    begin = time.process_time()
    for tumor, zone in pairs:
        margin_surface(tumor, zone, liver)
    return time.process_time() - begin


def table(found: list[Row]) -> str:
    """Error by method: all shapes, and the notched ones, where a margin too wide is most dangerous."""
    rows = []
    for name in found[0].errors:
        errors = np.array([row.errors[name] for row in found])
        notched = np.array([row.errors[name] for row in found if row.shape == "notched"])
        missed = sum(row.truth <= 3 < row.truth + row.errors[name] for row in found)
        seconds = np.median([row.seconds[name] for row in found if name in row.seconds]) if name in found[0].seconds else np.nan
        rows.append(
            (
                name,
                len(errors),
                f"{errors.mean():+.2f}",
                f"{np.abs(errors).mean():.2f}",
                f"{np.percentile(np.abs(errors), 95):.2f}",
                f"{errors.max():+.2f}",
                f"{np.abs(notched).mean():.2f} / {notched.max():+.2f}",
                missed,
                f"{seconds:.2f}",
            )
        )
    head = (
        "method",
        "phantoms",
        "bias (mm)",
        "mean error (mm)",
        "95th percentile (mm)",
        "widest over (mm)",
        "notched: mean / widest over (mm)",
        "number above 3 mm, truth not",
        "processor time (s)",
    )
    return evidence.table(head, rows)


def _whole(region: Region | None) -> Region | None:
    if region is None:
        return None
    return replace(region, mask=region.mask.with_values((region.mask.values > 0.5).astype(np.float32)), binary=True)


def _three(regions: tuple[Region | None, ...]) -> tuple[Region, Region, Region | None]:
    tumor, zone, liver = regions
    if tumor is None or zone is None:
        raise ValueError("a phantom without tumor or zone")
    return tumor, zone, liver


if __name__ == "__main__":
    cyclopts.run(main)
