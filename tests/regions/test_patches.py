"""What hangs together on a surface."""

from __future__ import annotations

import numpy as np
import pytest

from service.regions.margin_surface import Evidence, MarginSurface
from service.regions.patches import patches


def strip(count: int) -> MarginSurface:
    """A strip of triangles along a line of points, each of which stands for as much as its number."""
    points = np.stack([np.arange(count, dtype=float), np.arange(count) % 2, np.zeros(count)], axis=1)
    faces = np.stack([np.arange(count - 2) + n for n in range(3)], axis=1).astype(np.int64)
    nothing = Evidence(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    areas = np.arange(count, dtype=float)
    return MarginSurface(points, faces, areas, np.ones(count), points, nothing, capsule_modelled=True, closed=True)


def test_neighbours_are_one_patch() -> None:
    which = np.isin(np.arange(20), (3, 4, 5, 10, 15, 17))  # a triangle holds three in a row: 15 and 17 are neighbours
    assert sorted(patches(strip(20), which)) == pytest.approx([10 / 190, 12 / 190, 32 / 190])


def test_nothing_is_no_patch() -> None:
    assert patches(strip(9), np.zeros(9, dtype=bool)).size == 0


def test_everything_is_one() -> None:
    assert patches(strip(9), np.ones(9, dtype=bool)).tolist() == [1.0]
