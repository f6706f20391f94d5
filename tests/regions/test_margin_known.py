"""Margins that everybody can compute: published spheres, and blocks of voxels as the tests of surface-distance use them.

Source of the spheres: Sandu et al. 2021, Front Oncol 11:623098. Source of the blocks: the three-dimensional cases of
https://github.com/google-deepmind/surface-distance (two bodies some voxels apart, two that differ by one voxel, nothing at
all), as tumor, ablation zone and liver: untreated liver is the other body.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from service.errors import Unusable
from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import Kind, Region
from service.volumes.volume import Array, Volume
from tests.shapes import Inside, ball, fractions, grid

Edges = tuple[float, float, float]  # k, j, i: how many voxels from the corner of the grid
Spacing = tuple[float, float, float]

GRIDS: tuple[Spacing, ...] = ((3.0, 1.2, 1.2), (1.5, 1.5, 1.5), (4.0, 1.0, 1.0), (3.0, 2.0, 1.0))
AXES = [(spacing, axis) for spacing in GRIDS for axis in range(3) if spacing[axis] not in spacing[:axis]]  # each way once
WIDE = 12.0  # mm, about: the tumor's sides
START = 5.0  # voxels before the tumor, along every axis

SPHERES = [  # tumor radius, zone radius, shift of the tumor along x, minimum margin
    (5.0, 15.0, 0.0, 10.0),
    (5.0, 10.0, 0.0, 5.0),
    (10.0, 5.0, 0.0, -5.0),
    (5.0, 10.0, 5.0, 0.0),
    (5.0, 15.0, 5.0, 5.0),
    (8.0, 15.0, 4.0, 3.0),
    (6.0, 12.0, 8.0, -2.0),
]


@pytest.mark.parametrize(
    ("spacing", "tumor", "zone", "shift", "truth"),
    [(GRIDS[0], *sphere) for sphere in SPHERES] + [(GRIDS[1], *sphere) for sphere in SPHERES[::3]],
)
def test_spheres(spacing: Spacing, tumor: float, zone: float, shift: float, truth: float) -> None:
    onto = grid(max(tumor + shift, zone) + 7.0, spacing)
    inner, outer = (fractions(inside, onto).values for inside in (ball(tumor, (shift, 0, 0)), ball(zone)))
    for binary in (False, True):
        found = measured(inner, outer, None, onto, binary=binary)
        # Where the spheres are concentric every point is a candidate, and the minimum collects all errors of the surface.
        assert_margin(found.minimum, truth, 0.6 if binary else 0.3, binary=binary)
        assert not found.capsule_modelled


def block(low: Edges, high: Edges, onto: Volume) -> Array:
    """How much of each voxel a block fills; its sides are parallel to the voxels', so this is exact."""
    filled = [
        np.clip(np.arange(1, size + 1) - start, 0.0, 1.0) - np.clip(np.arange(1, size + 1) - end, 0.0, 1.0)
        for size, start, end in zip(onto.shape, low, high, strict=True)
    ]
    return np.asarray(np.einsum("k,j,i->kji", *filled), dtype=np.float32)


def drawn(kind: Kind, filled: Array, onto: Volume, *, binary: bool) -> Region:
    return Region(kind, onto.with_values((filled > 0.5).astype(np.float32) if binary else filled), "truth", binary=binary)


def measured(tumor: Array, zone: Array, liver: Array | None, onto: Volume, *, binary: bool) -> MarginSurface:
    return margin_surface(
        drawn(Kind.TUMOR, tumor, onto, binary=binary),
        drawn(Kind.ABLATION_ZONE, zone, onto, binary=binary),
        None if liver is None else drawn(Kind.LIVER, liver, onto, binary=binary),
    )


def moved(edges: Edges, axis: int, by: float) -> Edges:
    k, j, i = (edge + by * (axis == at) for at, edge in enumerate(edges))
    return k, j, i


def tumor_edges(spacing: Spacing) -> tuple[Edges, Edges]:
    """A tumor of whole voxels, about `WIDE`."""
    k, j, i = (START + round(WIDE / size) for size in spacing)
    return (START, START, START), (k, j, i)


def grown(edges: Edges, by: Iterable[float], sign: int) -> Edges:
    k, j, i = (edge + sign * more for edge, more in zip(edges, by, strict=True))
    return k, j, i


def center(low: Edges, high: Edges) -> Edges:
    """The middle of a block as an index: the first voxel's center is index 0 and lies half a voxel from the corner."""
    k, j, i = ((start + end - 1) / 2.0 for start, end in zip(low, high, strict=True))
    return k, j, i


