"""The surface in all directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.regions.margin_surface import MarginSurface
from service.regions.visibility import Visibility
from service.report.pictures.projection import directions, on_map
from service.report.pictures.unrolled import Unrolled, unroll
from tests.report.pictures.conftest import Drawn, blinded, drawn
from tests.shapes import ball, grid


def rays(raster: Unrolled) -> np.ndarray:
    """The direction of each pixel; NaN outside the map."""
    return directions(np.stack(np.meshgrid(raster.x, raster.y), axis=-1))


def test_margin_is_that_of_the_point_in_each_direction(shifted: Drawn) -> None:
    """From the middle of the tumor: 13 mm less the distance of the surface point from the middle of the zone."""
    raster = unroll(shifted.surface, shifted.visibility)
    points = 6.0 * rays(raster) + np.array([4.0, 0.0, 0.0])
    inside = np.isfinite(points[..., 0])
    error = (raster.margin - (13.0 - np.linalg.norm(points, axis=-1)))[inside]
    assert not raster.incomplete
    assert np.abs(error).mean() < 0.25
    assert np.abs(error).max() < 1.0


def test_what_is_not_assessable_is_hidden_and_nothing_else(shifted: Drawn) -> None:
    raster = unroll(shifted.surface, blinded(shifted.visibility, shifted.surface, (0.0, -1.0, 0.0)))
    toward = -rays(raster)[..., 1]
    assert raster.hidden[toward > 0.65].all()
    assert not raster.hidden[toward < 0.35].any()


def test_nothing_hidden_where_all_is_seen(shifted: Drawn) -> None:
    assert not unroll(shifted.surface, shifted.visibility).hidden.any()


def test_hidden_as_soon_as_one_of_two_surfaces_is_and_the_smaller_margin_counts() -> None:
    """Two shells around one middle: margin 8 on the inner one, 2 on the outer one, and the inner one cannot be seen."""
    one = drawn(ball(6.0), ball(14.0), grid(24.0, (2.0, 1.2, 1.2))).surface
    count = len(one.points)
    both = replace(
        one,
        points=np.concatenate([one.points, 2.0 * one.points]),
        faces=np.concatenate([one.faces, one.faces + count]),
        areas=np.concatenate([one.areas, 4.0 * one.areas]),
        margin=np.repeat([8.0, 2.0], count),
        nearest=np.concatenate([one.nearest, one.nearest]),
    )
    raster = unroll(both, Visibility(np.repeat([False, True], count), {}))
    inside = on_map(np.stack(np.meshgrid(raster.x, raster.y), axis=-1))
    assert raster.margin[inside] == pytest.approx(2.0)
    assert raster.hidden[inside].mean() > 0.999  # a direction may fall between the triangles of the inner shell


def test_direction_without_surface_stays_empty(shifted: Drawn) -> None:
    """A surface that the edge of the images cuts open has no margin above the cut."""
    surface = opened(shifted.surface)
    raster = unroll(surface, Visibility(np.ones(len(surface.points), dtype=bool), {}))
    assert raster.incomplete
    assert np.isnan(raster.margin[rays(raster)[..., 2] > 0.95]).all()
    assert np.isfinite(raster.margin[rays(raster)[..., 2] < 0.3]).all()


def opened(surface: MarginSurface) -> MarginSurface:
    """The surface without its top."""
    low = surface.points[:, 2] < 4.0
    number = np.cumsum(low) - 1
    faces = number[surface.faces[low[surface.faces].all(axis=1)]]
    kept = {name: getattr(surface, name)[low] for name in ("points", "areas", "margin", "nearest")}
    return replace(surface, faces=faces, closed=False, **kept)
