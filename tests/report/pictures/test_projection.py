"""The map: areas are true, directions are where a reader looks for them."""

from __future__ import annotations

import numpy as np
import pytest

from service.report.pictures.projection import HIGH, WIDE, directions, on_map, project


def cells(step: float) -> np.ndarray:
    """Centres of a fine grid over the map."""
    return np.stack(np.meshgrid(np.arange(-WIDE, WIDE, step) + step / 2, np.arange(-HIGH, HIGH, step) + step / 2), axis=-1)


@pytest.mark.parametrize("toward", [(0, -1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0.5, -0.62)])
@pytest.mark.parametrize("angle", [15.0, 40.0])
def test_areas_are_solid_angles(toward: tuple[float, float, float], angle: float) -> None:
    """A cap of half angle a is 2 pi (1 - cos a) large wherever it lies."""
    step = 0.005
    axis = np.array(toward) / np.linalg.norm(toward)
    inside = directions(cells(step)) @ axis > np.cos(np.deg2rad(angle))
    assert inside.sum() * step**2 == pytest.approx(2 * np.pi * (1 - np.cos(np.deg2rad(angle))), rel=0.01)


def test_whole_map_is_the_whole_sphere() -> None:
    assert on_map(cells(0.005)).sum() * 0.005**2 == pytest.approx(4 * np.pi, rel=1e-3)


def test_there_and_back() -> None:
    rays = np.random.default_rng(1).normal(size=(500, 3))
    assert directions(project(rays)) == pytest.approx(rays / np.linalg.norm(rays, axis=1, keepdims=True), abs=2e-3)


@pytest.mark.parametrize(
    ("toward", "place"),
    [
        ((0, -1, 0), (0, 0)),
        ((1, 0, 0), (WIDE / 2, 0)),
        ((-1, 0, 0), (-WIDE / 2, 0)),
        ((0, 0, 1), (0, HIGH)),
        ((0, 0, -1), (0, -HIGH)),
    ],
)
def test_seen_from_the_front(toward: tuple[float, float, float], place: tuple[float, float]) -> None:
    """Anterior in the middle, the patient's left on the right, head up."""
    assert project(np.array(toward, dtype=float)) == pytest.approx(np.array(place), abs=1e-6)


def test_outside_the_ellipse_is_no_direction() -> None:
    assert np.isnan(directions(np.array([[WIDE, HIGH]]))).all()
