"""Rigid alignment of phases: the right motion, an honest residual, and a refusal where there is no answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from service.errors import Unusable
from service.volumes.align import align
from service.volumes.resampling import resample
from service.volumes.volume import Matrix, Volume

SHAPE, SPACING = (24, 64, 72), (3.0, 1.5, 1.5)
BEFORE = (20.0, 60.0, 100.0, 55.0, 70.0)  # fat, muscle, liver, vessels, a dark ball
AFTER = (22.0, 85.0, 190.0, 320.0, 74.0)  # the same after contrast: vessels turn from dark to bright


def grid(shape: tuple[int, int, int] = SHAPE, spacing: tuple[float, float, float] = SPACING, tilt: float = 0.0) -> Volume:
    """An empty grid about the origin, slices along z, turned by `tilt` degrees."""
    turn = Rotation.from_euler("xz", [tilt, tilt / 2], degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.eye(3)[:, ::-1] * np.array(spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Volume(np.zeros(shape, np.float32), affine, "1.2.3")


def motion_of(shift: tuple[float, float, float], degrees: float = 0.0) -> Matrix:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec(np.deg2rad(degrees) * np.array([0.6, 0.0, 0.8])).as_matrix()
    motion[:3, 3] = shift
    return motion


def scene(points: Matrix, signals: tuple[float, ...]) -> NDArray[np.float64]:
    """A body with an organ, three vessels and a ball, with edges one millimeter soft."""

    def layer(below: NDArray[np.float64], depth: NDArray[np.float64], signal: float) -> NDArray[np.float64]:
        fraction = np.clip(depth + 0.5, 0, 1)
        return below * (1 - fraction) + signal * fraction

    fat, muscle, liver, vessel, ball = signals
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    image = np.full(x.shape, fat)
    image = layer(image, 40.0 * (1 - np.sqrt((x / 50) ** 2 + (y / 44) ** 2)), muscle)
    image = layer(image, 28.0 * (1 - np.sqrt(((x - 4) / 40) ** 2 + (y / 33) ** 2 + (z / 30) ** 2)), liver)
    image = layer(image, 3.0 - np.hypot(x - 20, y + 0.5 * z), vessel)
    image = layer(image, 2.5 - np.hypot(z - 6, y - 14 + 0.4 * x), vessel)
    image = layer(image, 3.0 - np.hypot(x + 16 - 0.3 * z, y - 8), vessel)
    return layer(image, 13.0 - np.sqrt((x + 4) ** 2 + (y + 6) ** 2 + (z + 3) ** 2), ball)


def image(
    onto: Volume, signals: tuple[float, ...], motion: Matrix | None = None, *, noise: float = 4.0, seed: int = 0
) -> Volume:
    """The scene, each of its points p moved to motion(p), seen on the grid `onto` with noise."""
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=float) for n in onto.shape], indexing="ij"), axis=-1)
    back = np.linalg.inv(np.eye(4) if motion is None else motion)
    points = onto.to_mm(index) @ back[:3, :3].T + back[:3, 3]
    rough = np.random.default_rng(seed).normal(size=onto.shape) * noise
    return onto.with_values((scene(points, signals) + rough).astype(np.float32))


def worst_error(found: Matrix, true: Matrix) -> float:
    """Largest distance between two motions over a box of 60 mm, mm."""
    corners = np.array([[x, y, z, 1] for x in (-30, 30) for y in (-30, 30) for z in (-20, 20)], dtype=float)
    return float(np.linalg.norm(corners @ (found - true).T, axis=1).max())


def test_phases_that_fit_are_left_untouched() -> None:
    """No motion is invented from noise and contrast: the very same values come back."""
    before, after = image(grid(), BEFORE, seed=1), image(grid(), AFTER, seed=2)
    aligned = align(after, before)
    assert aligned.moved == 0
    assert np.array_equal(before.values, aligned.volume.values)
    assert aligned.residual < 1


@pytest.mark.parametrize(
    ("shift", "degrees", "tilt"),
    [((0.7, -1.1, 4.0), 0.0, 0.0), ((-2.0, 3.0, -13.0), 0.0, 0.0), ((1.0, 2.0, 3.0), 4.0, 0.0), ((1.5, -2.0, 6.0), 3.0, 15.0)],
)
def test_motion_is_found_across_contrast(shift: tuple[float, float, float], degrees: float, tilt: float) -> None:
    """A breath of up to 15 mm and a few degrees, straight or oblique, to a fraction of a voxel."""
    true = motion_of(shift, degrees)
    aligned = align(image(grid(tilt=tilt), AFTER), image(grid(tilt=tilt), BEFORE, true, seed=1))
    assert worst_error(aligned.motion, true) < 1.0
    assert aligned.residual < 1
    inner = (slice(6, -6), slice(12, -12), slice(12, -12))
    off = aligned.volume.values[inner] - image(grid(tilt=tilt), BEFORE, noise=0).values[inner]
    assert np.nanmean(np.abs(off)) < 8


def test_motion_between_different_grids() -> None:
    """A coarser, oblique phase with its slices counted the other way lands on the reference grid."""
    other = grid((14, 50, 56), (5.0, 2.0, 2.0), tilt=8)
    other = replace(other, affine=other.affine @ np.diag([-1.0, 1, 1, 1]))
    other = replace(other, affine=_centred(other))
    true = motion_of((2.0, -1.0, 5.0))
    reference = image(grid(), AFTER)
    aligned = align(reference, image(other, BEFORE, true, seed=1))
    assert worst_error(aligned.motion, true) < 1.0
    assert aligned.volume.same_grid(reference)


def _centred(volume: Volume) -> Matrix:
    affine = volume.affine.copy()
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(volume.shape) - 1) / 2)
    return affine


def test_gain_does_not_matter() -> None:
    true = motion_of((1.0, -2.0, 5.0))
    moving = image(grid(), BEFORE, true, seed=1)
    loud = moving.with_values(moving.values * np.float32(7.5))
    assert np.allclose(align(image(grid(), AFTER), moving).motion, align(image(grid(), AFTER), loud).motion, atol=0.02)


def test_same_input_same_answer() -> None:
    pair = image(grid(), AFTER), image(grid(), BEFORE, motion_of((1.0, -2.0, 5.0), 2.0), seed=1)
    first, second = align(*pair), align(*pair)
    assert np.array_equal(first.motion, second.motion)
    assert np.array_equal(first.volume.values, second.volume.values, equal_nan=True)
    assert first.residual == second.residual


def test_region_decides_what_is_followed() -> None:
    """The right half moves up, the left half stays: the region says which of them counts."""
    still, moved = image(grid(), BEFORE, noise=0), image(grid(), BEFORE, motion_of((0.0, 0.0, 6.0)), noise=0)
    right = (
        grid().to_mm(np.stack(np.meshgrid(*[np.arange(n, dtype=float) for n in SHAPE], indexing="ij"), axis=-1))[..., 0] < -6
    )
    split = still.with_values(np.where(right, moved.values, still.values))
    region = grid().with_values(right.astype(np.float32))
    aligned = align(image(grid(), AFTER), split, region=region)
    assert aligned.motion[2, 3] == pytest.approx(6, abs=1.5)
    rest = align(image(grid(), AFTER), split, region=grid().with_values(1 - right.astype(np.float32)))
    assert rest.motion[2, 3] == pytest.approx(0, abs=1.5)


def test_another_body_is_refused() -> None:
    """What fits nowhere is not forced: another shape leaves too much unexplained."""
    rough = np.random.default_rng(5).normal(size=(8, 16, 18)).repeat(3, 0).repeat(4, 1).repeat(4, 2)
    with pytest.raises(Unusable) as caught:
        align(image(grid(), AFTER), grid().with_values((100 + 30 * rough).astype(np.float32)))
    assert caught.value.code in {"align.structure", "align.residual"}


def test_an_empty_phase_is_refused() -> None:
    with pytest.raises(Unusable) as caught:
        align(image(grid(), AFTER, noise=0), grid())
    assert caught.value.code in {"align.structure", "align.residual"}


def test_other_coordinates_are_refused_unless_wished() -> None:
    """Positions of two frames of reference cannot be compared; a caller who knows better says so."""
    far = motion_of((200.0, -80.0, 40.0))
    onto = replace(grid(), affine=far @ grid().affine, frame_of_reference_uid="9.9")
    moving = image(onto, BEFORE, far, seed=1)
    with pytest.raises(Unusable) as caught:
        align(image(grid(), AFTER), moving)
    assert caught.value.code == "align.frame_of_reference"
    assert worst_error(align(image(grid(), AFTER), moving, across_frames=True).motion, far) < 1.0


def test_resampling_onto_the_same_grid_changes_nothing() -> None:
    volume = image(grid(), AFTER)
    assert resample(volume, grid()) is volume


@pytest.mark.parametrize("interpolation", ["linear", "bspline"])
def test_resampling_keeps_positions_on_an_oblique_grid(interpolation: str) -> None:
    """A linear ramp in the patient is the same ramp on any grid; beyond the image there is nothing, not zero."""
    source, onto = grid(tilt=10), grid((9, 21, 33), (4.0, 2.5, 2.0), tilt=-20)
    ramp = np.array([0.5, -1.0, 2.0])

    def values(volume: Volume) -> NDArray[np.float64]:
        index = np.stack(np.meshgrid(*[np.arange(n, dtype=float) for n in volume.shape], indexing="ij"), axis=-1)
        return np.asarray(volume.to_mm(index) @ ramp)

    how = "linear" if interpolation == "linear" else "bspline"
    moved = resample(source.with_values(values(source).astype(np.float32)), onto, interpolation=how)  # type: ignore[arg-type]
    assert np.nanmax(np.abs(moved.values - values(onto))) < (0.01 if how == "linear" else 3.0)
    away = replace(onto, affine=motion_of((500.0, 0.0, 0.0)) @ onto.affine)
    assert np.isnan(resample(source, away).values).all()
