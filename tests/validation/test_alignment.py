"""The alignment's benchmark measures what it says: with the true motion nothing is left, without any the whole of it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.phantom.degrade import Degradations, shift_of
from service.phantom.patient import render
from service.phantom.recipe import random_recipe
from service.regions.region import Kind
from service.study.model import Role
from service.volumes.align import align
from tests.validation.alignment import near_zone, shown_at

BREATH = Degradations(seed=7, snr=20.0, bias=0.3, gain=0.3, breathing=12.0)
PHASES = (Role.T1_PRE, Role.PORTAL_VENOUS)


def test_a_breath_is_taken_out_to_a_fraction_of_a_voxel() -> None:
    """The goal of 1 mm near the zone holds for a rigid motion; what deformation leaves is measured by the long run."""
    patient = render(replace(random_recipe(7), degradations=BREATH), PHASES)
    moving, points = patient.phases[Role.PORTAL_VENOUS], near_zone(patient.masks[Kind.ABLATION_ZONE])
    still = shown_at(points, moving, BREATH, Role.PORTAL_VENOUS) - points
    np.testing.assert_allclose(still, np.broadcast_to(-shift_of(BREATH, Role.PORTAL_VENOUS), still.shape), atol=1e-4)
    found = align(patient.phases[Role.T1_PRE], moving)
    at = points @ found.motion[:3, :3].T + found.motion[:3, 3]
    assert np.linalg.norm(shown_at(at, moving, BREATH, Role.PORTAL_VENOUS) - points, axis=1).mean() <= 1.0


def test_a_bend_is_as_large_as_it_was_wished() -> None:
    """The field that a phantom was bent by is the one that the benchmark reads."""
    bent = replace(BREATH, breathing=0.0, warp=3.0)
    grid = random_recipe(7).t1.empty()
    points = grid.to_mm(np.argwhere(np.ones(grid.shape, dtype=bool))[::50].astype(float))
    moved = np.linalg.norm(shown_at(points, grid, bent, Role.ARTERIAL) - points, axis=1)
    assert moved.max() == pytest.approx(2.5, abs=0.6)
    assert np.abs(shown_at(points, grid, bent, Role.T1_PRE) - points).max() == 0
