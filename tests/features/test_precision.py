"""The interval widens with every doubt that the evidence carries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.features.calibration import GROUPS, LEVELS
from service.features.precision import Precision, disagreement, group_of, precision, precision_of
from service.regions.margin_surface import Evidence, MarginSurface, margin_surface
from service.regions.region import Kind
from tests.shapes import ball, grid, region

THRESHOLD = 3.0


@pytest.fixture(scope="module")
def surface() -> MarginSurface:
    onto = grid(24.0)
    return margin_surface(region(Kind.TUMOR, ball(6.0, (2.0, 0, 0)), onto), region(Kind.ABLATION_ZONE, ball(13.0), onto), None)


def sure(surface: MarginSurface, **changed: float) -> Precision:
    evidence = replace(surface.evidence, **changed)
    return precision(surface.minimum, replace(surface, evidence=evidence), THRESHOLD)


def width(found: Precision) -> float:
    return found.high - found.low


@pytest.mark.parametrize("doubt", [{"edge_sd": 1.0}, {"second": 0.0}, {"voxel": 5.0}])
def test_doubt_widens_the_interval(surface: MarginSurface, doubt: dict[str, float]) -> None:
    assert width(sure(surface, **doubt)) > width(sure(surface))


def test_limits_of_a_category_lie_outside_the_interval(surface: MarginSurface) -> None:
    found = sure(surface)
    assert found.least <= found.low <= surface.minimum <= found.high <= found.most


def test_probability_follows_the_value(surface: MarginSurface) -> None:
    found = [precision(value, surface, THRESHOLD).at_most for value in (0.0, 2.9, 3.0, 3.1, 8.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] == 1.0
    assert found[-1] == 0.0


def test_no_second_measurement_is_a_large_doubt(surface: MarginSurface) -> None:
    """Infinite: it found no surface at all."""
    found = replace(surface, evidence=replace(surface.evidence, second=np.inf))
    assert disagreement(found) == 5.0
    assert np.isfinite(sure(surface, second=np.inf).low)


@pytest.mark.parametrize(
    ("evidence", "group"),
    [
        (Evidence(0, 0.9, 0.0, 5, 0, 0, 0), "fractions"),
        (Evidence(0, 0.9, 0.1, 5, 0, 0, 0), "noisy fractions"),
        (Evidence(3, 0, 0.0, 5, 0, 0, 0), "whole voxels"),
        (Evidence(4, 0, 0.0, 5, 0, 0, 0), "coarse whole voxels"),
        (Evidence(5, 0, 0.0, 5, 0, 0, 0), "thick whole voxels"),
        (Evidence(0, 3.5, 0.0, 5, 0, 0, 0), "thick fractions"),
        (Evidence(5, 0, 0.0, 5, 0.5, 0, 0, zone_sd=0.4), "coarse uncertain contours"),
        (Evidence(0, 2.5, 0.0, 5, 0, 0, 0), "coarse fractions"),
        (Evidence(3, 0, 0.0, 5, 0.5, 0, 0, zone_sd=0.4), "uncertain contours"),
        (Evidence(3, 0, 0.0, 5, 0.5, 0, 0), "uncertain place"),
    ],
)
def test_group(evidence: Evidence, group: str) -> None:
    assert group_of(evidence) == group


def test_constants_are_whole() -> None:
    """Each group has a weight for each term, and quantiles that rise from below to above zero."""
    for name, group in GROUPS.items():
        assert group.phantoms >= 100, name
        assert len(group.quantiles) == len(LEVELS)
        assert list(group.quantiles) == sorted(group.quantiles)
        assert group.quantiles[0] < 0 < group.quantiles[-1]
        assert min(group.weights) >= 0
        assert group.weights[0] > 0


def test_a_pit_that_the_blur_of_an_edge_fills_is_not_ruled_out() -> None:
    """A phantom of the validation (seed 22029, true margin 2.65 mm): it was called "> 3 mm" by .005 mm."""
    seen = Evidence(
        voxel=0.0, width=2.319, noise=0.005, second=4.335, edge_sd=0.0, notch=1.0766, wedge=0.0, breadth=51.7, bend=0.716
    )
    assert precision_of(4.081, seen, 4.081, THRESHOLD).least <= 2.65


def test_a_tumor_hardly_thicker_than_a_slice_leaves_more_open() -> None:
    """A phantom of the validation (seed 31613, true margin 3.01 mm, slices of 5 mm): it was called "<= 3 mm"."""
    seen = Evidence(
        voxel=0.0, width=2.361, noise=0.0, second=2.256, edge_sd=0.0, notch=0.036, wedge=0.0, breadth=8.0, bend=0.0025
    )
    thicker = precision_of(1.975, seen, 1.975, THRESHOLD)
    thin = precision_of(1.975, replace(seen, across=1.28), 1.975, THRESHOLD)
    assert thin.least < thicker.least
    assert thicker.most < 3.007 < thin.most
    assert (thin.low, thin.high) == (thicker.low, thicker.high)
