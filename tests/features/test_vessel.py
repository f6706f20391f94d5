"""A vessel bridging the margin: seen when it is there, never stated absent where it could hide."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from service.codes import UNDETERMINED, Code
from service.features import vessel
from service.features.case import Case
from service.features.finding import Finding, Status
from service.phantom.degrade import TYPICAL
from service.phantom.patient import PhantomPatient, make_patient, render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.vessels import VesselKind
from service.regions.vessel_kind import Filling
from service.study.model import Role
from service.volumes.surface import sample
from service.volumes.volume import Volume
from tests.features.conftest import case_of, named

BRIDGING = (VesselKind.BRIDGE_STRAIGHT, VesselKind.BRIDGE_OBLIQUE, VesselKind.BRIDGE_CURVED)


@pytest.fixture
def thick(wide: Case) -> Case:
    """A case whose margin counts as 8 mm everywhere, so that only what is tested can stand against an absence."""
    if wide.surface is None:
        pytest.fail("the case has no surface")
    across = wide.surface.points + 8.0 * np.array([0.0, 0.0, 1.0])
    return replace(wide, surface=replace(wide.surface, nearest=across, margin=np.full_like(wide.surface.margin, 8.0)))


@cache
def patient_with(seed: int, kind: VesselKind) -> PhantomPatient:
    """A typical patient in the phases that a vessel is looked for in."""
    recipe = random_recipe(seed, None, Wish(vessel=kind))
    return render(replace(recipe, degradations=replace(TYPICAL, seed=seed)), (Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS))


@cache
def case_with(seed: int, kind: VesselKind) -> Case:
    """That patient, looked at once for all tests."""
    return case_of(patient_with(seed, kind))


def answer(case: Case) -> Finding:
    """The finding about the vessel."""
    return named(vessel.measure(case))["bridging_vessel"]


@pytest.mark.parametrize("kind", BRIDGING)
def test_bridging_vessel_is_seen(kind: VesselKind) -> None:
    assert answer(case_with(11, kind)).category == vessel.BRIDGES


@pytest.mark.parametrize("kind", [kind for kind in VesselKind if kind not in BRIDGING])
@pytest.mark.parametrize("seed", [11, 14])
def test_vessel_that_does_not_reach_the_tumor_is_never_called_bridging(kind: VesselKind, seed: int) -> None:
    found = answer(case_with(seed, kind))
    assert found.category != vessel.BRIDGES
    if found.category in {None, UNDETERMINED}:
        assert found.reason is not None


def test_absence_is_stated_when_the_margin_is_thick_and_seen(thick: Case) -> None:
    assert answer(thick).category in {vessel.NONE_SEEN, vessel.ABUTS}


def test_absence_is_not_stated_where_a_phase_does_not_cover_the_margin(thick: Case) -> None:
    """A breath moved the phase before contrast: some slices of the margin lie outside of it."""
    if thick.zone is None:
        pytest.fail("the case has no zone")
    before = thick.phases[Role.T1_PRE]
    first = int(np.flatnonzero((thick.zone.mask.values > 0.5).any(axis=(1, 2)))[0])
    values = before.values.copy()
    values[: first + 3] = np.nan
    found = answer(replace(thick, phases={**thick.phases, Role.T1_PRE: before.with_values(values)}))
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None
    assert found.reason.code == "vessel.part_not_assessable"


def test_absence_is_not_stated_where_the_volume_ends_in_the_zone(thick: Case) -> None:
    if thick.surface is None:
        pytest.fail("the case has no surface")
    found = answer(replace(thick, surface=replace(thick.surface, closed=False)))
    assert found.status is Status.NOT_ASSESSABLE


def test_absence_is_not_stated_where_the_margin_is_thin(narrow: Case) -> None:
    """A margin of less than 1 mm on slices of 3 mm cannot exclude a vessel."""
    found = answer(narrow)
    assert found.category in {None, vessel.BRIDGES, UNDETERMINED}
    if found.category is None:
        assert found.reason is not None
        assert found.reason.code == "vessel.shell_thin"


def test_blood_in_the_tract_is_no_vessel_without_the_phase_before_contrast() -> None:
    case = case_with(11, VesselKind.BRIDGE_STRAIGHT)
    found = answer(replace(case, phases={role: volume for role, volume in case.phases.items() if role is not Role.T1_PRE}))
    assert found.category == UNDETERMINED
    assert found.reason is not None
    assert found.reason.code in {"vessel.no_subtraction", "vessel.faint"}


def test_no_portal_venous_phase_is_not_assessable(wide: Case) -> None:
    phases: dict[Role, Volume] = {role: volume for role, volume in wide.phases.items() if role != Role.PORTAL_VENOUS}
    for found in vessel.measure(replace(wide, phases=phases)):
        assert found.status is Status.NOT_ASSESSABLE
        assert found.reason is not None
        assert found.reason.code == "vessel.no_portal_venous"


def test_images_without_contrast_are_not_assessable(wide: Case) -> None:
    """Portal-venous equal to before contrast: nothing takes up contrast, so nothing can be excluded."""
    noise = np.random.default_rng(4).normal(0, 1, wide.phases[Role.T1_PRE].shape).astype(np.float32)
    before = wide.phases[Role.T1_PRE]
    phases: dict[Role, Volume] = {**wide.phases, Role.PORTAL_VENOUS: before.with_values(before.values + noise)}
    found = answer(replace(wide, phases=phases))
    assert found.category in {None, UNDETERMINED}


def test_measures_of_a_bridging_vessel_are_those_of_its_shape() -> None:
    patient = patient_with(13, VesselKind.BRIDGE_CURVED)
    found = named(vessel.measure(case_with(13, VesselKind.BRIDGE_CURVED)))
    diameter, length, contrast = (found[name].value for name in ("vessel_diameter", "vessel_length", "vessel_contrast"))
    assert diameter == pytest.approx(patient.truth.vessel.diameter, abs=1.0)
    assert length == pytest.approx(patient.truth.vessel.in_margin, abs=4.0)
    assert contrast is not None
    assert contrast > 6.0
    assert "portal-venous" in found["bridging_vessel"].note


def test_a_vein_that_fills_a_little_in_the_arterial_phase_is_a_portal_branch_and_one_that_fills_at_once_an_artery() -> None:
    case = case_with(13, VesselKind.BRIDGE_CURVED)
    assert named(vessel.measure(case))["vessel_filling"].category == vessel.FILLINGS[Filling.PORTAL]
    before, portal = case.phases[Role.T1_PRE], case.phases[Role.PORTAL_VENOUS]
    shares = {0.6: Filling.ARTERIAL, 0.0: Filling.UNDETERMINED}  # where no vein fills at all, a late one tells nothing
    for share, kind in shares.items():
        early = before.with_values(before.values + np.float32(share) * (portal.values - before.values))
        found = vessel.measure(replace(case, phases={**case.phases, Role.ARTERIAL: early}))
        assert named(found)["vessel_filling"].category == vessel.FILLINGS[kind]


def test_a_vessel_of_2_mm_is_uncertain() -> None:
    recipe = random_recipe(13, (2.0, 1.4, 1.4), Wish(vessel=VesselKind.BRIDGE_STRAIGHT, diameter=2.0, margin=5.0))
    found = answer(case_of(render(replace(recipe, degradations=replace(TYPICAL, seed=13)))))
    assert found.category == UNDETERMINED
    assert found.reason is not None
    assert found.reason.code in {"vessel.thin", "vessel.faint"}


def test_gap_is_given_only_where_a_vessel_enters_the_margin(wide: Case) -> None:
    found = named(vessel.measure(wide))["vessel_gap"]
    assert found.status is Status.NOT_ATTEMPTED


@pytest.mark.parametrize(
    ("kind", "wish", "category"),
    [
        (VesselKind.BRIDGE_CURVED, {}, vessel.BRIDGES),
        (VesselKind.DEAD_END, {"margin": 8.0, "spacing": (2.0, 1.4, 1.4)}, vessel.TRAVERSES),
    ],
)
def test_path_runs_inside_the_lumen_from_the_edge_of_the_zone_toward_the_tumor(
    kind: VesselKind, wish: dict[str, Any], category: Code
) -> None:
    patient = make_patient(13, vessel=kind, **wish) if wish else patient_with(13, kind)
    case = case_of(patient) if wish else case_with(13, kind)
    found = answer(case)
    tube, surface = patient.recipe.tube, case.surface
    if tube is None or surface is None or case.zone is None:
        pytest.fail("the phantom has a vessel and a margin")
    path, axis = np.array(found.path), np.asarray(tube.axis(0.5)[0])
    off_axis = np.linalg.norm(path[:, None] - axis[None], axis=2).min(axis=1)
    to_tumor = np.linalg.norm(path[:, None] - surface.points[None], axis=2).min(axis=1)

    assert found.category == category
    assert off_axis.max() < tube.diameter / 2.0
    assert len(path) > 3
    assert to_tumor[-1] == to_tumor.min()
    gap = named(vessel.measure(case))["vessel_gap"].value or 0.0
    assert to_tumor[-1] == pytest.approx(gap, abs=1.5)
    zone = case.zone.mask
    assert sample(zone, path).min() > 0.5, "the path lies in the ablation zone"


def test_without_an_answer_there_is_no_path(wide: Case) -> None:
    assert answer(wide).path == ()
