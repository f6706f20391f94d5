"""The peers answer as they are known to: exactly for flat sides, with their known bias for balls."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.spatial import cKDTree

from tests.peers import require_package
from tests.validation.margin.peers import PEERS, Mask, Spacing, border_voxels, surface_elements, voxel_distance

GRIDS: tuple[Spacing, ...] = ((1.0, 1.0, 1.0), (3.0, 1.2, 1.2), (4.0, 1.4, 1.4))
NAMES = tuple(PEERS)


def masks(tumor: float, zone: float, shift: float, spacing: Spacing, place: tuple[float, float, float]) -> tuple[Mask, Mask]:
    """A ball in a ball, as the voxels whose centers they hold; `place` (k, j, i) moves both by parts of a voxel."""
    axes = [np.arange(-np.ceil(22.0 / size), np.ceil(22.0 / size) + 1.0) * size for size in spacing]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - np.array(place) * spacing
    return np.linalg.norm(points - [0, 0, shift], axis=-1) <= tumor, np.linalg.norm(points, axis=-1) > zone


def errors(name: str, spacing: Spacing) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What the peer says minus the truth, mm, for 16 balls that lie anywhere between the voxels."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(16):
        tumor, zone = rng.uniform(5, 10), rng.uniform(12, 18)
        shift = rng.uniform(0, zone - tumor)
        k, j, i = rng.uniform(-0.5, 0.5, 3)
        found.append(PEERS[name].measure(*masks(tumor, zone, shift, spacing, (k, j, i)), spacing) - (zone - tumor - shift))
    return np.array(found)


def slabs(gap: int) -> tuple[Mask, Mask]:
    """Treated up to voxel 20 of each row, and tumor up to `gap` voxels before that; everything else of the mask is far away."""
    tumor = np.zeros((30, 30, 30), dtype=bool)
    tumor[10:20, 10:20, 15 : 20 - gap] = True
    untreated = np.zeros_like(tumor)
    untreated[..., 20:] = True
    return tumor, untreated


def require(name: str) -> None:
    if PEERS[name].needs:
        require_package(PEERS[name].needs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gap", [1, 4, -1, -3])
def test_flat_sides_are_exact_up_to_the_voxel_that_centers_miss(name: str, gap: int) -> None:
    """Between centers there is one voxel more than between faces; where tumor is untreated all count whole voxels."""
    require(name)
    whole = gap + 1 if gap > 0 and name == "edt" else gap
    assert PEERS[name].measure(*slabs(gap), (3.0, 1.2, 0.8)) == pytest.approx(0.8 * whole, abs=1e-5)


@pytest.mark.parametrize("spacing", GRIDS)
def test_the_distance_transform_reads_balls_too_wide(spacing: Spacing) -> None:
    """A center is always further inside than the surface, on both sides: the unsafe direction."""
    found = errors("edt", spacing)
    assert found.min() > -1e-9
    assert 0.2 * spacing[1] < found.mean() < 0.8 * spacing[1]


@pytest.mark.parametrize("name", NAMES[1:])
@pytest.mark.parametrize("spacing", GRIDS)
def test_border_voxels_and_meshes_read_balls_too_narrow(name: str, spacing: Spacing) -> None:
    """Of a stair of voxels the corner that comes nearest counts."""
    require(name)
    found = errors(name, spacing)
    assert -0.7 * max(spacing[0], 2.0) < found.mean() < -0.1 * spacing[0]
    assert found.min() > -spacing[0] - spacing[1]


@pytest.mark.parametrize(("tumor", "zone", "shift"), [(6.0, 14.0, 3.0), (6.0, 12.0, 8.0), (9.0, 7.0, 0.0)])
def test_border_voxels_agree_with_a_search_among_them(tumor: float, zone: float, shift: float) -> None:
    """The same definition without a distance map: all pairs of voxels that a face parts from what they are not."""
    spacing = (3.0, 1.2, 1.2)
    body, untreated = masks(tumor, zone, shift, spacing, (0.2, -0.1, 0.4))
    edge = np.argwhere(parted(body))
    away, _ = cKDTree(np.argwhere(parted(~untreated)) * spacing).query(edge * spacing)
    signed = np.where(untreated[tuple(edge.T)], -away, away)
    assert border_voxels(body, untreated, spacing) == pytest.approx(float(signed.min()))


def parted(body: Mask) -> Mask:
    """Voxels of `body` with at least one of six neighbors outside."""
    moved = [np.roll(body, step, axis) for axis in range(3) for step in (-1, 1)]
    return np.asarray(body & ~np.all(moved, axis=0), dtype=np.bool_)


@pytest.mark.parametrize("name", NAMES)
def test_the_edge_of_the_masks_is_no_surface(name: str) -> None:
    """The tumor reaches 6 voxels into untreated liver and ends 2 voxels before the masks do."""
    require(name)
    tumor, untreated = slabs(-6)
    assert PEERS[name].measure(tumor[..., :28], untreated[..., :28], (1.0, 1.0, 1.0)) == pytest.approx(-6.0, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("empty", ["tumor", "zone", "untreated"])
def test_without_one_of_the_two_there_is_no_distance(name: str, empty: str) -> None:
    tumor, untreated = slabs(3)
    if empty == "tumor":
        tumor[:] = False
    else:
        untreated[:] = empty == "zone"
    with pytest.raises(ValueError, match="no distance"):
        PEERS[name].measure(tumor, untreated, (1.0, 1.0, 1.0))


def test_says_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "surface_distance", None)
    assert not PEERS["surface-distance"].installed
    with pytest.raises(ModuleNotFoundError, match="uv run --group bench"):
        surface_elements(*slabs(3), (1.0, 1.0, 1.0))


def test_what_is_written_out_here_is_always_installed() -> None:
    assert PEERS["edt"].installed
    assert PEERS["edt"].measure is voxel_distance
