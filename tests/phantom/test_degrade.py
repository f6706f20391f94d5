"""Each effect does what it says, and only that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.phantom.degrade import CLEAN, POOR, Degradations, degrade, shift_of, smooth_field
from service.phantom.sample import Grid
from service.study.model import Role
from service.volumes.volume import Volume


@pytest.fixture
def flat() -> Volume:
    return Grid((20, 40, 50), (3.0, 1.4, 1.4)).empty(100.0)


@pytest.fixture
def edge(flat: Volume) -> Volume:
    values = flat.values.copy()
    values[:, :, :25] = 0
    return flat.with_values(values)


def test_clean_changes_nothing(flat: Volume) -> None:
    assert (flat.values == degrade(flat, CLEAN, Role.ARTERIAL).values).all()


@pytest.mark.parametrize("snr", [10.0, 20.0, 40.0])
def test_noise_is_as_strong_as_stated(flat: Volume, snr: float) -> None:
    values = degrade(flat, Degradations(snr=snr), Role.T1_PRE).values
    assert pytest.approx(100 / snr, rel=0.03) == values.std()


def test_noise_without_signal_is_rician(flat: Volume) -> None:
    values = degrade(flat.with_values(0 * flat.values), Degradations(snr=20), Role.T1_PRE).values
    assert pytest.approx(5 * np.sqrt(np.pi / 2), rel=0.03) == values.mean()


def test_each_effect_has_its_own_seed(flat: Volume) -> None:
    """Another gain leaves the noise as it is; another seed or phase does not."""
    plain = degrade(flat, Degradations(snr=20), Role.DELAYED).values
    scaled = degrade(flat, Degradations(snr=20, gain=0.3), Role.DELAYED).values
    assert np.ptp(scaled / plain) < 1e-5
    assert not np.allclose(plain, degrade(flat, Degradations(seed=1, snr=20), Role.DELAYED).values)
    assert not np.allclose(plain, degrade(flat, Degradations(snr=20), Role.ARTERIAL).values)


def test_the_coil_is_the_same_in_all_phases(flat: Volume) -> None:
    how = Degradations(bias=0.3)
    values = degrade(flat, how, Role.T1_PRE).values
    assert pytest.approx(30, rel=1e-3) == np.abs(values - 100).max()
    assert (values == degrade(flat, how, Role.DELAYED).values).all()


def test_a_smooth_field_is_smooth() -> None:
    field = smooth_field((20, 40, 50), np.random.default_rng(0))
    assert pytest.approx(1.0) == np.abs(field).max()
    assert max(np.abs(np.diff(field, axis=axis)).max() for axis in range(3)) < 0.4


def test_breathing_moves_all_but_the_first_phase() -> None:
    how = replace(POOR, seed=4)
    assert not shift_of(how, Role.T1_PRE).any()
    shifts = [np.linalg.norm(shift_of(how, role)) for role in (Role.ARTERIAL, Role.DELAYED, Role.T2)]
    assert all(0 < shift <= 5.1 for shift in shifts)
    assert not shift_of(CLEAN, Role.ARTERIAL).any()


def test_a_warp_moves_edges_by_some_millimeters(edge: Volume) -> None:
    warped = degrade(edge, Degradations(warp=4.0), Role.ARTERIAL).values
    moved = (warped.sum(axis=2) - edge.values.sum(axis=2)) / 100 * 1.4
    assert 0.3 < np.abs(moved).max() <= 4.0
    assert (edge.values == degrade(edge, Degradations(warp=4.0), Role.T1_PRE).values).all()


def test_blur_widens_an_edge(edge: Volume) -> None:
    row = degrade(edge, Degradations(blur=1.4), Role.T1_PRE).values[10, 20]
    assert np.allclose((5.8, 30.1, 69.9, 94.2), row[23:27], atol=0.5)


def test_truncation_rings(edge: Volume) -> None:
    row = degrade(edge, Degradations(gibbs=0.6), Role.T1_PRE).values[10, 20]
    assert row.max() > 105


def test_a_ghost_appears_half_a_field_of_view_away(flat: Volume) -> None:
    values = 0 * flat.values
    values[10, 5, 20] = 100
    ghost = degrade(flat.with_values(values), Degradations(ghost=0.05), Role.T1_PRE).values
    assert (ghost[10, 5, 20], ghost[10, 25, 20]) == (100.0, 5.0)
