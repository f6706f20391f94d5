"""A liver mask that misses a lobe is noticed, a right one is left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from service.regions.coverage import liver_left_out
from service.regions.region import Kind, Region
from service.volumes.volume import Array, Matrix, Volume
from tests.shapes import grid

SEEDS = range(12)
ZONE, REACH = 13.0, 10.0  # mm; how far beyond the zone a lobe still matters
LIVER, ABLATED, OUTSIDE = 190.0, 74.0, (22.0, 85.0)  # portal-venous signal; fat or muscle beyond the capsule
SNR = (10.0, 40.0)


def made(seed: int) -> tuple[Region, Region, Volume, Region]:
    """The liver to one side of a capsule, the zone, the image, and a mask without the lobe beyond a plane near the zone."""
    rng = np.random.default_rng([seed, 2])
    onto = grid(27.0, ((3.0, 1.2, 1.2), (4.0, 1.0, 1.0), (1.5, 1.5, 1.5))[seed % 3])
    axis, cut = (part / np.linalg.norm(part) for part in rng.normal(size=(2, 3)))
    capsule = rng.uniform(ZONE + 2.0, ZONE + 12.0)
    away = rng.uniform(ZONE + 1.0, ZONE + 5.0)
    index = np.stack(np.meshgrid(*map(np.arange, onto.shape), indexing="ij"), axis=-1).astype(np.float64)
    points = onto.to_mm(index)
    zone = Region(Kind.ABLATION_ZONE, onto.with_values(_share(np.linalg.norm(points, axis=-1) - ZONE)), "truth")
    whole = _share(points @ axis - capsule)
    kept = np.where(points @ cut < away, whole, 0.0).astype(np.float32)
    clean = rng.choice(OUTSIDE) * (1.0 - whole) + LIVER * whole
    clean += (ABLATED - clean) * zone.mask.values
    noisy = np.abs(clean + rng.normal(0.0, 100.0 / rng.uniform(*SNR), onto.shape))
    image = onto.with_values(noisy.astype(np.float32))
    liver, cut_liver = (Region(Kind.LIVER, onto.with_values(mask), "truth") for mask in (whole, kept))
    return liver, zone, image, cut_liver


def _share(distance: Matrix) -> Array:
    """How much of a voxel lies inside, for the distance (mm) of its centre to the edge."""
    return np.clip(0.5 - distance, 0.0, 1.0).astype(np.float32)


def matters(liver: Region, cut: Region, zone: Region) -> bool:
    """Whether more than half a mL of the missing lobe lies near the zone."""
    index = np.stack(np.meshgrid(*map(np.arange, zone.mask.shape), indexing="ij"), axis=-1).astype(np.float64)
    near = np.linalg.norm(zone.mask.to_mm(index), axis=-1) < ZONE + REACH
    return float((liver.mask.values - cut.mask.values)[near].sum()) * zone.mask.voxel_volume > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_missing_lobe_near_the_zone_is_noticed(seed: int) -> None:
    liver, zone, image, cut = made(seed)
    if not matters(liver, cut, zone):
        pytest.skip("nothing near the zone is missing in this case")
    found = liver_left_out(cut, zone, image)
    assert found is not None
    missing = (liver.mask.values > 0.5) & (cut.mask.values < 0.5)
    assert missing[found.values > 0].mean() > 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whole_liver_gives_no_alarm(seed: int) -> None:
    liver, zone, image, _ = made(seed)
    assert liver_left_out(liver, zone, image) is None


def test_an_empty_zone_gives_no_alarm() -> None:
    liver, zone, image, _ = made(0)
    nothing = Region(Kind.ABLATION_ZONE, zone.mask.with_values(np.zeros_like(zone.mask.values)), "truth")
    assert liver_left_out(liver, nothing, image) is None
