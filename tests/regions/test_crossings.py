"""The second measurement agrees with closed formulas within a millimeter, and shares nothing with the first but the masks."""

from __future__ import annotations

import numpy as np
import pytest

from service.regions.crossings import minimum_by_crossings
from service.regions.region import Kind
from tests.shapes import ball, grid, region

CASES = [(5.0, 12.0, 0.0, 7.0), (5.0, 12.0, 4.0, 3.0), (6.0, 12.0, 8.0, -2.0)]


@pytest.mark.parametrize(("tumor", "zone", "shift", "truth"), CASES)
@pytest.mark.parametrize("binary", [False, True])
def test_balls(tumor: float, zone: float, shift: float, truth: float, *, binary: bool) -> None:
    onto = grid(20.0)
    found = minimum_by_crossings(
        region(Kind.TUMOR, ball(tumor, (shift, 0, 0)), onto, binary=binary),
        region(Kind.ABLATION_ZONE, ball(zone), onto, binary=binary),
        None,
    )
    assert found == pytest.approx(truth, abs=0.8 if binary else 0.4)


def test_capsule_costs_nothing() -> None:
    onto = grid(20.0)
    liver = region(Kind.LIVER, lambda points: points[..., 0] <= 6.0, onto)
    zone = region(Kind.ABLATION_ZONE, lambda points: ball(14.0)(points) & (points[..., 0] <= 6.0), onto)
    found = minimum_by_crossings(region(Kind.TUMOR, ball(4.0), onto), zone, liver)
    corner = np.sqrt(14.0**2 - 6.0**2 + 6.0**2) - 4.0  # the nearest untreated liver is everywhere 14 mm from the middle
    assert found == pytest.approx(corner, abs=0.8)


def test_nothing_treated_or_nothing_left_has_no_distance() -> None:
    onto = grid(20.0)
    everything = region(Kind.ABLATION_ZONE, lambda points: points[..., 0] < 1e3, onto)
    assert minimum_by_crossings(region(Kind.TUMOR, ball(4.0), onto), everything, None) == np.inf
    assert minimum_by_crossings(region(Kind.TUMOR, ball(0.1), onto), everything, None) == np.inf
