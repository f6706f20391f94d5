"""The order in which phases brighten: right ones pass, every swap is noticed."""

from __future__ import annotations

from itertools import permutations

import pytest

from service.phantom.degrade import Degradations
from service.phantom.patient import PhantomPatient, make_patient
from service.study.model import Role
from service.volumes.brightening import contradictions
from service.volumes.volume import Volume

ROLES = (Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED)
HARD = Degradations(snr=12.0, bias=0.3, gain=0.3, breathing=4.0)


@pytest.fixture(scope="module", params=[3, 4])
def phases(request: pytest.FixtureRequest) -> dict[Role, Volume]:
    """Noise, coil bias, different gain, and breathing that nobody took out."""
    patient: PhantomPatient = make_patient(request.param, degradations=HARD)
    return {role: patient.phases[role] for role in ROLES}


def test_phases_that_are_what_they_are_called_pass(phases: dict[Role, Volume]) -> None:
    assert contradictions(phases) == ()


def test_every_swap_is_noticed_and_names_a_role_that_is_wrong(phases: dict[Role, Volume]) -> None:
    for order in permutations(ROLES):
        wrong = {called for called, true in zip(ROLES, order, strict=True) if called is not true}
        found = contradictions({called: phases[true] for called, true in zip(ROLES, order, strict=True)})
        assert bool(found) == bool(wrong)
        assert all(wrong & set(one.roles) for one in found)


@pytest.mark.parametrize("missing", ROLES[1:])
def test_a_swap_of_what_is_left_is_noticed_too(phases: dict[Role, Volume], missing: Role) -> None:
    first, second = (role for role in ROLES[1:] if role is not missing)
    kept = {role: volume for role, volume in phases.items() if role is not missing}
    assert contradictions(kept) == ()
    assert contradictions(kept | {first: kept[second], second: kept[first]})


def test_without_a_phase_before_contrast_nothing_is_said(phases: dict[Role, Volume]) -> None:
    swapped = {Role.ARTERIAL: phases[Role.DELAYED], Role.DELAYED: phases[Role.ARTERIAL]}
    assert contradictions(swapped) == ()


def test_an_image_of_nothing_is_not_judged(phases: dict[Role, Volume]) -> None:
    empty = {role: volume.with_values(volume.values * 0) for role, volume in phases.items()}
    assert contradictions(empty) == ()
