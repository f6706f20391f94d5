"""Zones that merge are one."""

from __future__ import annotations

import numpy as np

from service.regions.joined import zone_of
from service.regions.region import Kind, Region
from tests.shapes import ball, grid, region

GRID = grid(32.0)
TUMOR = region(Kind.TUMOR, ball(4.0), GRID)


def zone(x: float) -> Region:
    """A zone of 8 mm with its middle at x."""
    return region(Kind.ABLATION_ZONE, ball(8.0, (x, 0.0, 0.0)), GRID)


def test_contours_of_two_probes_are_one_zone() -> None:
    """Also over a third one that touches only the second."""
    found = zone_of(TUMOR, (zone(-20.0), zone(-7.0), zone(4.0)))
    expected = np.max([zone(x).mask.values for x in (-20.0, -7.0, 4.0)], axis=0)
    np.testing.assert_array_equal(found.mask.values, expected)
    assert found.method == "truth with truth with truth"


def test_zone_of_another_tumor_stays_apart() -> None:
    found = zone_of(TUMOR, (zone(-22.0), zone(1.0)))
    np.testing.assert_array_equal(found.mask.values, zone(1.0).mask.values)
