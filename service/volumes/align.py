"""Phases are brought onto one grid: the rigid motion between two of them, and how far one can trust it.

Blocks of the reference that show edges are looked for in the other phase (`blocks`), first on a coarse grid together, for
the translation of a breath, then on a finer one each for itself, for the rigid motion that suits most of them. What no
rigid motion explains is the residual. Nothing is warped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from service.errors import Unusable
from service.volumes.blocks import Blocks, Matches, choose_points, coarser, cut_blocks, describe, edge_scale, match
from service.volumes.resampling import Interpolation, resample
from service.volumes.volume import Array, Matrix, Volume

COARSE, FINE = 5.0, 2.5  # mm, spacing of the working grids
REACH_COARSE, REACH_FINE = 5, 2  # voxels: 25 mm covers a breath, 5 mm the rest
RELUCTANCE = 0.003  # similarity, for each voxel of shift
ROUNDS = 8
SETTLED = 0.05  # mm; a smaller step changes nothing
ALIKE = 0.4  # mean similarity of the blocks; noise reaches .3, phases of one patient .8
FARTHEST = 4.5  # mm; one and a half voxels of the fine grid
FEWEST = 8  # blocks; below it six numbers cannot be told from chance
STILL = 0.4  # mm; a smaller motion is not told from none, and interpolation would cost more than it gives
SURE = 4.0  # F value from which a motion is believed
OVERLAP = 4.0  # blocks that share so much that they say only one thing
SMALL = 7.0  # mm, half a block in which a bend shows: in blocks of twice the size up to two thirds of it average out
LEFT_LARGE, LEFT_SMALL = (0.7, 0.8), (1.15, 1.4)  # mm that blocks of each size leave: by noise alone, and by a bend for sure
MOST = 1.95  # mm that small blocks may add up to: edges that one phase alone shows leave more, and must not refuse it
LIMIT = 2.0  # mm, or the largest voxel side of the two where that is more


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """A phase on the reference grid.

    `residual` (mm) is the root mean square of what the rigid motion leaves unexplained, noise and bends included; `moved` (mm)
    the root mean square motion at the blocks, 0 exactly when the phases were aligned already. `motion` (4x4, LPS mm) takes a
    reference point to the same tissue in the moving phase. Voxels that the moving phase does not cover are NaN.
    """

    volume: Volume
    residual: float
    moved: float
    motion: Matrix

    @property
    def off(self) -> float:
        """How far (mm, root mean square) the same tissue lies apart in both as they came: motion and residual."""
        return float(np.hypot(self.moved, self.residual))


def align(
    reference: Volume,
    moving: Volume,
    *,
    region: Volume | None = None,
    across_frames: bool = False,
    interpolation: Interpolation = "linear",
) -> Aligned:
    """`moving` on the grid of `reference`, after the rigid motion that the images support, if any.

    `region` is a mask (any grid) that limits the places compared, for example to the liver, which breathes, without the
    spine, which does not.

    Raises:
        Unusable: `align.frame_of_reference` when the two do not share their coordinates, unless `across_frames`;
            `align.structure` when there is too little to compare; `align.residual` when more than max(1 voxel, 2 mm) stays
            unexplained. The phase must then be left out.
    """
    _same_frame(reference, moving, across_frames=across_frames)
    start = _start(reference, moving, across_frames=across_frames)
    motion, blocks, residual = _register(reference, moving, region, start)
    moved = _rms(_displacement(motion, blocks.points))
    limit = max(LIMIT, *reference.spacing, *moving.spacing)
    if residual > limit:
        raise Unusable(
            "align.residual", f"The phases do not fit onto each other: {residual:.1f} mm remain, {limit:.1f} mm are allowed"
        )
    return Aligned(resample(moving, reference, motion=motion, interpolation=interpolation), residual, moved, motion)


def _same_frame(reference: Volume, moving: Volume, *, across_frames: bool) -> None:
    both = (reference.frame_of_reference_uid, moving.frame_of_reference_uid)
    if not across_frames and all(both) and both[0] != both[1]:
        raise Unusable(
            "align.frame_of_reference", "The phases do not share a frame of reference, so their positions mean different things"
        )


def _start(reference: Volume, moving: Volume, *, across_frames: bool) -> Matrix:
    """No motion where coordinates are shared; the middle of one grid onto the middle of the other where they are not."""
    start = np.eye(4)
    if across_frames:
        start[:3, 3] = _middle(moving) - _middle(reference)
    return start


def _middle(volume: Volume) -> Matrix:
    return volume.to_mm((np.array(volume.shape) - 1) / 2.0)


def _register(reference: Volume, moving: Volume, region: Volume | None, start: Matrix) -> tuple[Matrix, Blocks, float]:
    """The motion, the blocks it was found on and the residual, mm."""
    coarse = coarser(reference, COARSE, moving)
    points = choose_points(coarse, region)
    _enough(len(points))
    motion = _translate(cut_blocks(coarse, points, REACH_COARSE), coarser(moving, COARSE, reference), start)
    fine = coarser(reference, FINE, moving)
    blocks = cut_blocks(fine, points, REACH_FINE)
    other = coarser(moving, FINE, reference)
    motion = _settle(blocks, other, motion, start)
    matches, seen = _look(blocks, other, edge_scale(other), motion)
    if not _moved(matches, _displacement(np.linalg.inv(motion) @ start, seen)):
        motion = start
        matches, _ = _look(blocks, other, edge_scale(other), motion)
    if float(np.mean(matches.peak)) < ALIKE:
        raise Unusable("align.structure", "The phases share too little structure to be compared")
    small, _ = _look(cut_blocks(fine, blocks.points, REACH_FINE, SMALL), other, edge_scale(other), motion)
    return motion, blocks, _stated(_left_over(matches), _left_over(small))


def _translate(blocks: Blocks, other: Volume, start: Matrix) -> Matrix:
    """`start` followed by the shift on which the blocks of the coarse grid agree best."""
    similarity, seen = match(blocks, other, edge_scale(other), start)
    _enough(int(seen.sum()))
    best = describe(similarity[seen].mean(axis=0, keepdims=True) - _reluctance(), blocks.grid)
    step = np.eye(4)
    step[:3, 3] = best.shift[0] + _inner(best)[0]
    return start @ step


def _settle(blocks: Blocks, other: Volume, motion: Matrix, start: Matrix) -> Matrix:
    """Small rigid steps on the fine grid until they no longer matter."""
    scale = edge_scale(other)
    for _ in range(ROUNDS):
        matches, points = _look(blocks, other, scale, motion)
        step = _rigid_step(matches, points, turned=not np.array_equal(motion[:3, :3], start[:3, :3]))
        motion = motion @ step
        if _rms(_displacement(step, points)) < SETTLED:
            break
    return motion


def _moved(matches: Matches, back: Matrix) -> bool:
    """Whether the blocks say that the found motion is not the start, which lies `back` (n, 3; mm) from it."""
    if _rms(back) < STILL:
        return False
    weights = _cauchy(_errors(matches, np.zeros_like(back)))
    lost, scatter = (float(np.sum(weights * _quadratic_loss(matches, moved))) for moved in (back, np.zeros_like(back)))
    free = max(3 * len(back) / OVERLAP - 6, 1)
    return (lost - scatter) / 6.0 > SURE * scatter / free


def _reluctance() -> Array:
    """What a shift must gain in similarity before it is preferred to none: little, but something."""
    steps = np.arange(-REACH_COARSE, REACH_COARSE + 1)
    far = np.sqrt(sum(part**2 for part in np.meshgrid(steps, steps, steps, indexing="ij")))
    return (RELUCTANCE * far).astype(np.float32)


def _look(blocks: Blocks, other: Volume, scale: float, motion: Matrix) -> tuple[Matches, Matrix]:
    similarity, seen = match(blocks, other, scale, motion)
    _enough(int(seen.sum()))
    return describe(similarity[seen], blocks.grid), blocks.points[seen]


def _enough(count: int) -> None:
    if count < FEWEST:
        raise Unusable("align.structure", "The phases share too little structure to be compared")


def _rigid_step(matches: Matches, points: Matrix, *, turned: bool) -> Matrix:
    """The small motion (4x4) that suits most blocks; with a rotation only where they ask for it, now or before (`turned`)."""
    centre = points.mean(axis=0)
    turns = _fit(matches, _jacobian(points - centre))
    shifts = _fit(matches, _jacobian(points - centre)[:, :, :3])
    free = max(3 * len(points) - 6, 1)
    gain = (shifts.cost - turns.cost) / 3.0 / max(turns.cost / free, 1e-12)
    theta = turns.theta if turned or gain > SURE else np.concatenate([shifts.theta, np.zeros(3)])
    step = np.eye(4)
    step[:3, :3] = Rotation.from_rotvec(theta[3:]).as_matrix()
    step[:3, 3] = theta[:3] + centre - step[:3, :3] @ centre
    return step


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    theta: Matrix
    cost: float


def _fit(matches: Matches, jacobian: Matrix) -> _Fit:
    """Least squares in the metric of each block's curvature; blocks that disagree count less (Cauchy weights)."""
    weights = np.ones(len(matches.peak))
    theta = np.zeros(jacobian.shape[2])
    pull = np.einsum("nab,nb->na", matches.curvature, matches.shift) + matches.slope
    normals = np.swapaxes(jacobian, 1, 2) @ matches.curvature @ jacobian
    rights = np.einsum("nap,na->np", jacobian, pull)
    for _ in range(8):
        theta = np.linalg.lstsq(np.tensordot(weights, normals, 1), weights @ rights, rcond=1e-9)[0]
        weights = _cauchy(_errors(matches, jacobian @ theta))
    return _Fit(theta, float(np.sum(weights * _quadratic_loss(matches, jacobian @ theta))))


