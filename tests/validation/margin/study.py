"""One phantom measured: what was found, beside the truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from service.codes import UNDETERMINED
from service.errors import Unusable
from service.features.margin import AT_MOST_3, THRESHOLD, categorize
from service.features.margin_distribution import weighted_percentile
from service.features.precision import DISAGREE, Precision, precision_of, second_off
from service.features.size import millilitres
from service.regions.margin_surface import Evidence, MarginSurface, margin_surface
from service.regions.narrow import narrow_places
from service.regions.region import Region
from tests.validation.many import Kept
from tests.validation.margin.family import GRIDS, UNTUNED, Recipe, recipe
from tests.validation.margin.known import PERCENTILES, SHARES, Known, known_of
from tests.validation.margin.render import render

GOOD = 1.0  # mm from the threshold: what should be told
THICKEST = 4.0  # mm: thicker slices may leave every margin open


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a phantom before it is measured; `stated` (mm): the doubt that the contours state."""

    seed: int
    shape: str
    grid: str
    seen: str
    binary: bool
    blur: float
    noise: float
    stated: float
    oblique: bool

    @property
    def tuned(self) -> bool:
        """Whether its shape was among those that the method was tuned on."""
        return self.shape not in UNTUNED


@dataclass(frozen=True, slots=True)
class Outcome:
    """A phantom as measured, mm unless said; `value` is NaN where nothing was measured, and `refusal` says why.

    `shares` (points) and `percentiles`: errors of the distribution. `place`: from the true place of the minimum to the
    narrowest point of the nearest place that is told; `tied`: to the nearest point of any of them. `evidence`: what the
    precision depends on. `volume` (%): error of the tumor's volume. `uncovered` (mL): found and true volume of untreated
    liver in the tumor and near it. `contact` (%): error of the capsule's contact area. `seconds` of processor time.
    """

    of: Place
    truth: float
    value: float
    evidence: Evidence | None = None
    shares: tuple[float, ...] = ()
    percentiles: tuple[float, ...] = ()
    place: float = np.nan
    tied: float = np.nan
    volume: float = np.nan
    uncovered: tuple[tuple[float, float], ...] = ()
    contact: float = np.nan
    seconds: float = np.nan
    refusal: str = ""

    @property
    def error(self) -> float:
        """Of the minimum."""
        return self.value - self.truth

    @property
    def sure(self) -> Precision:
        """The precision of the minimum."""
        return precision_of(self.value, self.told, self.value, THRESHOLD)

    @property
    def told(self) -> Evidence:
        """What the precision depends on, of a phantom that was measured."""
        if self.evidence is None:
            raise ValueError(f"phantom {self.of.seed} was not measured: {self.refusal}")
        return self.evidence

    @property
    def disagreement(self) -> float:
        """How far the second measurement is off, mm."""
        return second_off(self.told, self.value)

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.sure.low <= self.truth <= self.sure.high

    @property
    def equivocal(self) -> bool:
        """Whether no category is asserted."""
        return bool(self.refusal) or self._category() == UNDETERMINED

    @property
    def wrong(self) -> bool:
        """Whether the category asserted is the other one."""
        return not self.equivocal and (self._category() == AT_MOST_3) != (self.truth <= THRESHOLD)

    @property
    def clear(self) -> bool:
        """Whether the truth is so far from the threshold that an answer is expected."""
        return abs(self.truth - THRESHOLD) >= GOOD

    @property
    def good(self) -> bool:
        """Whether the input is such that a clear margin must get an answer: no stated doubt, slices of at most 4 mm."""
        return not self.of.stated and GRIDS[self.of.grid][0] <= THICKEST

    @property
    def methods_disagree(self) -> bool:
        """Whether the second measurement is why nothing is asserted."""
        return self.disagreement > DISAGREE

    def _category(self) -> object:
        return categorize(self.sure, entire=True, disagreement=self.disagreement)[0]


def measure(seed: int, known: Known | None = None) -> Outcome:
    """The phantom of a seed; its truth is found anew where it is not `known`."""
    drawn = recipe(seed)
    truth, regions = known or known_of(seed), render(drawn)
    begin = time.process_time()
    try:
        surface = margin_surface(*regions)
    except Unusable as fault:
        return Outcome(_place(drawn), truth.minimum, np.nan, refusal=fault.code)
    seconds = time.process_time() - begin
    if drawn.jitter or drawn.slip_sd:  # nothing else is known of it
        return Outcome(_place(drawn), truth.minimum, surface.minimum, surface.evidence, seconds=seconds)
    return _outcome(drawn, truth, regions[0], surface, seconds)


def measure_against(path: Path, seed: int) -> Outcome:
    """The same against a truth that is kept in a file of `Kept`."""
    return measure(seed, _truths(path)[seed])


@cache
def _truths(path: Path) -> dict[int, Known]:
    return Kept(path).found


def _place(drawn: Recipe) -> Place:
    return Place(
        seed=drawn.seed,
        shape=drawn.shape.value,
        grid=drawn.grid_name,
        seen=drawn.seen.value,
        binary=drawn.binary,
        blur=drawn.blur,
        noise=drawn.noise,
        stated=max(drawn.jitter, drawn.slip_sd),
        oblique=any(drawn.grid.tilt),
    )


def _outcome(drawn: Recipe, truth: Known, tumor: Region, surface: MarginSurface, seconds: float) -> Outcome:
    everything = np.ones(len(surface.points), dtype=bool)
    listed = narrow_places(surface, everything)
    narrowest, all_of = (
        surface.points[[one.narrowest for one in listed]],
        surface.points[np.concatenate([one.all for one in listed])],
    )
    total = surface.areas.sum()
    return Outcome(
        of=_place(drawn),
        truth=truth.minimum,
        value=surface.minimum,
        evidence=surface.evidence,
        shares=tuple(
            100.0 * (float(surface.areas[surface.margin <= limit].sum() / total) - share)
            for limit, share in zip(SHARES, truth.shares, strict=True)
        ),
        percentiles=tuple(
            weighted_percentile(surface.margin, surface.areas, percent) - true
            for percent, true in zip(PERCENTILES, truth.percentiles, strict=True)
        ),
        place=float(np.linalg.norm(narrowest - truth.place, axis=1).min()),
        tied=float(np.linalg.norm(all_of - truth.place, axis=1).min()),
        volume=100.0 * (millilitres(tumor) / truth.tumor_ml - 1.0),
        uncovered=_uncovered(truth, surface),
        contact=_contact(truth, surface),
        seconds=seconds,
    )


def _uncovered(truth: Known, surface: MarginSurface) -> tuple[tuple[float, float], ...]:
    """Found and true, mL."""
    if np.isnan(truth.uncovered).any():
        return ()
    return tuple((surface.uncovered.get(near, np.nan), there) for near, there in zip(SHARES, truth.uncovered, strict=True))


def _contact(truth: Known, surface: MarginSurface) -> float:
    return np.nan if surface.contact is None else 100.0 * (surface.contact / truth.contact - 1.0)
