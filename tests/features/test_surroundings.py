"""What surrounds the zone: rim, perfusion anomaly, fluid and blood against what was painted, and none where nothing was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.features import surroundings
from service.features.case import Case
from service.features.finding import Status
from service.phantom.bodies import Ball, Body, Intersection
from service.phantom.degrade import TYPICAL
from service.phantom.patient import make_patient, render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.sample import fraction, volume_ml
from service.phantom.vessels import VesselKind
from service.regions.region import Region
from service.study.model import Role
from service.volumes.volume import Volume
from tests.features.conftest import case_of, named


@pytest.mark.parametrize("width", [2.5, 5.0])
def test_thickness_of_the_rim_is_that_of_the_phantom(width: float) -> None:
    recipe = random_recipe(13, (2.0, 1.2, 1.2), Wish(vessel=VesselKind.NONE, margin=5.0))
    found = named(surroundings.measure(case_of(render(replace(recipe, rim=width, degradations=replace(TYPICAL, seed=3))))))
    assert found["rim_thickness"].value == pytest.approx(width, abs=1.0)
    assert found["rim_continuity"].value == pytest.approx(100.0, abs=5.0)


def test_without_a_rim_none_is_seen() -> None:
    recipe = random_recipe(13, (2.0, 1.2, 1.2), Wish(vessel=VesselKind.NONE, margin=5.0))
    found = named(surroundings.measure(case_of(render(replace(recipe, rim=0.0, degradations=replace(TYPICAL, seed=3))))))
    share = found["rim_continuity"].value
    assert share is not None
    assert share < 10.0


def painted(case: Case, role: Role, body: Body, level: float) -> Case:
    """The case with a body of another brightness in one phase."""
    image = case.phases[role]
    share = fraction(body, image).values
    phases: dict[Role, Volume] = {
        **case.phases,
        role: image.with_values(image.values + share * (np.float32(level) - image.values)),
    }
    return replace(case, phases=phases)


def beside(case: Case, away: float) -> tuple[float, float, float]:
    """A point in the liver, `away` mm from the zone's middle toward the liver's."""
    zone, liver = (
        (region.mask.to_mm(np.argwhere(region.mask.values > 0.5).astype(np.float64)).mean(axis=0)) for region in regions(case)
    )
    way = liver - zone if np.linalg.norm(liver - zone) > 1.0 else np.array([0.0, 0.0, 1.0])
    x, y, z = zone + away * way / np.linalg.norm(way)
    return float(x), float(y), float(z)


def regions(case: Case) -> tuple[Region, Region]:
    if case.zone is None or case.liver is None:
        pytest.fail("the case has contours")
    return case.zone, case.liver


@pytest.fixture(scope="module")
def plain() -> Case:
    return case_of(make_patient(13, margin=6.0, vessel=VesselKind.NONE))


@pytest.mark.parametrize("name", ["perfusion_anomaly", "fluid", "haematoma"])
def test_nothing_is_seen_where_nothing_is(plain: Case, name: str) -> None:
    found = named(surroundings.measure(plain))[name]
    assert found.category == surroundings.NONE_SEEN
    assert found.value is None


@pytest.mark.parametrize(("name", "role", "level"), [("fluid", Role.T2, 350.0), ("haematoma", Role.T1_PRE, 210.0)])
def test_volume_of_fluid_and_blood_in_the_zone(plain: Case, name: str, role: Role, level: float) -> None:
    ball = Ball(beside(plain, 0.0), 8.0)
    zone, _ = regions(plain)
    case = replace(painted(plain, role, ball, level), tumor=None)
    found = named(surroundings.measure(case))[name]
    inside = fraction(ball, zone.mask).values * (zone.mask.values > 0)
    assert found.value == pytest.approx(float(inside.sum()) * zone.mask.voxel_volume, rel=0.35)


def test_volume_of_a_perfusion_anomaly(plain: Case) -> None:
    recipe = make_patient(13, margin=6.0, vessel=VesselKind.NONE).recipe
    middle = beside(plain, 22.0)
    body = Intersection((Ball(middle, 9.0), recipe.lesion.liver))
    found = named(surroundings.measure(painted(plain, Role.ARTERIAL, body, 200.0)))["perfusion_anomaly"]
    assert found.value is not None
    assert 0.2 * volume_ml(body) < found.value < 1.3 * volume_ml(body)


@pytest.mark.parametrize(
    ("name", "role"),
    [("fluid", Role.T2), ("haematoma", Role.T1_PRE), ("rim_thickness", Role.T1_PRE), ("perfusion_anomaly", Role.ARTERIAL)],
)
def test_a_missing_image_has_its_reason(plain: Case, name: str, role: Role) -> None:
    phases: dict[Role, Volume] = {other: volume for other, volume in plain.phases.items() if other != role}
    found = named(surroundings.measure(replace(plain, phases=phases)))[name]
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None


def test_contours_that_contradict_the_images_give_nothing(plain: Case) -> None:
    found = surroundings.measure(replace(plain, missing={"contours": "They lie elsewhere."}))
    assert {finding.status for finding in found} == {Status.NOT_ASSESSABLE}
    assert len(found) == len(surroundings.NAMES)
