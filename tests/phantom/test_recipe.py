"""Chance draws what was wished, within its ranges, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from service.phantom.bodies import Ball, HalfSpace
from service.phantom.recipe import Wish, random_recipe, with_dent
from service.phantom.truth import minimum_margin
from service.phantom.vessels import VesselKind, classify


def test_a_seed_gives_one_recipe() -> None:
    assert repr(random_recipe(3)) == repr(random_recipe(3))
    assert random_recipe(3) != random_recipe(4)


@pytest.mark.parametrize("margin", [-2.0, 1.0, 3.0, 7.0, 10.0])
@pytest.mark.parametrize("size", ["small", "clinical"])
def test_a_wished_margin_is_met(margin: float, size: str) -> None:
    wish = Wish("small" if size == "small" else "clinical", VesselKind.NONE, margin=margin, round_tumor=True)
    for seed in range(3):
        assert pytest.approx(margin, abs=1.0) == minimum_margin(random_recipe(seed, wish=wish).lesion).value


def test_margins_and_tumors_range_as_promised() -> None:
    lesions = [random_recipe(seed, wish=Wish("clinical", VesselKind.NONE)).lesion for seed in range(60)]
    margins = np.array([minimum_margin(lesion).value for lesion in lesions])
    radii = [part.radius for lesion in lesions for part in lesion.tumor if len(lesion.tumor) == 1 and isinstance(part, Ball)]
    assert margins.min() < -0.5
    assert margins.max() > 8
    assert 0.2 < (margins <= 3).mean() < 0.7
    assert min(radii) >= 5
    assert max(radii) <= 15
    assert {1, 2, 3} == {len(lesion.capsules) for lesion in lesions}


@pytest.mark.parametrize("kind", VesselKind)
def test_a_wished_vessel_is_there(kind: VesselKind) -> None:
    recipe = random_recipe(5, wish=Wish(vessel=kind))
    assert kind is recipe.vessel
    assert (kind is VesselKind.NONE) == (recipe.tube is None)
    assert kind.value.startswith("bridge") == classify(recipe.lesion, recipe.tube).bridges


def test_the_spacing_changes_and_the_field_of_view_stays() -> None:
    recipe = random_recipe(1, (4.0, 1.2, 1.2), Wish("clinical"))
    assert recipe.t1.spacing == (4.0, 1.2, 1.2)
    assert recipe.t1.shape == (54, 260, 320)


def test_other_vessels_keep_away_from_the_zone() -> None:
    recipe = random_recipe(2)
    assert recipe.others
    for tube in recipe.others:
        axis, radii = tube.axis()
        assert (recipe.lesion.ice.distance(axis) - radii).min() >= 5.99


def test_a_subcapsular_tumor_lies_at_a_flat_surface() -> None:
    lesion = random_recipe(2, wish=Wish(subcapsular=True, round_tumor=True)).lesion
    assert isinstance(lesion.liver, HalfSpace)
    tumor = lesion.tumor[0]
    assert isinstance(tumor, Ball)
    assert 0.4 < -float(lesion.liver.distance(np.array(tumor.center))) - tumor.radius < 3.1


def test_a_dent_needs_a_vessel_that_leaves_room() -> None:
    with_vessel = random_recipe(1, wish=Wish("clinical", VesselKind.GAP_4, margin=6.0))
    assert with_dent(with_vessel, 2.0).lesion.dent is not None
    bridging = random_recipe(1, wish=Wish("clinical", VesselKind.BRIDGE_STRAIGHT))
    assert with_dent(bridging) == bridging
    without = random_recipe(1, wish=Wish("clinical", VesselKind.NONE))
    assert with_dent(without) == without


def test_a_wish_that_cannot_be_met_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.phantom.recipe.ATTEMPTS", 2)
    with pytest.raises(ValueError, match="no lesion with a vessel"):
        random_recipe(1, wish=Wish(vessel=VesselKind.GAP_4, diameter=60.0))
