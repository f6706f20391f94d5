"""The whole margin: shares, percentiles and volumes against closed formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.features import margin_distribution
from service.features.case import Case
from service.features.finding import Status
from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import Kind
from service.regions.visibility import Visibility
from tests.features.conftest import hidden, named
from tests.shapes import ball, grid, region

TUMOR, ZONE, SHIFT = 6.0, 13.0, 4.0  # mm: two balls, margins from 3 to 11 mm


@pytest.fixture(scope="module")
def shifted(wide: Case) -> Case:
    """A ball in a ball, off its middle: the margin is spread evenly between its smallest and its largest value."""
    onto = grid(26.0)
    surface = margin_surface(
        region(Kind.TUMOR, ball(TUMOR, (SHIFT, 0, 0)), onto), region(Kind.ABLATION_ZONE, ball(ZONE), onto), None
    )
    return seen_whole(wide, surface)


def seen_whole(case: Case, surface: MarginSurface) -> Case:
    """The case with another surface, all of which can be assessed."""
    return replace(case, surface=surface, visibility=Visibility(np.ones(len(surface.points), dtype=bool), {}))


def at_most(margin: float) -> float:
    """The part of the tumor's surface with a margin up to `margin` mm: what is ZONE - margin or more from the middle."""
    height = ((ZONE - margin) ** 2 - TUMOR**2 - SHIFT**2) / (2 * SHIFT)
    return float(np.clip((TUMOR - height) / (2 * TUMOR), 0, 1))


@pytest.mark.parametrize("limit", [0, 3, 5, 10])
def test_share_of_the_surface(shifted: Case, limit: int) -> None:
    found = named(margin_distribution.measure(shifted))[f"surface_at_most_{limit}_mm"]
    assert found.value == pytest.approx(100 * at_most(limit), abs=3.0)


@pytest.mark.parametrize("percent", [2, 5, 50])
def test_percentile_of_the_margin(shifted: Case, percent: int) -> None:
    height = TUMOR - percent / 100 * 2 * TUMOR
    truth = ZONE - np.sqrt(TUMOR**2 + SHIFT**2 + 2 * SHIFT * height)
    found = named(margin_distribution.measure(shifted))[f"margin_percentile_{percent}"]
    assert found.value == pytest.approx(truth, abs=0.3)


@pytest.mark.parametrize("distance", [3, 5, 10])
def test_untreated_volume_is_a_ball_less_what_it_shares_with_the_zone(shifted: Case, distance: int) -> None:
    """Both are balls, and what two balls share has a closed formula (the lens)."""
    radius = TUMOR + distance
    if radius + SHIFT <= ZONE:
        shared = 4 / 3 * np.pi * radius**3
    elif radius >= ZONE + SHIFT:
        shared = 4 / 3 * np.pi * ZONE**3
    else:
        total = ZONE + radius - SHIFT
        lens = SHIFT**2 + 2 * SHIFT * (ZONE + radius) - 3 * (ZONE - radius) ** 2
        shared = np.pi * total**2 * lens / (12 * SHIFT)
    truth = (4 / 3 * np.pi * radius**3 - shared) / 1000
    found = named(margin_distribution.measure(shifted))[f"uncovered_{distance}_mm"]
    assert found.value == pytest.approx(truth, abs=0.05 + 0.03 * truth)


def test_covered_tumor_has_nothing_outside(shifted: Case) -> None:
    assert named(margin_distribution.measure(shifted))["uncovered_0_mm"].value == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("plane", [5.0, 10.0])
def test_contact_with_the_capsule_is_the_disk_that_a_plane_cuts_from_the_zone(wide: Case, plane: float) -> None:
    """Also where the zone only just reaches it, and is much wider a little below than at the capsule."""
    onto = grid(26.0)
    liver = region(Kind.LIVER, lambda points: points[..., 0] <= plane, onto)
    cut = region(Kind.ABLATION_ZONE, lambda points: ball(ZONE)(points) & (points[..., 0] <= plane), onto)
    surface = margin_surface(region(Kind.TUMOR, ball(4.0, (-2.0, 0, 0)), onto), cut, liver)
    found = named(margin_distribution.measure(seen_whole(wide, surface)))["capsular_contact"]
    assert found.value == pytest.approx(np.pi * (ZONE**2 - plane**2), rel=0.1)


def test_without_liver_the_contact_is_not_known(shifted: Case) -> None:
    found = named(margin_distribution.measure(shifted))["capsular_contact"]
    assert found.status is Status.NOT_ASSESSABLE
    assert found.reason is not None
    assert "no liver" in found.reason.sentence


def test_volume_that_ends_beside_the_tumor_does_not_tell_what_lies_within_10_mm(wide: Case) -> None:
    onto = grid(14.0)
    surface = margin_surface(region(Kind.TUMOR, ball(6.0), onto), region(Kind.ABLATION_ZONE, ball(10.0), onto), None)
    found = named(margin_distribution.measure(seen_whole(wide, surface)))
    assert found["uncovered_10_mm"].status is Status.NOT_ASSESSABLE
    assert found["uncovered_3_mm"].status is Status.MEASURED


def test_nothing_seen_has_no_distribution(wide: Case) -> None:
    found = named(margin_distribution.measure(hidden(wide, 1.0)))
    assert found["margin_percentile_5"].status is Status.NOT_ASSESSABLE
    assert found["uncovered_5_mm"].status is Status.MEASURED
