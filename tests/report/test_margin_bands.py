"""The bands of the margin lie around the tumor, each where the margin is what its name says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from service.report.margin_bands import EDGES, line_mask
from service.report.segments import LOOKS, Part, Segment, plan
from tests.report.conftest import SHAPE, SPACING, Sample, affine
from tests.report.measured import measured, path_of, seen, surface_of

BANDS = (Part.MARGIN_0, Part.MARGIN_3, Part.MARGIN_5, Part.MARGIN_10)


@pytest.fixture(scope="module")
def given() -> Sample:
    return measured()


def of(given: Sample, part: Part) -> Segment:
    return next(segment for segment in plan(given.result).all if segment.part is part)


def to_mm(voxels: np.ndarray) -> np.ndarray:
    return np.asarray(voxels @ affine()[:3, :3].T + affine()[:3, 3])


def bands(given: Sample) -> list[Segment]:
    return [segment for segment in plan(given.result).all if segment.part in BANDS]


def test_the_tumor_that_sticks_out_of_its_zone_has_all_bands_of_its_margin(given: Sample) -> None:
    surface = surface_of(given)
    there = [part for part, low, high in zip(BANDS, (-np.inf, *EDGES), EDGES, strict=False)
             if ((surface.margin > low) & (surface.margin <= high)).any()]  # fmt: skip

    assert there == [segment.part for segment in bands(given)]
    assert Part.MARGIN_0 in there
    assert len(there) >= 3


def test_every_voxel_of_a_band_is_nearest_to_a_point_with_that_margin(given: Sample) -> None:
    surface = surface_of(given)
    for segment in bands(given):
        number = BANDS.index(segment.part)
        low = (-np.inf, *EDGES)[number]
        places = to_mm(np.argwhere(segment.mask))
        distance = np.linalg.norm(places[:, None] - surface.points[None], axis=2)
        margin = surface.margin[distance.argmin(axis=1)]
        assert ((margin > low) & (margin <= EDGES[number])).all(), segment.label
        assert distance.min(axis=1).max() < SPACING[0] + 1.0


def test_the_shell_closes_around_the_tumor_and_hides_nothing_of_it(given: Sample) -> None:
    tumor = of(given, Part.TUMOR).mask
    shell = np.logical_or.reduce([segment.mask for segment in bands(given)])
    beside = np.zeros_like(tumor)
    for axis in range(3):
        for step in (-1, 1):
            beside |= np.roll(tumor, step, axis=axis)

    assert not (shell & tumor).any()
    wide = surface_of(given).margin.max() > EDGES[-1]
    assert wide or shell[beside & ~tumor].all()
    assert sum(segment.mask.sum() for segment in bands(given)) == shell.sum(), "no voxel is in two bands"


def test_what_cannot_be_assessed_has_no_band(given: Sample) -> None:
    surface = surface_of(given)
    hidden = surface.points[:, 0] < np.median(surface.points[:, 0])
    part = seen(given, ~hidden)
    shell = np.logical_or.reduce([segment.mask for segment in bands(part)])
    places = to_mm(np.argwhere(shell))
    nearest = np.linalg.norm(places[:, None] - surface.points[None], axis=2).argmin(axis=1)

    assert shell.any()
    assert not hidden[nearest].any()
    assert bands(seen(given, np.zeros(len(surface.points), dtype=bool))) == []


def test_a_tumor_keeps_its_own_segment_in_the_report(given: Sample) -> None:
    found = plan(given.result).of(0)

    assert found is not None
    assert found.part is Part.TUMOR


def test_bands_and_path_are_tracked_and_named_for_their_tumor() -> None:
    two = measured(tumors=2)
    own = [segment for segment in plan(two.result).all if segment.part in (*BANDS, Part.PATH)]

    assert len({segment.tracking_uid for segment in own}) == len(own)
    assert {segment.tumors for segment in own} == {(0,), (1,)}
    assert all(segment.label.endswith(f"PH-1 tumor {segment.tumors[0] + 1}") for segment in own)
    assert all(len(segment.label) <= 64 for segment in own)


def test_codes_of_the_margin_fit_their_data_element() -> None:
    assert all(len(look.kind.value) <= 16 and len(look.kind.meaning) <= 64 for look in LOOKS.values())


def test_the_vessel_path_lies_where_it_was_found(given: Sample) -> None:
    segment, tumor = of(given, Part.PATH), given.result.tumors[0].tumor
    if tumor is None:
        pytest.fail("the sample has a tumor")
    line = np.array(path_of(tumor))
    dense = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(line)])
    places = to_mm(np.argwhere(segment.mask))
    off = np.linalg.norm(places[:, None] - dense[None], axis=2).min(axis=1)

    assert off.max() <= np.linalg.norm(SPACING) / 2
    ends = np.round((line - affine()[:3, 3]) @ np.linalg.inv(affine()[:3, :3]).T).astype(int)
    assert all(segment.mask[tuple(end)] for end in ends)


def test_a_line_beside_the_images_has_no_voxel(given: Sample) -> None:
    grid = plan(given.result).grid
    if grid is None:
        pytest.fail("the sample has a grid")
    far = tuple(affine()[:3, :3] @ np.array([0, 500.0, 0]))

    assert not line_mask([(far[0], far[1], far[2]), (far[0], far[1], far[2] + 5)], grid).any()
    assert line_mask([(float(x), float(y), float(z)) for x, y, z in to_mm(np.array([[1, 2, 3]]))], grid).sum() == 1
    assert grid.shape == SHAPE
