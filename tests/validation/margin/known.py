"""What is true of a phantom and is held against a measurement, in a few numbers: searched for once, then kept in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.validation.margin.around import contact_mm2, uncovered_ml
from tests.validation.margin.family import Scene, recipe, sphere
from tests.validation.margin.truth import truth_of

SHARES = (0.0, 3.0, 5.0, 10.0)  # mm
PERCENTILES = (2.0, 5.0, 50.0)
PROBES, FROM_CENTER, FAR = 40, (6.0, 14.0, 24.0), 50.0  # directions, mm, mm: where a scene is probed
COLUMNS = (
    "seed,mark,minimum,place_x,place_y,place_z,"
    "share_0,share_3,share_5,share_10,percentile_2,percentile_5,percentile_50,"
    "tumor_ml,contact_mm2,uncovered_0,uncovered_3,uncovered_5,uncovered_10"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is true of one phantom, mm unless said; of contours that state a doubt of their own the minimum alone, else NaN.

    `mark`: a number that changes with its shapes. `shares` (0-1) of the surface with a margin of at most `SHARES`. `contact`
    (mm2) with the capsule, NaN where none is known. `uncovered` (mL): untreated liver in the tumor and within `SHARES` of it.
    """

    mark: float
    minimum: float
    place: tuple[float, ...]
    shares: tuple[float, ...]
    percentiles: tuple[float, ...]
    tumor_ml: float
    contact: float
    uncovered: tuple[float, ...]

    @property
    def numbers(self) -> tuple[float, ...]:
        """All of it, in the order of `COLUMNS`."""
        single = (self.mark, self.minimum, *self.place, *self.shares, *self.percentiles)
        return *single, self.tumor_ml, self.contact, *self.uncovered

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Known:
        """Back from `numbers`."""
        mark, minimum, *more = numbers
        return cls(mark, minimum, tuple(more[:3]), tuple(more[3:7]), tuple(more[7:10]), more[10], more[11], tuple(more[12:]))


def known_of(seed: int) -> Known:
    """The truth of the phantom of a seed, found anew."""
    drawn = recipe(seed)
    truth = truth_of(drawn.scene)
    if drawn.jitter or drawn.slip_sd:
        return only(truth.minimum, drawn.scene)
    return Known(
        mark=mark(drawn.scene),
        minimum=truth.minimum,
        place=tuple(float(value) for value in truth.place),
        shares=tuple(truth.share(limit) for limit in SHARES),
        percentiles=tuple(truth.percentile(percent) for percent in PERCENTILES),
        tumor_ml=truth.tumor_ml,
        contact=contact_mm2(drawn.scene) or np.nan,
        uncovered=uncovered_ml(drawn.scene, SHARES, seed),
    )


def only(minimum: float, scene: Scene) -> Known:
    """The minimum alone."""
    return Known.of((mark(scene), minimum, *[np.nan] * (COLUMNS.count(",") - 2)))


def mark(scene: Scene) -> float:
    """The mean distance (mm) of points around a tumor to its surface, the ice and the liver: other shapes, another mark."""
    center = np.array(scene.tumor.center)
    points = center + np.concatenate([distance * sphere(PROBES) for distance in FROM_CENTER])
    away = [body.distance(points) for body in (scene.tumor, scene.ice, scene.liver)]
    return float(np.mean(np.clip(away, -FAR, FAR)))


def write(path: Path, known: Mapping[int, Known]) -> None:
    """A line for each seed."""
    rows = [",".join((str(seed), *(f"{value:.5f}" for value in known[seed].numbers))) for seed in sorted(known)]
    path.write_text("\n".join([COLUMNS, *rows, ""]))


def read(path: Path) -> dict[int, Known]:
    """The truth of each seed in a file that `write` made."""
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return {int(seed): Known.of([float(value) for value in values]) for seed, *values in rows}