def tolerance(spacing: Spacing, axis: int, *, binary: bool) -> float:
    """How far (mm) the distance of two flat sides across `axis` may be off.

    A fraction places a side within its voxel: where the level is interpolated between the fractions f and 1 (or f and 0) the
    side is off by up to .086 voxel, so two are by .17. Whole voxels leave a side anywhere between two centers: uniform, so the
    difference of two has an SD of .41 voxel. The sides here are in the middle of that: more than half a voxel is no chance.
    """
    return (0.5 if binary else 0.2) * spacing[axis]


def assert_margin(found: float, truth: float, off: float, *, binary: bool) -> None:
    """Never wider than the truth by more than `off` mm; narrower by up to twice that, and a quarter of a voxel of 1 mm.

    The surface is taken for smooth, as those of tumors and of ice are. Beside the sharp edge of a block it swings out a little:
    both bodies come out larger there, which makes their distance smaller, the safe way to be wrong.
    """
    swing = (2.0 if binary else 1.0) * off + 0.25
    assert truth - off - swing <= found <= truth + off


@pytest.mark.parametrize(("spacing", "axis"), AXES)
@pytest.mark.parametrize("gap", [1, 4])
@pytest.mark.parametrize("binary", [False, True])
def test_blocks_some_voxels_apart(spacing: Spacing, axis: int, gap: int, *, binary: bool) -> None:
    """Tumor and untreated liver are blocks with treated liver between; around all three is no liver, which costs nothing."""
    onto = grid(45.0, spacing)
    low, high = tumor_edges(spacing)
    treated = moved(high, axis, gap)
    tumor, zone, liver = (block(low, end, onto) for end in (high, treated, moved(treated, axis, 6)))
    found = measured(tumor, zone, liver, onto, binary=binary)
    assert_margin(found.minimum, gap * spacing[axis], tolerance(spacing, axis, binary=binary), binary=binary)
    assert found.capsule_modelled


@pytest.mark.parametrize(("spacing", "axis"), AXES)
@pytest.mark.parametrize("part", [0.25, 0.6])
def test_sides_within_a_voxel_are_read_from_its_fraction(spacing: Spacing, axis: int, part: float) -> None:
    """A block in a block, three voxels and a part apart on two sides, 14 mm on the others: whole voxels could not tell."""
    onto = grid(45.0, spacing)
    low, high = (grown(edges, [3, 3, 3], 1) for edges in tumor_edges(spacing))
    around = [3 + part if at == axis else np.ceil(14.0 / size) for at, size in enumerate(spacing)]
    zone = block(grown(low, around, -1), grown(high, around, 1), onto)
    found = measured(block(low, high, onto), zone, None, onto, binary=False)
    assert_margin(found.minimum, (3 + part) * spacing[axis], tolerance(spacing, axis, binary=False), binary=False)


@pytest.mark.parametrize(("spacing", "axis"), AXES)
@pytest.mark.parametrize("binary", [False, True])
def test_blocks_that_differ_by_one_voxel(spacing: Spacing, axis: int, *, binary: bool) -> None:
    """The zone is the tumor and one voxel more on one side: nothing on the other five sides, the voxel on that one."""
    onto = grid(45.0, spacing)
    low, high = tumor_edges(spacing)
    found = measured(block(low, high, onto), block(low, moved(high, axis, 1), onto), None, onto, binary=binary)
    middle = onto.to_mm(np.array(moved(center(low, high), axis, (high[axis] - low[axis]) / 2.0)))
    on_that_side = int(np.argmin(np.linalg.norm(found.points - middle, axis=1)))
    across = [size * (end - start) / 2 for size, start, end in zip(spacing, low, high, strict=True)]
    truth = min(spacing[axis], *(half for at, half in enumerate(across) if at != axis))
    assert found.minimum == pytest.approx(0.0, abs=max(tolerance(spacing, at, binary=binary) for at in range(3)))
    assert found.margin[on_that_side] == pytest.approx(truth, abs=tolerance(spacing, axis, binary=binary))


@pytest.mark.parametrize(("spacing", "axis"), AXES)
@pytest.mark.parametrize("out", [1, 4])
@pytest.mark.parametrize("binary", [False, True])
def test_blocks_that_reach_out_of_the_zone(spacing: Spacing, axis: int, out: int, *, binary: bool) -> None:
    """As far as they reach out, negative."""
    onto = grid(45.0, spacing)
    low, high = tumor_edges(spacing)
    found = measured(block(low, moved(high, axis, out), onto), block(low, high, onto), None, onto, binary=binary)
    assert found.minimum == pytest.approx(-out * spacing[axis], abs=tolerance(spacing, axis, binary=binary))


