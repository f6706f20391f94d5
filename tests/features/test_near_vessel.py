"""The largest vessel near the tumor and the zone: its diameter where one is, "none seen" where none is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.features import near_vessel
from service.features.case import Case
from service.features.finding import Status
from service.phantom.patient import render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.vessels import VesselKind
from service.study.model import Role
from service.volumes.volume import Volume
from tests.features.conftest import case_of, named


@pytest.mark.parametrize("diameter", [4.0, 8.0])
def test_a_vessel_beside_the_zone_is_measured(diameter: float) -> None:
    recipe = random_recipe(7, (2.0, 1.2, 1.2), Wish(vessel=VesselKind.ABUTS, diameter=diameter, margin=8.0))
    found = named(near_vessel.measure(case_of(render(recipe))))
    assert found["largest_vessel_zone_3_mm"].value == pytest.approx(diameter, abs=1.5)
    assert found["largest_vessel_tumor_3_mm"].category == near_vessel.NONE_SEEN


def test_without_a_portal_venous_phase_nothing_is_said(wide: Case) -> None:
    phases: dict[Role, Volume] = {role: volume for role, volume in wide.phases.items() if role != Role.PORTAL_VENOUS}
    found = near_vessel.measure(replace(wide, phases=phases))
    assert {finding.status for finding in found} == {Status.NOT_ASSESSABLE}
    assert len(found) == len(near_vessel.NAMES)
