"""The refined level field explains the fractions and finds the surface between them."""

from __future__ import annotations

import numpy as np
import pytest

from service.volumes.refine import interpolate, refine, refine_binary
from service.volumes.surface import isosurface
from service.volumes.volume import Volume
from tests.shapes import ball, fractions, grid

CENTER = (0.7, -0.4, 0.9)


def radii(field: Volume) -> np.ndarray:
    """Distances of the 0.5 surface from the center, mm."""
    return np.asarray(np.linalg.norm(isosurface(field).vertices - np.array(CENTER), axis=1))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.2, 1.2), (4.0, 1.4, 1.4)])
def test_ball_of_fractions_has_its_radius(spacing: tuple[float, float, float]) -> None:
    found = radii(refine(fractions(ball(8.0, CENTER), grid(14.0, spacing))))
    assert pytest.approx(8.0, abs=0.1) == found.mean()
    assert np.abs(found - 8.0).max() < 0.5


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.2, 1.2), (4.0, 1.4, 1.4)])
def test_ball_of_whole_voxels_keeps_its_radius_within_a_fraction_of_a_slice(spacing: tuple[float, float, float]) -> None:
    mask = fractions(ball(8.0, CENTER), grid(14.0, spacing))
    found = radii(refine_binary(mask.with_values((mask.values > 0.5).astype(np.float32))))
    assert pytest.approx(8.0, abs=0.35) == found.mean()


def test_cells_of_a_voxel_fill_it_as_far_as_was_seen() -> None:
    """The field explains the fractions; without the rounds of back-projection it is off by more than .1."""
    mask = fractions(ball(6.0, CENTER), grid(12.0, (4.0, 1.4, 1.4)))
    cells = np.clip(refine(mask).values, 0.0, 1.0)
    k, j, i = mask.shape
    filled = cells.reshape(k, 4, j, 1, i, 1).mean(axis=(1, 3, 5))
    assert np.abs(filled - mask.values).max() < 0.1


def test_cells_lie_inside_their_voxel() -> None:
    volume = grid(6.0)
    cells = refine(volume.with_values(np.ones(volume.shape, np.float32)))
    corner = np.array([[-0.5, -0.5, -0.5]])
    np.testing.assert_allclose(volume.to_mm(corner), cells.to_mm(corner), atol=1e-9)
    assert pytest.approx((1.0, 1.2, 1.2)) == cells.spacing


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_binary_mask_without_a_surface_stays_without(value: float) -> None:
    volume = grid(6.0)
    field = refine_binary(volume.with_values(np.full(volume.shape, value, np.float32)))
    assert isosurface(field).empty
    assert refine(volume).shape == field.shape


def test_interpolated_image_keeps_a_ramp() -> None:
    volume = grid(12.0)
    ramp = volume.with_values(np.broadcast_to(np.arange(volume.shape[0], dtype=np.float32)[:, None, None], volume.shape).copy())
    cells = interpolate(ramp)
    middle = cells.values[3:-3, 0, 0]
    np.testing.assert_allclose(np.full(len(middle) - 1, 1 / 3), np.diff(middle), atol=1e-5)
