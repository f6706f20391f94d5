"""What noise and signal voids take away of the margin."""

from __future__ import annotations

import numpy as np
import pytest

from service.features.case import CONTRADICTED
from service.regions.margin_surface import margin_surface
from service.regions.region import Kind
from service.regions.visibility import visibility
from service.volumes.volume import Volume
from tests.shapes import ball, grid, region


def scene(noise: float) -> tuple[Volume, Volume, Volume, Volume]:
    """Grid, and a portal-venous-like image of tumor 120 in zone 74 in liver 190."""
    onto = grid(24.0)
    tumor, zone = region(Kind.TUMOR, ball(6.0), onto), region(Kind.ABLATION_ZONE, ball(13.0), onto)
    clean = 190.0 - 116.0 * zone.mask.values + 46.0 * tumor.mask.values
    image = clean + np.random.default_rng(3).normal(0, noise, onto.shape)
    return onto, tumor.mask, zone.mask, onto.with_values(image.astype(np.float32))


@pytest.mark.parametrize(("noise", "low", "high"), [(6.0, 0.98, 1.0), (150.0, 0.0, 0.5)])
def test_noise_hides_the_margin(noise: float, low: float, high: float) -> None:
    onto, _, _, image = scene(noise)
    tumor, zone = region(Kind.TUMOR, ball(6.0), onto), region(Kind.ABLATION_ZONE, ball(13.0), onto)
    surface = margin_surface(tumor, zone, None)
    seen = visibility(surface, tumor, zone, {"portal_venous": image})
    assert low <= surface.areas[seen.assessable].sum() / surface.areas.sum() <= high


def test_blinded_sector_is_not_assessable() -> None:
    """A signal void over a fifth of the margin takes about that much away."""
    onto, _, _, image = scene(4.0)
    tumor, zone = region(Kind.TUMOR, ball(6.0), onto), region(Kind.ABLATION_ZONE, ball(13.0), onto)
    index = np.stack(np.meshgrid(*[np.arange(size) for size in onto.shape], indexing="ij"), axis=-1).astype(np.float64)
    points = onto.to_mm(index)
    direction = points / np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), 1e-6)
    sector = direction[..., 0] > 0.6  # a spherical cap of (1 - .6) / 2 = 20 % of all directions
    blind = image.with_values(np.where(sector, 0.0, image.values).astype(np.float32))
    surface = margin_surface(tumor, zone, None)
    seen = visibility(surface, tumor, zone, {"portal_venous": blind})
    assert pytest.approx(0.8, abs=0.05) == surface.areas[seen.assessable].sum() / surface.areas.sum()
    assert "no_signal" in seen.reasons


def test_liver_that_may_lie_beyond_the_volume_makes_the_margin_unknown() -> None:
    """The volume ends 8 mm to one side, in the zone (13 mm): points nearer to that end than to liver are not assessable."""
    onto, _, _, image = scene(4.0)
    last = int(onto.to_index(np.array([[8.0, 0.0, 0.0]]))[0, 2])
    end = float(onto.to_mm(np.array([0.0, 0.0, last + 0.5]))[0])
    high = (onto.shape[0], onto.shape[1], last + 1)
    tumor, zone = (
        region(kind, ball(radius), onto).crop((0, 0, 0), high)
        for kind, radius in ((Kind.TUMOR, 6.0), (Kind.ABLATION_ZONE, 13.0))
    )
    surface = margin_surface(tumor, zone, None)
    seen = visibility(surface, tumor, zone, {"portal_venous": image.crop((0, 0, 0), high)})
    # A point of the tumor at height x is end - x from the border and 7 mm from liver; heights of a sphere are even.
    hidden = (6.0 - (end - 7.0)) / 12.0
    assert pytest.approx(1.0 - hidden, abs=0.05) == surface.areas[seen.assessable].sum() / surface.areas.sum()
    assert "field_of_view" in seen.reasons


@pytest.mark.parametrize("noise", [1.0, 2.0])
def test_tissue_that_the_contour_does_not_name_contradicts_it(noise: float) -> None:
    """In a cap of 10 % of the tumor's surface the image shows ablated tissue where the contour says tumor."""
    onto, inner, _, image = scene(noise)
    tumor, zone = region(Kind.TUMOR, ball(6.0), onto), region(Kind.ABLATION_ZONE, ball(13.0), onto)
    index = np.stack(np.meshgrid(*[np.arange(size) for size in onto.shape], indexing="ij"), axis=-1).astype(np.float64)
    points = onto.to_mm(index)
    cap = points[..., 0] > 0.8 * np.maximum(np.linalg.norm(points, axis=-1), 1e-6)
    other = image.with_values(image.values - np.float32(46.0) * np.where(cap, inner.values, 0.0).astype(np.float32))
    surface = margin_surface(tumor, zone, None)
    plain, told = (visibility(surface, tumor, zone, {"portal_venous": shown}) for shown in (image, other))
    assert plain.contradicted == 0.0
    assert CONTRADICTED < told.contradicted <= 0.12
    assert told.contradicted <= told.reasons["tumor_contrast"] + 1e-9
    # A second phase in which the tumor is plain takes the contradiction away: the first one may only be blind there.
    both = visibility(surface, tumor, zone, {"portal_venous": other, "t2": image})
    assert both.contradicted == 0.0


def test_noise_hides_and_does_not_contradict() -> None:
    onto, _, _, image = scene(60.0)
    tumor, zone = region(Kind.TUMOR, ball(6.0), onto), region(Kind.ABLATION_ZONE, ball(13.0), onto)
    seen = visibility(margin_surface(tumor, zone, None), tumor, zone, {"portal_venous": image})
    assert seen.reasons["tumor_contrast"] > 0.02
    assert seen.contradicted == 0.0
