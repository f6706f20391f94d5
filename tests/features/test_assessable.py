"""The share of the margin that can be judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.codes import NO, YES
from service.features import assessable
from service.features.case import Case
from service.features.finding import Status
from service.regions.visibility import visibility
from tests.features.conftest import hidden


def test_good_exam_is_assessable_as_a_whole(wide: Case) -> None:
    (found,) = assessable.measure(wide)
    assert found.category == YES
    assert found.value is not None
    assert found.value >= 98.0


def test_what_a_phase_does_not_cover_is_no_contrast(wide: Case) -> None:
    """Two phases in which nothing can be told apart, one of them with fewer slices: still nothing can be."""
    if wide.surface is None or wide.tumor is None or wide.zone is None:
        pytest.fail("the case is not complete")
    grid = wide.tumor.mask
    even = grid.with_values(np.random.default_rng(1).normal(100.0, 5.0, grid.shape).astype(np.float32))
    cut = even.values.copy()
    cut[: round(float(grid.to_index(wide.surface.points)[:, 0].mean()))] = np.nan
    seen = visibility(wide.surface, wide.tumor, wide.zone, {"whole": even, "part": even.with_values(cut)})
    assert seen.assessable.mean() < 0.01


def test_hidden_part_is_counted(wide: Case) -> None:
    (found,) = assessable.measure(hidden(wide, 0.4))
    assert found.category == NO
    assert pytest.approx(60.0, abs=6.0) == found.value


def test_noise_hides_a_little_in_many_places_and_not_one_place(wide: Case) -> None:
    """4 % of the surface: entire where it is scattered, not where it hangs together."""
    if wide.surface is None or wide.visibility is None:
        pytest.fail("the case is not complete")
    points, areas, plain = wide.surface.points, wide.surface.areas, wide.visibility
    share = 0.04 * areas.sum()

    def without(order: np.ndarray) -> Case:
        lost = np.zeros(len(points), dtype=bool)
        lost[order[: int(np.searchsorted(np.cumsum(areas[order]), share))]] = True
        return replace(wide, visibility=replace(plain, assessable=~lost, reasons={"tumor_contrast": 0.04}))

    assert without(np.random.default_rng(4).permutation(len(points))).entire
    assert not without(np.argsort(np.linalg.norm(points - points[0], axis=1))).entire


def test_a_contradiction_of_the_contour_is_no_chance(wide: Case) -> None:
    """As little as noise may hide of an entire margin is not entire where the image shows another tissue than the contour."""
    if wide.visibility is None:
        pytest.fail("the case is not complete")
    chance, said = (replace(wide, visibility=replace(wide.visibility, contradicted=share)) for share in (0.002, 0.01))
    assert chance.entire
    assert not said.entire
    assert assessable.measure(said)[0].category == NO


def test_without_surface_there_is_a_reason_and_no_number(wide: Case) -> None:
    (found,) = assessable.measure(replace(wide, surface=None, missing={"margin": "The tumor cannot be seen."}))
    assert found.status is Status.NOT_ASSESSABLE
    assert found.value is None
