"""`just validate-alignment`: how far phases lie from their place after alignment, on phantoms moved and bent by known fields.

Each phantom shows the patient in three phases at other places than in the one before contrast: moved by a breath, and bent by
a smooth field. The error is measured where a margin could be: in the zone and within 20 mm of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cyclopts
import numpy as np
from rich.console import Console
from rich.markdown import Markdown
from scipy import ndimage

from service.errors import Unusable
from service.phantom.degrade import Degradations, shift_of, warp_of
from service.phantom.patient import PhantomPatient, render
from service.phantom.recipe import random_recipe
from service.regions.region import Kind
from service.study.model import Role
from service.volumes.align import align
from service.volumes.volume import Matrix, Volume
from tests.validation import evidence

FIRST = 90_001  # odd seeds are for the report
AROUND = 20.0  # mm of the zone
BREATHS, WARPS, SNRS = (0.0, 5.0, 10.0, 15.0), (0.0, 2.0, 3.0, 4.0), (10.0, 20.0, 40.0)  # mm, mm
MOVING = (Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED)
PHASES = (Role.T1_PRE, *MOVING)


@dataclass(frozen=True, slots=True)
class Seen:
    """One phase: how much it was bent (mm), and after alignment mean and root mean square error and the stated residual (mm).

    `processor_s` is the time of the alignment; `refused` says that the phase was left out.
    """

    warp: float
    mean: float = 0.0
    rms: float = 0.0
    stated: float = 0.0
    processor_s: float = 0.0
    refused: bool = False


def main(cases: int = 32, *, first: int = FIRST, write: bool = True) -> None:
    """Measure `cases` phantoms from seed `first` on, print the figures and put them into docs/evidence.md."""
    started = time.monotonic()
    seen = [one for number in range(cases) for one in phases_of(number, first)]
    body = f"{evidence.stamp('just validate-alignment', time.monotonic() - started)}\n\n{table(seen)}"
    Console().print(Markdown(body))
    if write:
        evidence.replace("alignment", body)


def phases_of(number: int, first: int = FIRST) -> Iterator[Seen]:
    """The three moved phases of one phantom, each aligned to the one before contrast."""
    seed = first + 2 * number
    how = Degradations(
        seed=seed,
        snr=SNRS[number % len(SNRS)],
        bias=0.3,
        gain=0.3,
        breathing=BREATHS[(number + number // len(WARPS)) % len(BREATHS)],
        warp=WARPS[number % len(WARPS)],
    )
    patient = render(replace(random_recipe(seed), degradations=how), PHASES)
    return (_aligned(patient, how, role) for role in MOVING)


def _aligned(patient: PhantomPatient, how: Degradations, role: Role) -> Seen:
    moving, points = patient.phases[role], near_zone(patient.masks[Kind.ABLATION_ZONE])
    started = time.process_time()
    try:
        found = align(patient.phases[Role.T1_PRE], moving)
    except Unusable:
        return Seen(how.warp, refused=True)
    spent = time.process_time() - started
    at = points @ found.motion[:3, :3].T + found.motion[:3, 3]
    off = np.linalg.norm(shown_at(at, moving, how, role) - points, axis=1)
    return Seen(how.warp, float(off.mean()), float(np.sqrt(np.mean(off**2))), found.residual, spent)


def near_zone(zone: Volume) -> Matrix:
    """Points (n, 3; LPS mm) in the zone and within 20 mm of it."""
    away = ndimage.distance_transform_edt(zone.values <= 0.5, sampling=zone.spacing)
    return zone.to_mm(np.argwhere(away < AROUND)[::7].astype(np.float64))


def shown_at(places: Matrix, moving: Volume, how: Degradations, role: Role) -> Matrix:
    """The point of the patient, as it lay before contrast, that a phase shows at each of these places."""
    field, index = warp_of(moving, how, role), moving.to_index(places).T
    bent = np.stack([ndimage.map_coordinates(part, index, order=1, mode="nearest") for part in field], axis=1)
    axes = moving.affine[:3, :3] / np.array(moving.spacing)
    return np.asarray(places + bent @ axes.T - shift_of(how, role))


def table(seen: Sequence[Seen]) -> str:
    """A line for each strength of the bend."""
    rows = [_row(warp, [one for one in seen if one.warp == warp]) for warp in sorted({one.warp for one in seen})]
    head = (
        "bent by up to",
        "phases",
        "refused",
        "error: mean (largest of a phase)",
        "at most 1 mm",
        "stated / true (median, 10 to 90 %)",
        "within 25 %",
        "processor time a phase",
    )
    return evidence.table(head, rows)


def _row(warp: float, seen: Sequence[Seen]) -> tuple[object, ...]:
    known = [one for one in seen if not one.refused]
    means = [one.mean for one in known]
    ratios = [one.stated / max(one.rms, 0.05) for one in known]
    low, middle, high = np.percentile(ratios, [10, 50, 90]) if ratios else (np.nan,) * 3
    return (
        f"{warp:g} mm",
        len(seen),
        len(seen) - len(known),
        f"{np.mean(means):.2f} mm ({max(means):.2f})" if means else "",
        f"{sum(mean <= 1.0 for mean in means)} of {len(known)}",
        f"{middle:.1f} ({low:.1f} to {high:.1f})",
        f"{sum(abs(ratio - 1) <= 0.25 for ratio in ratios)} of {len(known)}",
        f"{np.median([one.processor_s for one in known]):.2f} s" if known else "",
    )


if __name__ == "__main__":
    cyclopts.run(main)
