"""Which places of a surface are told as the narrowest."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from service.regions.margin_surface import Evidence, MarginSurface
from service.regions.narrow import APART, TIED, narrow_places


def along_a_line(margin: NDArray[np.float64], step: float = 1.0) -> MarginSurface:
    """A surface whose points lie `step` mm apart on a line."""
    points = np.stack([step * np.arange(len(margin)), *[np.zeros(len(margin))] * 2], axis=1)
    nothing = Evidence(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    faces = np.zeros((0, 3), dtype=np.int64)
    return MarginSurface(points, faces, np.ones(len(margin)), margin, points, nothing, capsule_modelled=True, closed=True)


def everywhere(surface: MarginSurface) -> NDArray[np.bool_]:
    return np.ones(len(surface.points), dtype=bool)


def test_one_sharp_minimum_is_one_point() -> None:
    surface = along_a_line(np.abs(np.arange(21.0) - 12.0) + 2.0)
    (place,) = narrow_places(surface, everywhere(surface))
    assert (place.narrowest, place.reach, place.all.tolist()) == (12, 0.0, [12])


def test_a_long_narrow_place_is_one_with_its_reach() -> None:
    """However far it runs, its points being near each other."""
    margin = np.full(40, 2.0 + TIED / 2)
    margin[9] = 2.0
    (place,) = narrow_places(along_a_line(margin), np.ones(40, dtype=bool))
    assert place.narrowest == 9
    assert place.reach == pytest.approx(30.0)
    assert len(place.all) == 40


def test_places_apart_are_told_apart_the_narrowest_first() -> None:
    margin = np.full(40, 9.0)
    margin[[5, 6, 30]] = 2.2, 2.1, 2.0
    first, second = narrow_places(along_a_line(margin), np.ones(40, dtype=bool))
    assert (first.narrowest, second.narrowest) == (30, 6)
    assert (first.reach, second.reach) == (0.0, 1.0)


@pytest.mark.parametrize(("gap", "places"), [(APART - 0.1, 1), (APART + 0.1, 2)])
def test_how_far_apart_two_places_are(gap: float, places: int) -> None:
    assert len(narrow_places(along_a_line(np.array([2.0, 2.0]), gap), np.ones(2, dtype=bool))) == places


def test_only_what_can_be_seen_takes_part() -> None:
    margin = np.full(40, 9.0)
    margin[[5, 30]] = 2.0, 4.0
    seen = np.arange(40) > 10
    (place,) = narrow_places(along_a_line(margin), seen)
    assert place.narrowest == 30
