"""Noise and blur of a mask are found in the mask itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from service.volumes.point_spread import filled, softness
from service.volumes.volume import Volume
from tests.shapes import ball, fractions, grid

CENTER = (0.7, -0.4, 0.9)


def seen(spacing: tuple[float, float, float], blur: float, noise: float, radius: float = 12.0) -> Volume:
    """A ball whose edge is blurred by `blur` voxels, with noise on every fraction."""
    mask = fractions(ball(radius, CENTER), grid(24.0, spacing))
    values = ndimage.gaussian_filter(mask.values, blur) + np.random.default_rng(4).normal(0, noise, mask.shape)
    return mask.with_values(np.clip(values, 0.0, 1.0).astype(np.float32))


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (3.0, 1.2, 1.2), (4.0, 1.0, 1.0)])
@pytest.mark.parametrize(("blur", "noise"), [(0.0, 0.0), (0.4, 0.0), (0.6, 0.0), (0.6, 0.1)])
def test_blur_is_found_within_a_third_of_a_voxel(spacing: tuple[float, float, float], blur: float, noise: float) -> None:
    (found,) = softness([seen(spacing, blur, noise)])
    for size, width in zip(spacing, found.blur, strict=True):
        # What counts is the whole width of the edge, the voxel's own included: a narrow blur hides beside it.
        truth = np.hypot(blur * size, size / np.sqrt(12))
        assert np.hypot(width, size / np.sqrt(12)) == pytest.approx(truth, abs=size / 3 + 0.05)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
def test_noise_is_found_where_nothing_is(noise: float) -> None:
    (found,) = softness([seen((3.0, 1.2, 1.2), 0.4, noise)])
    assert found.noise == pytest.approx(noise, abs=0.01)


def test_specks_far_away_are_no_part_of_the_body() -> None:
    mask = seen((3.0, 1.2, 1.2), 0.4, 0.1)
    (found,) = softness([mask])
    assert mask.values[:, :2].max() > 0
    assert found.mask.values[:, :2].max() == 0
    assert found.mask.values[tuple(size // 2 for size in mask.shape)] == 1


def test_masks_made_alike_share_their_blur() -> None:
    """A small body alone says little; beside a large one of the same kind it is judged by both."""
    small, large = (seen((3.0, 1.2, 1.2), 0.6, 0.0, radius) for radius in (4.0, 14.0))
    together = softness([small, large])
    assert together[0].blur == together[1].blur
    assert together[0].blur[1] == pytest.approx(softness([large])[0].blur[1], abs=0.1)


def test_empty_mask_has_no_blur() -> None:
    (found,) = softness([grid(10.0)])
    assert found.blur == (0.0, 0.0, 0.0)
    assert found.noise == 0.0


@pytest.mark.parametrize("spacing", [(1.5, 1.5, 1.5), (3.0, 1.2, 1.2), (5.0, 0.8, 0.8)])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1])
def test_noise_adds_nothing_to_a_volume(spacing: tuple[float, float, float], noise: float) -> None:
    """Noise that was clipped to 0-1 does: there are more empty voxels around a small tumor than it has itself."""
    mask = seen(spacing, 0.4, noise, radius=6.0)
    assert filled(mask) * mask.voxel_volume == pytest.approx(4 / 3 * np.pi * 6.0**3 / 1000, rel=0.04)
