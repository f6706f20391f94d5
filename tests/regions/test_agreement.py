"""Contours must lie where the images show ablated tissue, whatever else fits."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest

from service.regions.agreement import disagreement, uptake
from service.regions.region import Kind, Region
from service.volumes.volume import Array, Volume
from tests.shapes import ball, fractions, grid, region

GRID = grid(32.0)


@cache
def drawn(kind: Kind, radius: float) -> Region:
    """A ball around the origin."""
    return region(kind, ball(radius), GRID)


tumor, zone, liver = partial(drawn, Kind.TUMOR, 5.0), partial(drawn, Kind.ABLATION_ZONE, 13.0), partial(drawn, Kind.LIVER, 28.0)


@cache
def _zone_at(center: tuple[float, float, float]) -> Array:
    return fractions(ball(13.0, center), GRID).values


def image(center: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Volume:
    """Uptake with noise: liver 100, a zone of 13 mm around `center` 2, nothing outside the liver."""
    noise = np.random.default_rng(1).normal(0.0, 8.0, GRID.shape)
    shown = 100.0 * liver().mask.values - 98.0 * _zone_at(center)
    return GRID.with_values((shown + noise).astype(np.float32))


def test_contours_in_their_place_agree() -> None:
    found = uptake(tumor(), zone(), liver(), image())
    assert found is not None
    assert pytest.approx(2.0, abs=2.0) == found.ablated
    assert pytest.approx(100.0, abs=3.0) == found.liver
    assert found.alike < 0.01
    assert disagreement(tumor(), zone(), liver(), image()) == ""


def test_without_liver_contour_fat_and_air_do_not_pass_for_liver() -> None:
    assert disagreement(tumor(), zone(), None, image()) == ""


@pytest.mark.parametrize("center", [(8.0, 0.0, 0.0), (0.0, 0.0, 9.0), (0.0, -14.0, 0.0)])
def test_contours_beside_what_they_outline_are_noticed(center: tuple[float, float, float]) -> None:
    assert "do not lie where" in disagreement(tumor(), zone(), liver(), image(center))


def test_liver_that_takes_up_less_than_the_zone_is_noticed() -> None:
    """As when the phase before contrast is taken for the portal-venous one."""
    assert "no more contrast" in disagreement(tumor(), zone(), liver(), GRID.with_values(-image().values))


def test_what_is_too_small_is_not_judged() -> None:
    thin = region(Kind.ABLATION_ZONE, ball(6.0), GRID)
    assert uptake(tumor(), thin, liver(), image()) is None
    assert disagreement(tumor(), thin, liver(), image()) == ""


def test_what_a_phase_does_not_cover_is_not_judged() -> None:
    assert uptake(tumor(), zone(), liver(), GRID.with_values(np.full(GRID.shape, np.nan, np.float32))) is None
