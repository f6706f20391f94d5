from __future__ import annotations

from dataclasses import replace

import numpy as np

from service.phantom.degrade import CLEAN
from service.phantom.dynamics import with_uptake
from service.phantom.patient import render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.signals import PHASES
from service.regions.region import Kind
from service.study.model import Role


def test_another_uptake_is_what_painting_it_would_have_given() -> None:
    """To the resolution of the masks: the tumor covers everything, so adding is painting."""
    recipe = replace(random_recipe(3, wish=Wish(enhancement=0.6, tumor_radius=7.0)), degradations=CLEAN)
    roles = (Role.T1_PRE, Role.ARTERIAL)
    changed = with_uptake(render(recipe, roles), {Role.ARTERIAL: 1.07})
    painted = render(replace(recipe, enhancement=1.07), roles)
    assert np.abs(changed.phases[Role.ARTERIAL].values - painted.phases[Role.ARTERIAL].values).max() < 0.01
    assert np.array_equal(changed.phases[Role.T1_PRE].values, painted.phases[Role.T1_PRE].values)


def test_a_patient_can_be_made_in_some_phases_only() -> None:
    recipe = replace(random_recipe(3), degradations=CLEAN)
    some, all_phases = render(recipe, (Role.PORTAL_VENOUS, Role.T1_PRE)), render(recipe)
    assert tuple(some.phases) == (Role.T1_PRE, Role.PORTAL_VENOUS)
    assert tuple(all_phases.phases) == PHASES
    assert np.array_equal(some.phases[Role.PORTAL_VENOUS].values, all_phases.phases[Role.PORTAL_VENOUS].values)
    assert some.masks.keys() == all_phases.masks.keys() >= {Kind.TUMOR}