def _jacobian(arms: Matrix) -> Matrix:
    """How a block at `arms` (n, 3) from the centre moves with translation and rotation vector, (n, 3, 6)."""
    x, y, z = arms.T
    zero = np.zeros_like(x)
    turn = np.stack([zero, z, -y, -z, zero, x, y, -x, zero], axis=1).reshape(-1, 3, 3)
    return np.concatenate([np.broadcast_to(np.eye(3), turn.shape), turn], axis=2)


def _inner(matches: Matches) -> Matrix:
    """From the best whole shift to the peak between voxels, LPS mm, (n, 3); directions without curvature stay.

    A parabola is not believed beyond its support.
    """
    steep = np.maximum(np.trace(matches.curvature, axis1=1, axis2=2), 1e-12)[:, None, None]
    damped = matches.curvature + 0.02 * steep * np.eye(3)
    inner = np.linalg.solve(damped, matches.slope[..., None])[..., 0]
    far = np.linalg.norm(inner, axis=1, keepdims=True)
    return np.asarray(inner * np.minimum(1.0, FARTHEST / np.maximum(far, 1e-9)))


def _quadratic_loss(matches: Matches, moved: Matrix) -> Matrix:
    """What each block loses in similarity (twice) when it is put at `moved` instead of its own best place."""
    off = matches.shift + _inner(matches) - moved
    return np.asarray(np.einsum("na,nab,nb->n", off, matches.curvature, off))


