"""The margin of the product's own phantoms against their truth, with contours in fractions and in whole voxels.

Four grids, tumor and zone at random sub-voxel places, every third tumor below the capsule. Seeds and limits are fixed before
the method is looked at. What only these show: the closed truth of the phantoms that the service has within, and cells of 1 mm.
How often an interval holds is a matter of more phantoms: the fixed tenth of the margin's validation has 500 of other shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from service.codes import UNDETERMINED
from service.features.margin import AT_MOST_3, THRESHOLD, categorize
from service.features.precision import disagreement, precision
from service.phantom.bodies import Grown
from service.phantom.patient import AROUND
from service.phantom.recipe import Wish, random_recipe
from service.phantom.sample import fraction, index_box
from service.phantom.scene import bodies
from service.phantom.truth import minimum_margin
from service.regions.margin_surface import margin_surface
from service.regions.region import Kind, Region
from service.study.model import Vector
from service.volumes.volume import Volume

GRIDS: tuple[Vector, ...] = ((1.0, 1.0, 1.0), (3.0, 1.2, 1.2), (4.0, 1.4, 1.4), (3.0, 1.4, 1.4))
EACH = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """One phantom: error of the minimum (mm), whether the category is wrong or withheld, whether the interval holds."""

    error: float
    wrong: bool
    equivocal: bool
    covered: bool
    clear: bool


def wish(seed: int) -> Wish:
    return Wish(subcapsular=seed % 3 == 0)


@cache
def truth(seed: int) -> float:
    """The true margin of one random phantom, mm; it is the same on every grid."""
    return minimum_margin(random_recipe(seed, None, wish(seed)).lesion).value


@cache
def masks(seed: int, spacing: Vector) -> tuple[Volume, Volume, Volume]:
    """Its tumor, zone and liver in fractions; whole voxels are made of them."""
    recipe = random_recipe(seed, spacing, wish(seed))
    near = recipe.t1.empty().crop(*index_box(recipe.t1.empty(), Grown(recipe.lesion.zone_body, AROUND).bounds()))
    shapes = bodies(recipe)
    tumor, zone, liver = (fraction(shapes[kind], near) for kind in (Kind.TUMOR, Kind.ABLATION_ZONE, Kind.LIVER))
    return tumor, zone, liver


def drawn(kind: Kind, mask: Volume, *, binary: bool) -> Region:
    return Region(kind, mask.with_values((mask.values > 0.5).astype(np.float32)) if binary else mask, "truth", binary=binary)


def measure(seed: int, spacing: Vector, *, binary: bool) -> Outcome:
    """The margin of one random phantom from its true contours."""
    tumor, zone, liver = masks(seed, spacing)
    surface = margin_surface(
        drawn(Kind.TUMOR, tumor, binary=binary),
        drawn(Kind.ABLATION_ZONE, zone, binary=binary),
        drawn(Kind.LIVER, liver, binary=binary),
    )
    sure = precision(surface.minimum, surface, THRESHOLD)
    category, _ = categorize(sure, entire=True, disagreement=disagreement(surface))
    equivocal = category == UNDETERMINED
    return Outcome(
        error=surface.minimum - truth(seed),
        wrong=not equivocal and (category == AT_MOST_3) != (truth(seed) <= THRESHOLD),
        equivocal=equivocal,
        covered=sure.low <= truth(seed) <= sure.high,
        clear=abs(truth(seed) - THRESHOLD) >= 1.0,
    )


@pytest.mark.slow
def test_margin_from_fractions() -> None:
    """Contours in fractions: the number is right, the interval honest, the category never confidently wrong."""
    found = [measure(1000 + seed, grid, binary=False) for grid in GRIDS for seed in range(EACH)]
    errors = np.abs([outcome.error for outcome in found])
    assert errors.mean() < 0.25
    assert errors.max() < 0.8
    assert not any(outcome.wrong for outcome in found)
    assert sum(not outcome.covered for outcome in found) <= 3  # of 20: where 95 of 100 hold, more fail once in 60 such samples
    assert np.mean([outcome.equivocal for outcome in found if outcome.clear]) <= 0.10


@pytest.mark.slow
def test_margin_from_whole_voxels_is_less_sure_but_never_confidently_wrong() -> None:
    """A reader's SEG knows whole voxels only: at slices of 3 and 4 mm the error grows, and so must the interval."""
    found = [measure(1000 + seed, grid, binary=True) for grid in GRIDS for seed in range(EACH)]
    assert np.mean(np.abs([outcome.error for outcome in found])) < 0.45
    assert not any(outcome.wrong for outcome in found)
    assert np.mean([outcome.covered for outcome in found]) >= 0.9
