"""Zones that merge are one."""

from __future__ import annotations

from functools import cache

import numpy as np

from service.regions.joined import pairs_of, zone_of
from service.regions.region import Kind, Region
from tests.shapes import ball, grid, region

GRID = grid(32.0)


@cache
def tumor() -> Region:
    """A tumor of 4 mm in the middle."""
    return region(Kind.TUMOR, ball(4.0), GRID)


@cache
def zone(x: float) -> Region:
    """A zone of 8 mm with its middle at x."""
    return region(Kind.ABLATION_ZONE, ball(8.0, (x, 0.0, 0.0)), GRID)


def test_contours_of_two_probes_are_one_zone() -> None:
    """Also over a third one that touches only the second."""
    found = zone_of(tumor(), (zone(-20.0), zone(-7.0), zone(4.0)))
    assert found is not None
    expected = np.max([zone(x).mask.values for x in (-20.0, -7.0, 4.0)], axis=0)
    np.testing.assert_array_equal(found.mask.values, expected)
    assert found.method == "truth with truth with truth"


def test_zone_of_another_tumor_stays_apart() -> None:
    found = zone_of(tumor(), (zone(-22.0), zone(1.0)))
    assert found is not None
    np.testing.assert_array_equal(found.mask.values, zone(1.0).mask.values)


def test_tumor_outside_every_zone_gets_none_and_the_zone_is_told_apart() -> None:
    """The margin of another lesion would be a wrong number stated with confidence."""
    elsewhere = zone(-20.0)
    assert pairs_of((tumor(),), (elsewhere,)) == ((tumor(), None), (None, elsewhere))


def test_zone_without_a_known_tumor_is_not_dropped() -> None:
    own, other = zone(1.0), zone(-22.0)
    assert pairs_of((tumor(),), (other, own)) == ((tumor(), own), (None, other))


def test_zone_joined_to_that_of_a_tumor_is_no_zone_of_its_own() -> None:
    assert [tumor for tumor, _ in pairs_of((tumor(),), (zone(-7.0), zone(4.0)))] == [tumor()]