@pytest.mark.parametrize(("spacing", "narrowest"), AXES)
@pytest.mark.parametrize("binary", [False, True])
def test_a_block_in_a_block(spacing: Spacing, narrowest: int, *, binary: bool) -> None:
    """The narrowest side counts: two voxels there, 10 mm or more on the others."""
    onto = grid(40.0, spacing)
    low, high = (moved(edges, 0, 1) for edges in tumor_edges(spacing))
    around = [2 if at == narrowest else int(np.ceil(10.0 / size)) for at, size in enumerate(spacing)]
    start, end = grown(low, around, -1), grown(high, around, 1)
    found = measured(block(low, high, onto), block(start, end, onto), None, onto, binary=binary)
    assert_margin(found.minimum, 2 * spacing[narrowest], tolerance(spacing, narrowest, binary=binary), binary=binary)


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("binary", [False, True])
def test_edge_to_edge_and_corner_to_corner(spacing: Spacing, axes: tuple[int, ...], *, binary: bool) -> None:
    """Untreated liver begins three voxels away along each of `axes`, and nowhere nearer: Pythagoras.

    Here, and only here, the margin comes out too wide. An average over voxels rounds an edge: its half level lies where
    u * u = 1/2, .207 voxel within either side, and at a corner, u * u * u = 1/2, .294 voxel. A surface that is smooth over a
    voxel rounds both half as much again, and from whole voxels up to .65 of one. Two such edges or corners are further apart
    by twice that. Neither tumors nor ice have such edges; notches and creases are measured in the validation.
    """
    onto = grid(24.0, spacing)
    low, high = tumor_edges(spacing)
    diagonal = float(np.linalg.norm([spacing[at] for at in axes]))
    k, j, i = (high[at] + 3.0 if at in axes else 0.0 for at in range(3))
    found = measured(block(low, high, onto), 1.0 - block((k, j, i), onto.shape, onto), None, onto, binary=binary)
    rounded = 0.65 if binary else {2: 0.33, 3: 0.45}[len(axes)]
    assert_margin(found.minimum, 3.0 * diagonal, 2.0 * rounded * diagonal, binary=binary)


def beyond(normal: tuple[float, float, float], distance: float) -> Inside:
    """Points (..., 3) no further than `distance` mm from the origin along `normal`."""
    direction = np.array(normal) / np.linalg.norm(normal)
    return lambda points: points @ direction <= distance


@pytest.mark.parametrize("normal", [(1, 0, 0), (0, 0, 1), (0, 1, 1), (1, 2, 3), (3, 1, -1)], ids=str)
@pytest.mark.parametrize("spacing", GRIDS[:2])
def test_ball_before_a_plane(spacing: Spacing, normal: tuple[float, float, float]) -> None:
    """Everything is treated up to an oblique plane 11 mm away: 11 - 7 = 4 mm.

    The voxel that counts is as long as its shadow on the normal. Whole voxels leave the pole of the ball and a plane that is
    parallel to them half a voxel each; an oblique plane is cut by voxels in every way, which leaves half of that. A fraction
    at the pole averages over the curve of the ball within the voxel.
    """
    onto = grid(17.0, spacing)
    tumor, zone = (fractions(inside, onto).values for inside in (ball(7.0), beyond(normal, 11.0)))
    shadow = float(np.abs(np.array(normal)) @ np.array(spacing[::-1]) / np.linalg.norm(normal))
    curve = float(np.sum(np.square(spacing))) / (24.0 * 7.0)
    whole = 1.0 if np.count_nonzero(normal) == 1 else 0.5
    for binary, off in ((False, 0.2 * shadow + curve), (True, whole * shadow)):
        assert measured(tumor, zone, None, onto, binary=binary).minimum == pytest.approx(4.0, abs=off)


@pytest.mark.parametrize(
    ("tumor", "zone", "liver", "code"),
    [
        (False, True, True, "margin.tumor_too_small"),
        (True, True, False, "margin.no_untreated_liver"),
        (False, False, False, "margin.tumor_too_small"),
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_without_one_of_the_bodies_there_is_no_margin(code: str, *, tumor: bool, zone: bool, liver: bool, binary: bool) -> None:
    """Not infinite, not zero: no number at all."""
    spacing = GRIDS[0]
    onto = grid(45.0, spacing)
    low, high = tumor_edges(spacing)
    bodies = [block(low, moved(high, 1, more), onto) * there for more, there in ((0, tumor), (2, zone), (8, liver))]
    with pytest.raises(Unusable) as caught:
        measured(bodies[0], bodies[1], bodies[2], onto, binary=binary)
    assert caught.value.code == code
