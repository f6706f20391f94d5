"""Tumor enhancement: right within a few percent, never from another gain, always with its sentence."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from service.codes import NO, UNDETERMINED, YES
from service.features import enhancement
from service.features.case import Case
from service.features.finding import Status
from service.phantom.degrade import TYPICAL
from service.phantom.patient import render
from service.phantom.recipe import Wish, random_recipe
from service.study.model import Role
from tests.features.conftest import case_of, named

PORTAL = "tumor_enhancement_portal_venous"


@cache
def case_with(percent: float) -> Case:
    """A tumor of 9 mm radius that enhances by `percent`."""
    recipe = random_recipe(5, (3.0, 1.4, 1.4), Wish(tumor_radius=9.0, enhancement=percent / 100.0))
    return case_of(render(replace(recipe, degradations=replace(TYPICAL, seed=5, breathing=0.0))))


@pytest.mark.parametrize(("percent", "answer"), [(0.0, NO), (60.0, YES), (107.0, YES), (260.0, YES)])
def test_enhancement_within_5_points(percent: float, answer: object) -> None:
    found = named(enhancement.measure(case_with(percent)))[PORTAL]
    assert pytest.approx(percent, abs=5.0) == found.value
    assert found.category == answer
    assert "Not predictive" in found.note


def test_percentile_90_is_that_of_the_tumor_and_not_of_its_noise() -> None:
    """A tumor that enhances alike everywhere: noise alone would add 15 points."""
    found = named(enhancement.measure(case_with(60.0)))["enhancement_p90_portal_venous"]
    assert pytest.approx(60.0, abs=5.0) == found.value
    assert "Not predictive" in found.note


@pytest.mark.parametrize(("inner", "outer", "answer"), [(0.0, 0.8, "RIM"), (0.8, 0.8, "SOLID"), (0.0, 0.0, "NONE")])
def test_pattern_is_where_the_tumor_enhances(inner: float, outer: float, answer: str) -> None:
    case = case_with(0.0)
    if case.tumor is None:
        pytest.fail("the case has a tumor")
    mask = case.tumor.mask
    depth = distance_transform_edt(mask.values > 0.5, sampling=mask.spacing)
    gain = np.where(depth > 5.0, inner, outer) * mask.values
    phases = {
        role: volume if role is Role.T1_PRE else volume.with_values((volume.values * (1.0 + gain)).astype(np.float32))
        for role, volume in case.phases.items()
    }
    found = named(enhancement.measure(replace(case, phases=phases)))["enhancement_pattern"]
    assert found.category == getattr(enhancement, answer)
    assert "Not predictive" in found.note


def test_phases_that_do_not_lie_on_each_other_give_no_enhancement() -> None:
    found = named(enhancement.measure(replace(case_with(60.0), residuals={Role.T1_PRE: 2.5})))[PORTAL]
    assert found.reason is not None
    assert found.reason.code == "enhancement.registration"


def test_value_near_the_limit_is_undetermined() -> None:
    found = named(enhancement.measure(case_with(20.0)))[PORTAL]
    assert found.category == UNDETERMINED


def test_another_gain_between_the_phases_is_noticed() -> None:
    """Ablated tissue takes up nothing: when it gets brighter, the scanner changed."""
    case = case_with(0.0)
    portal = case.phases[Role.PORTAL_VENOUS]
    louder = {**case.phases, Role.PORTAL_VENOUS: portal.with_values(portal.values * 1.5)}
    found = named(enhancement.measure(replace(case, phases=louder)))[PORTAL]
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None
    assert found.reason.code == "enhancement.gain"


@pytest.mark.parametrize("missing", [Role.T1_PRE, Role.PORTAL_VENOUS])
def test_missing_phase_has_its_reason(wide: Case, missing: Role) -> None:
    phases = {role: volume for role, volume in wide.phases.items() if role is not missing}
    found = named(enhancement.measure(replace(wide, phases=phases)))[PORTAL]
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None
    assert found.reason.code == "enhancement.no_phase"


def test_unknown_tumor_has_its_reason(wide: Case) -> None:
    found = enhancement.measure(replace(wide, tumor=None, missing={"tumor": "It cannot be seen."}))
    assert {"It cannot be seen."} == {finding.reason.sentence for finding in found if finding.reason}
    assert len(found) == len(enhancement.NAMES)


def test_tumor_of_a_few_voxels_is_all_edge(wide: Case) -> None:
    if wide.tumor is None:
        pytest.fail("the case has no tumor")
    thin = replace(wide.tumor, mask=wide.tumor.mask.with_values(wide.tumor.mask.values * 0.9))
    found = named(enhancement.measure(replace(wide, tumor=thin)))[PORTAL]
    assert found.reason is not None
    assert found.reason.code == "enhancement.tumor_too_small"


def test_swapped_phases_are_noticed(wide: Case) -> None:
    """Taken for the one before contrast, a later phase would turn every enhancement into none."""
    before, portal = wide.phases[Role.T1_PRE], wide.phases[Role.PORTAL_VENOUS]
    found = named(enhancement.measure(replace(wide, phases={**wide.phases, Role.T1_PRE: portal, Role.PORTAL_VENOUS: before})))
    for name in (PORTAL, "tumor_enhancement_arterial", "tumor_enhancement_delayed"):
        assert found[name].status is Status.NOT_ASSESSABLE


def test_contours_that_contradict_the_images_give_no_enhancement() -> None:
    case = case_with(60.0)
    found = enhancement.measure(replace(case, missing={"contours": "They lie elsewhere."}))
    assert {"They lie elsewhere."} == {finding.reason.sentence for finding in found if finding.reason}
    assert len([finding for finding in found if finding.status is Status.MEASURED]) == 0