def _errors(matches: Matches, moved: Matrix) -> Matrix:
    """Distance of each block from its own best place, mm, judged in the directions in which it can be."""
    steep = np.maximum(np.trace(matches.curvature, axis1=1, axis2=2), 1e-12)
    return np.asarray(np.sqrt(3.0 * _quadratic_loss(matches, moved) / steep))


def _left_over(matches: Matches) -> float:
    """Root mean square of the errors, mm; a block counts as much as it is sure, and less where it stands alone.

    It holds the noise of the matching too: what is stated is more often too much than too little.
    """
    errors = _errors(matches, np.zeros_like(matches.shift))
    sure = np.trace(matches.curvature, axis1=1, axis2=2) * _cauchy(errors)
    return float(np.sqrt(np.sum(sure * errors**2) / max(float(np.sum(sure)), 1e-12)))


def _stated(large: float, small: float) -> float:
    """The residual from what blocks of both sizes leave, mm.

    Large blocks are matched more surely, but a bend averages out in them, and they leave less than it is. Small ones show it,
    and beside it noise: so they count where both leave more than noise does. The limits are those of phantoms with even seeds.

    >>> [round(_stated(large, small), 2) for large, small in ((0.6, 1.5), (1.0, 1.1), (1.0, 1.3), (1.0, 1.7), (1.7, 2.7))]
    [0.6, 1.0, 1.19, 1.7, 1.95]
    """
    share = float(np.interp(large, LEFT_LARGE, (0.0, 1.0)) * np.interp(small, LEFT_SMALL, (0.0, 1.0)))
    return float(np.sqrt(large**2 + share * max(min(small, MOST) ** 2 - large**2, 0.0)))


def _cauchy(errors: Matrix) -> Matrix:
    """Weights that fall off beyond twice the median error."""
    usual = max(float(np.median(errors)), SETTLED)
    return np.asarray(1.0 / (1.0 + (errors / (2.0 * usual)) ** 2))


def _displacement(motion: Matrix, points: Matrix) -> Matrix:
    return points @ motion[:3, :3].T + motion[:3, 3] - points


def _rms(vectors: Matrix) -> float:
    return float(np.sqrt(np.mean(np.sum(vectors**2, axis=1)))) if len(vectors) else 0.0
