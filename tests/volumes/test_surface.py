"""Surfaces and distances to their triangles."""

from __future__ import annotations

import numpy as np
import pytest

from service.volumes.surface import Mesh, isosurface, nearest_points, sample
from tests.shapes import ball, fractions, grid

SQUARE = Mesh(
    np.array([[0.0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]]),
    np.array([[0, 1, 2], [0, 2, 3]]),
)


@pytest.mark.parametrize(
    ("point", "nearest"),
    [
        ((1.0, 2.0, 3.0), (1.0, 2.0, 0.0)),  # above a face
        ((2.0, -3.0, 0.0), (2.0, 0.0, 0.0)),  # beside an edge
        ((-3.0, -4.0, 0.0), (0.0, 0.0, 0.0)),  # beyond a corner
        ((2.0, 2.0, 0.0), (2.0, 2.0, 0.0)),  # on it
    ],
)
def test_nearest_point_is_on_the_triangle_and_not_only_a_corner(
    point: tuple[float, float, float], nearest: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose([nearest], nearest_points(np.array([point]), SQUARE), atol=1e-12)


def test_nearest_points_agree_with_a_dense_search() -> None:
    mesh = isosurface(fractions(ball(7.0), grid(12.0, (2.0, 1.2, 1.2))))
    rng = np.random.default_rng(7)
    points = rng.uniform(-12, 12, (200, 3))
    weights = rng.dirichlet((1, 1, 1), 60)
    corners = mesh.vertices[mesh.faces]
    dense = np.einsum("wc,fcx->fwx", weights, corners).reshape(-1, 3)
    found = np.linalg.norm(nearest_points(points, mesh) - points, axis=1)
    best = np.array([np.linalg.norm(dense - point, axis=1).min() for point in points])
    assert (found <= best + 1e-9).all()
    assert (best - found).max() < 0.15


def test_area_of_a_ball() -> None:
    mesh = isosurface(fractions(ball(9.0), grid(13.0, (1.0, 1.0, 1.0))))
    assert pytest.approx(4 * np.pi * 81, rel=0.03) == mesh.vertex_areas().sum()


def test_nothing_crosses_the_level() -> None:
    assert isosurface(grid(6.0)).empty


def test_sample_between_voxels() -> None:
    volume = grid(6.0, (1.0, 1.0, 1.0))
    index = np.stack(np.meshgrid(*[np.arange(size) for size in volume.shape], indexing="ij"), axis=-1).astype(np.float64)
    x = volume.to_mm(index)[..., 0].astype(np.float32)
    np.testing.assert_allclose([1.25], sample(volume.with_values(x), np.array([[1.25, 0.3, -0.7]])), atol=1e-5)
