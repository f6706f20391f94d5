"""Untreated liver is liver minus zone, without the sheets that rounding leaves along the capsule."""

from __future__ import annotations

import numpy as np
import pytest

from service.regions.fields import field_of, fields_of
from service.regions.region import Kind, Region
from service.volumes.surface import isosurface
from tests.shapes import Points, ball, grid, region

PLANE = 6.0  # mm: the capsule


def inside(points: Points) -> np.ndarray:
    return np.asarray(points[..., 0] <= PLANE)


def zone_at_capsule(*, binary: bool) -> tuple[Region, Region, Region]:
    """Tumor, zone and liver, the zone cut off by the capsule."""
    onto = grid(24.0)
    cut = region(Kind.ABLATION_ZONE, lambda points: ball(12.0)(points) & inside(points), onto, binary=binary)
    return region(Kind.TUMOR, ball(4.0), onto, binary=binary), cut, region(Kind.LIVER, inside, onto, binary=binary)


@pytest.mark.parametrize("binary", [False, True])
def test_no_untreated_liver_between_zone_and_capsule(*, binary: bool) -> None:
    fields = fields_of(*zone_at_capsule(binary=binary))
    found = isosurface(fields.untreated, 0.0).vertices
    away = np.linalg.norm(found[:, 1:], axis=1)
    within = found[(away < 7.0) & (found[:, 0] > 0)]
    assert len(within) == 0


def test_without_liver_everything_outside_the_zone_is_untreated() -> None:
    tumor, zone, _ = zone_at_capsule(binary=False)
    fields = fields_of(tumor, zone, None)
    np.testing.assert_array_equal(fields.untreated.values, -fields.zone.values)
    assert fields.liver is None


def test_whole_voxels_are_known_as_such() -> None:
    assert fields_of(*zone_at_capsule(binary=True)).voxel == pytest.approx(3.0)
    soft = fields_of(*zone_at_capsule(binary=False))
    assert soft.voxel == 0.0
    assert soft.width > 0.5


def test_mixed_kinds_share_one_grid() -> None:
    """A reader's whole voxels for the tumor, soft contours for the rest."""
    tumor, zone, liver = zone_at_capsule(binary=False)
    whole, _, _ = zone_at_capsule(binary=True)
    fields = fields_of(whole, zone, liver)
    assert fields.tumor.shape == fields.untreated.shape
    assert fields.voxel == pytest.approx(3.0)
    assert field_of(tumor).shape == fields.tumor.shape
