"""Filters as products: what they make is what scipy's make, and nobody can change a matrix that is kept."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy import ndimage

from service.volumes.products import along, kept, smooth, twicing

SHAPES = [(3, 40, 70), (65, 33, 5), (1, 2, 34)]  # shorter than a kernel, and longer than a block of rows
WIDTHS = (0.6, 0.0, 1.7)


def some(shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(3).normal(0.0, 4.0, shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["nearest", "reflect", "constant"])
def test_smoothing_is_that_of_a_filter(shape: tuple[int, int, int], mode: Literal["nearest", "reflect", "constant"]) -> None:
    expected = ndimage.gaussian_filter(some(shape), WIDTHS, mode=mode)
    np.testing.assert_allclose(smooth(some(shape), WIDTHS, mode), expected, atol=5e-6)


def test_smoothing_of_a_part_of_an_array() -> None:
    """Whose rows do not follow each other in memory."""
    part = some((20, 30, 40))[::2, 3:, ::-1]
    np.testing.assert_allclose(smooth(part, WIDTHS), ndimage.gaussian_filter(part, WIDTHS), atol=5e-6)


def test_twicing_keeps_a_quadratic() -> None:
    line = np.linspace(-2.0, 2.0, 50, dtype=np.float32) ** 2
    bowl = line[:, None, None] + line[None, :, None] + line[None, None, :]
    inner = (slice(12, -12),) * 3
    np.testing.assert_allclose(twicing(bowl, (1.0, 1.0, 1.0), "nearest")[inner], bowl[inner], atol=1e-5)
    assert np.abs(smooth(bowl, (1.0, 1.0, 1.0), "nearest") - bowl)[inner].min() > 0.005


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_lines_along_an_axis(axis: int) -> None:
    values, weights = some((7, 8, 9)), some((1, 80, 7 + axis))[0]
    expected = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    np.testing.assert_allclose(along(values, axis, weights), expected, rtol=1e-4, atol=1e-3)


def test_a_kept_matrix_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        kept(np.eye(2))[0, 0] = 2.0
