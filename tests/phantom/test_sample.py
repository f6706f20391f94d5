"""Fractions do not depend on where the grid lies."""

from __future__ import annotations

import numpy as np
import pytest

from service.phantom.bodies import Ball, Capsule, Difference, Ellipsoid, Tube, Union
from service.phantom.sample import Grid, fraction, sub_offsets, volume_ml

SPACINGS = [(1.0, 1.0, 1.0), (3.0, 1.2, 1.2), (4.0, 1.4, 1.4)]
BODY = Difference(Union((Ball((0, 0, 0), 9), Ellipsoid((6, 2, 1), (8, 5, 7)))), Tube(((-9, 0, 4), (9, 3, 4)), 4, 2))


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("tilt", [(0.0, 0.0), (15.0, 10.0)])
def test_the_sum_of_fractions_is_the_volume(spacing: tuple[float, float, float], tilt: tuple[float, float]) -> None:
    shape = (int(40 / spacing[0]), int(40 / spacing[1]), int(40 / spacing[2]))
    sums = []
    for center in ((0.0, 0.0, 0.0), (0.4, -0.3, 1.1)):
        mask = fraction(Ball((0.1, 0.2, 0.3), 10), Grid(shape, spacing, center, tilt).empty())
        sums.append(float(mask.values.sum()) * mask.voxel_volume)
    assert pytest.approx([4 / 3 * np.pi, 4 / 3 * np.pi], rel=0.004) == sums


def test_voxels_far_from_the_surface_are_skipped_rightly() -> None:
    """Supersampling only near a surface gives the same as supersampling everywhere."""
    grid = Grid((12, 24, 30), (3.0, 1.4, 1.4), (1.3, 0.4, -0.8), (10.0, 0.0)).empty()
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)[..., None, :] + sub_offsets()
    everywhere = (BODY.distance(grid.to_mm(index)) < 0).mean(axis=-1)
    assert np.abs(everywhere - fraction(BODY, grid).values).max() < 1e-6


def test_the_grid_runs_in_lps_from_feet_to_head() -> None:
    volume = Grid((4, 5, 6), (3.0, 1.4, 1.2), (10.0, 20.0, 30.0)).empty()
    assert np.allclose((10, 20, 30), volume.to_mm(np.array([1.5, 2.0, 2.5])))
    assert np.allclose((1.2, 1.4, 3.0), volume.to_mm(np.array([1.0, 1, 1])) - volume.to_mm(np.zeros(3)))


def test_a_tilted_grid_keeps_right_angles_and_hand() -> None:
    axes = Grid((4, 5, 6), (3.0, 1.4, 1.2), tilt=(12.0, 20.0)).affine[:3, :3]
    assert np.allclose(np.diag([9, 1.96, 1.44]), axes.T @ axes)
    assert np.linalg.det(axes[:, ::-1]) > 0


def test_a_body_outside_the_grid_fills_nothing() -> None:
    assert not fraction(Ball((500, 0, 0), 5), Grid((4, 5, 6), (3.0, 1.4, 1.2)).empty()).values.any()


def test_volumes_of_capsules() -> None:
    closed = (np.pi * 10**2 * 20 + 4 / 3 * np.pi * 10**3) / 1000
    assert pytest.approx(closed, rel=1e-3) == volume_ml(Capsule((0, 0, 0), (12, 16, 0), 10))
