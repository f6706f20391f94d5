"""How the tumor looks: against the signals that its phantom was painted with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.codes import NO, YES
from service.features import tumor_signal
from service.features.case import Case
from service.features.finding import Status
from service.phantom.signals import Tissue, signal
from service.regions.visibility import Visibility
from service.study.model import Role
from service.volumes.volume import Volume
from tests.features.conftest import named


def shown(case: Case, tumor: float, liver: float) -> Volume:
    """An image of two tissues with 2 % noise."""
    if case.tumor is None:
        pytest.fail("the case has no tumor")
    share = case.tumor.mask.values
    noise = np.random.default_rng(5).normal(1.0, 0.02, share.shape)
    return case.tumor.mask.with_values(((liver + share * (tumor - liver)) * noise).astype(np.float32))


def with_image(case: Case, role: Role, image: Volume) -> Case:
    phases: dict[Role, Volume] = {**case.phases, role: image}
    return replace(case, phases=phases)


def test_ratio_on_t1_is_that_of_the_tissues(wide: Case) -> None:
    found = named(tumor_signal.measure(wide))["tumor_t1_ratio"]
    true = signal(Tissue.TUMOR, Role.T1_PRE) / signal(Tissue.LIVER, Role.T1_PRE)
    assert found.value == pytest.approx(true, abs=0.1)


@pytest.mark.parametrize("role", [Role.T2, Role.DWI])
def test_ratio_is_measured_on_each_image(wide: Case, role: Role) -> None:
    found = named(tumor_signal.measure(with_image(wide, role, shown(wide, 150.0, 100.0))))[f"tumor_{role}_ratio"]
    assert found.value == pytest.approx(1.5, abs=0.02)
    assert found.interval is not None
    assert found.interval[0] < 1.5 < found.interval[1]


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6])
def test_diffusion_is_the_same_in_whatever_unit_the_map_is(wide: Case, scale: float) -> None:
    found = named(tumor_signal.measure(with_image(wide, Role.ADC, shown(wide, 1500.0 * scale, 1100.0 * scale))))["tumor_adc"]
    assert found.value == pytest.approx(1500.0, rel=0.02)


def test_a_map_in_which_liver_cannot_be_liver_is_not_read(wide: Case) -> None:
    found = named(tumor_signal.measure(with_image(wide, Role.ADC, shown(wide, 70.0, 50.0))))["tumor_adc"]
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None
    assert found.reason.code == "tumor_signal.adc_scale"


def test_an_image_that_lies_elsewhere_is_not_compared(wide: Case) -> None:
    case = replace(with_image(wide, Role.DWI, shown(wide, 150.0, 100.0)), residuals={Role.DWI: 4.0})
    found = named(tumor_signal.measure(case))["tumor_dwi_ratio"]
    assert found.reason is not None
    assert found.reason.code == "tumor_signal.registration"


@pytest.mark.parametrize(("lost", "answer"), [(0.02, YES), (0.8, NO)])
def test_visible_is_what_can_be_told_from_ablated_tissue(wide: Case, lost: float, answer: object) -> None:
    if wide.surface is None:
        pytest.fail("the case has no surface")
    seen = Visibility(np.ones(len(wide.surface.points), dtype=bool), {"tumor_contrast": lost})
    found = named(tumor_signal.measure(replace(wide, visibility=seen)))["tumor_visible"]
    assert found.category == answer
    assert found.value == pytest.approx(100.0 * (1.0 - lost))


def test_without_contours_everything_has_its_reason(wide: Case) -> None:
    found = tumor_signal.measure(replace(wide, tumor=None, surface=None, visibility=None))
    assert {finding.status for finding in found} == {Status.NOT_ASSESSABLE}
    assert len(found) == len(tumor_signal.NAMES)
