"""The zero level of the field is the surface of the body, wherever voxels, blur and noise put it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from service.volumes.level_field import level_field, level_field_of_voxels
from service.volumes.point_spread import softness
from service.volumes.surface import isosurface
from service.volumes.volume import Volume
from tests.shapes import Points, ball, fractions, grid

CENTER = (0.7, -0.4, 0.9)
SPACINGS = [(1.0, 1.0, 1.0), (3.0, 1.2, 1.2), (4.0, 1.0, 1.0)]


def radii(field: Volume) -> np.ndarray:
    """Distances of the surface from the center, mm."""
    return np.asarray(np.linalg.norm(isosurface(field, 0.0).vertices - np.array(CENTER), axis=1))


def of_fractions(mask: Volume) -> Volume:
    return level_field(softness([mask])[0])


@pytest.mark.parametrize("spacing", SPACINGS)
def test_ball_of_fractions_has_its_radius(spacing: tuple[float, float, float]) -> None:
    found = radii(of_fractions(fractions(ball(8.0, CENTER), grid(14.0, spacing))))
    assert pytest.approx(8.0, abs=0.1) == found.mean()
    assert np.abs(found - 8.0).max() < 0.4


@pytest.mark.parametrize("spacing", SPACINGS)
def test_blurred_ball_does_not_shrink(spacing: tuple[float, float, float]) -> None:
    """Its half level does, by .2 to .5 mm: that would be a margin too wide."""
    mask = fractions(ball(7.0, CENTER), grid(18.0, spacing))
    blurred = mask.with_values(ndimage.gaussian_filter(mask.values, 0.6))
    half = np.linalg.norm(isosurface(blurred, 0.5).vertices - np.array(CENTER), axis=1).mean()
    found = radii(of_fractions(blurred)).mean()
    assert found == pytest.approx(7.0, abs=0.15)
    assert abs(found - 7.0) < abs(half - 7.0)


def test_noise_moves_the_surface_little() -> None:
    mask = fractions(ball(9.0, CENTER), grid(18.0))
    noisy = np.clip(mask.values + np.random.default_rng(2).normal(0, 0.1, mask.shape), 0, 1).astype(np.float32)
    found = radii(of_fractions(mask.with_values(noisy)))
    assert found.mean() == pytest.approx(9.0, abs=0.1)
    assert np.abs(found - 9.0).max() < 0.9


@pytest.mark.parametrize("spacing", SPACINGS)
def test_ball_of_whole_voxels_keeps_its_radius_within_a_fraction_of_a_slice(spacing: tuple[float, float, float]) -> None:
    mask = fractions(ball(8.0, CENTER), grid(14.0, spacing))
    found = radii(level_field_of_voxels(mask.with_values((mask.values > 0.5).astype(np.float32))))
    assert pytest.approx(8.0, abs=0.3) == found.mean()


def test_notch_is_not_smoothed_away() -> None:
    """A pit of 4 mm across and 5 mm deep: a surface that is smooth everywhere would be 5 mm off at its bottom."""
    tip = np.array(CENTER) + np.array([7.0, 0.0, 0.0])

    def notched(points: Points) -> np.ndarray:
        beside = np.linalg.norm((points - tip)[..., 1:], axis=-1)
        pit = ((points - tip)[..., 0] > 0) & (beside < 2.0)
        return np.asarray(ball(12.0, CENTER)(points) & ~pit)

    field = of_fractions(fractions(notched, grid(18.0, (1.5, 1.5, 1.5))))
    vertices = isosurface(field, 0.0).vertices - np.array(CENTER)
    bottom = vertices[(np.linalg.norm(vertices[:, 1:], axis=1) < 0.7) & (vertices[:, 0] > 0)]
    assert bottom[:, 0].mean() == pytest.approx(7.0, abs=0.8)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_mask_without_a_surface_stays_without(value: float) -> None:
    volume = grid(6.0)
    full = volume.with_values(np.full(volume.shape, value, np.float32))
    assert isosurface(level_field_of_voxels(full), 0.0).empty
    assert isosurface(of_fractions(full), 0.0).empty
