"""Voxels cut into cells."""

from __future__ import annotations

import numpy as np
import pytest

from service.volumes.cells import cell_size, cuts_of, gather, interpolate, on_cells, repeat, spread
from tests.shapes import grid


def test_cells_lie_inside_their_voxel() -> None:
    volume = grid(6.0)
    cuts = cuts_of(volume)
    cells = on_cells(repeat(volume.values > 0, cuts).astype(np.float32), volume, cuts)
    corner = np.array([[-0.5, -0.5, -0.5]])
    np.testing.assert_allclose(volume.to_mm(corner), cells.to_mm(corner), atol=1e-9)
    assert pytest.approx(cell_size(volume, cuts)) == cells.spacing
    assert pytest.approx((1.5, 1.2, 1.2)) == cells.spacing


def test_mean_of_the_cells_is_the_voxel() -> None:
    values = np.random.default_rng(1).random((3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(gather(spread(values, (1, 1, 1), 3), (1, 1, 1)), values)
    np.testing.assert_allclose(gather(np.repeat(values, 2, axis=0), (2, 1, 1)), values)


def test_interpolated_image_keeps_a_ramp() -> None:
    volume = grid(12.0)
    ramp = volume.with_values(np.broadcast_to(np.arange(volume.shape[0], dtype=np.float32)[:, None, None], volume.shape).copy())
    middle = interpolate(ramp).values[3:-3, 0, 0]
    np.testing.assert_allclose(np.full(len(middle) - 1, 1 / cuts_of(volume)[0]), np.diff(middle), atol=1e-5)
