"""What the margin surface says about capsule, border and place; known margins are in `test_margin_known`."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from service.errors import Unusable
from service.regions.coverage import liver_left_out
from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import Kind
from service.volumes.volume import Volume
from tests.shapes import Inside, ball, grid, region


def test_minimum_is_found_where_it_is() -> None:
    onto = grid(22.0)
    found = margin_surface(region(Kind.TUMOR, ball(6.0, (0, 5.0, 0)), onto), region(Kind.ABLATION_ZONE, ball(15.0), onto), None)
    assert np.linalg.norm(np.array(found.place) - [0, 11.0, 0]) < 2.0


def half_space(limit: float) -> Inside:
    return lambda points: points[..., 0] <= limit


def test_capsule_costs_nothing() -> None:
    """A tumor at the capsule, ablated up to it: only the liver side counts."""
    onto = grid(24.0)
    tumor = region(Kind.TUMOR, ball(5.0, (3.0, 0, 0)), onto)
    zone = region(Kind.ABLATION_ZONE, lambda points: ball(12.0)(points) & half_space(9.0)(points), onto)
    liver = region(Kind.LIVER, half_space(9.0), onto)
    assert pytest.approx(np.sqrt(36 + 144 - 81) - 5, abs=0.4) == margin_surface(tumor, zone, liver).minimum
    assert pytest.approx(1.0, abs=0.3) == margin_surface(tumor, zone, None).minimum


def test_missing_lobe_is_noticed() -> None:
    """Liver that the mask leaves out makes the margin look wide; the tissue there gives it away."""
    onto = grid(27.0)
    tumor = region(Kind.TUMOR, ball(5.0, (6.0, 0, 0)), onto)
    zone = region(Kind.ABLATION_ZONE, ball(12.0), onto)
    cut = region(Kind.LIVER, half_space(6.0), onto)
    rng = np.random.default_rng(1)
    liver_everywhere = onto.with_values((190.0 - 116.0 * zone.mask.values + rng.normal(0, 6, onto.shape)).astype(np.float32))
    left_out = liver_left_out(cut, zone, liver_everywhere)
    assert left_out is not None
    found = margin_surface(tumor, zone, cut, left_out)
    assert found.minimum > 3.0
    assert found.lowest < 2.5


def test_true_capsule_is_no_missing_lobe() -> None:
    onto = grid(27.0)
    zone = region(Kind.ABLATION_ZONE, lambda points: ball(12.0)(points) & half_space(6.0)(points), onto)
    liver = region(Kind.LIVER, half_space(6.0), onto)
    rng = np.random.default_rng(2)
    fat = 22.0 + (190.0 - 22.0) * liver.mask.values - 116.0 * zone.mask.values
    image = onto.with_values((fat + rng.normal(0, 6, onto.shape)).astype(np.float32))
    assert liver_left_out(liver, zone, image) is None


def test_tumor_below_a_voxel_has_no_surface() -> None:
    onto = grid(15.0)
    tiny = region(Kind.TUMOR, ball(0.4), onto)
    with pytest.raises(Unusable, match="smaller than one voxel"):
        margin_surface(tiny, region(Kind.ABLATION_ZONE, ball(8.0), onto), None)


def test_zone_at_the_border_of_the_volume_is_not_closed() -> None:
    onto = grid(10.0)
    found = margin_surface(region(Kind.TUMOR, ball(4.0), onto), region(Kind.ABLATION_ZONE, ball(9.0, (5.0, 0, 0)), onto), None)
    assert not found.closed


def layered(thickness: float, edge_sd: float) -> MarginSurface:
    """A zone that leaves a layer of liver below the capsule, 1 mm from the tumor; contours that state `edge_sd`."""
    onto = grid(24.0, (1.5, 1.2, 1.2))
    tumor = region(Kind.TUMOR, ball(5.0), onto)
    liver = region(Kind.LIVER, lambda points: points[..., 0] <= 6.0 + thickness, onto)
    zone = region(Kind.ABLATION_ZONE, lambda points: ball(15.0)(points) & (points[..., 0] <= 6.0), onto)
    return margin_surface(tumor, replace(zone, edge_sd=edge_sd), replace(liver, edge_sd=edge_sd), None)


def test_layer_below_the_capsule_is_untreated_liver_where_contours_are_sure() -> None:
    assert layered(3.0, 0.0).minimum == pytest.approx(1.0, abs=0.3)


def test_layer_that_may_be_doubt_leaves_the_low_end_of_the_interval_open() -> None:
    """Either 1 mm to the layer, or 10 mm to the liver beside the zone: nobody may say which."""
    found = layered(1.5, 1.0)
    assert found.lowest == pytest.approx(1.0, abs=0.6)
    assert layered(1.5, 0.0).lowest == np.inf


def test_doubt_wider_than_the_field_still_has_a_margin() -> None:
    assert np.isfinite(layered(3.0, 5.0).minimum)


def peak(onto: Volume, zone: float) -> int:
    """The most memory (bytes) that a margin takes; both bodies lie in the middle of the volume."""
    tumor, treated = region(Kind.TUMOR, ball(zone - 5.0), onto), region(Kind.ABLATION_ZONE, ball(zone), onto)
    tracemalloc.start()
    margin_surface(tumor, treated, None)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_follows_the_region_and_not_the_volume() -> None:
    """Four times the volume costs nothing more; four times the region no more than five times as much."""
    small = peak(grid(23.0), 9.0)
    assert peak(grid(36.0), 9.0) <= 1.1 * small
    assert peak(grid(32.0), 18.0) <= 5.0 * small
