"""Images of an ablated tumor in which one sector was blinded, with the share of the margin that this hides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.phantom.bodies import to_segment
from service.regions.region import Kind, Region
from service.study.model import Role
from service.volumes.volume import Array, Matrix, Volume
from tests.shapes import grid
from tests.validation.margin.family import vector
from tests.validation.margin.hidden import OPEN, PLANE_ONLY, Blinding, Scene, Sector, Share, assessable_share, blind_share

GRIDS = ((3.0, 1.2, 1.2), (5.0, 0.8, 0.8), (1.5, 1.5, 1.5), (4.0, 1.0, 1.0))  # z, y, x, mm
CUTS = 5  # along each axis of a voxel that holds an edge
TOGETHER = 128  # such voxels at a time, so that their pieces stay near the processor
AROUND = 11.0  # mm of image around the zone
LEAST_BLIND = 0.03  # of the surface; a smaller sector is smaller than what an edge needs to be seen
LIVER_BEFORE_CONTRAST = 100.0  # the signal that SNR refers to
PHASES = {Role.PORTAL_VENOUS: (190.0, 74.0), Role.T2: (100.0, 120.0)}  # liver and ablated tissue
BRIGHT_TUMOR = {Role.PORTAL_VENOUS: (104.0, 134.0, 234.0), Role.T2: (160.0, 170.0, 180.0)}
VESSEL = {Role.PORTAL_VENOUS: 320.0, Role.T2: 20.0}
SUFFICIENT = (2.0, 0.15)  # SD of noise, share of the signal: enough contrast for every reader

FAR = 1e3  # mm: longer than any grid

GHOST_SD = 0.54  # of the stripes of `_ghost`

Inside = Callable[[Matrix], Matrix]


@dataclass(frozen=True, slots=True, eq=False)
class Blinded:
    """One case: contours, phases, and the `truth`, the share of the surface that can be assessed."""

    blinding: Blinding
    tumor: Region
    zone: Region
    phases: Mapping[Role, Volume]
    truth: Share


def make(seed: int) -> Blinded:
    """The case of a seed: the ways of blinding take turns, and so do the grids."""
    rng = np.random.default_rng([seed, 1])
    blinding = tuple(Blinding)[seed % len(Blinding)]
    scene = _scene(rng)
    sector = _sector(rng, scene, blinding)
    onto = grid(float(np.abs(scene.ends).max()) + scene.radius + AROUND, GRIDS[(seed // len(Blinding)) % len(GRIDS)])
    if blinding is Blinding.BORDER:
        onto = _cut(onto, sector)
        sector = Sector(sector.axis, sector.cosine, _edge(onto, sector))
    binary = bool(rng.random() < 0.25)
    masks = [_fractions(body, onto) for body in (scene.tumor, scene.zone)]
    tumor, zone = (
        _region(kind, mask, onto, binary) for kind, mask in zip((Kind.TUMOR, Kind.ABLATION_ZONE), masks, strict=True)
    )
    phases = _phases(rng, onto, scene, sector, masks, blinding)
    return Blinded(blinding, tumor, zone, phases, assessable_share(scene, sector, blinding, onto.spacing))


def _scene(rng: np.random.Generator) -> Scene:
    axes = rng.uniform(4.5, 10.0) * rng.uniform(0.8, 1.2, 3)
    ends = _direction(rng) * np.array([[-1.0], [1.0]]) * rng.uniform(3.0, 8.0) + rng.uniform(-1.5, 1.5, 3)
    return Scene(axes, ends, float(axes.max()) + rng.uniform(3.5, 9.0))


def _direction(rng: np.random.Generator) -> Matrix:
    axis = rng.normal(size=3)
    return np.asarray(axis / np.linalg.norm(axis))


def _sector(rng: np.random.Generator, scene: Scene, blinding: Blinding) -> Sector:
    """A sector that hides at least a few percent of the surface and not all of it."""
    while True:
        plane = blinding in PLANE_ONLY or rng.random() < 0.4
        # A tumor that the border itself cuts has no whole surface to speak of: there the plane lies beyond it.
        span = (1.05, 1.6) if blinding is Blinding.BORDER else (-0.3, 1.0)
        apex = float(rng.uniform(*span) * scene.axes.max()) if plane else None
        axis = np.eye(3)[rng.integers(3)] * rng.choice([-1, 1]) if blinding is Blinding.BORDER else _direction(rng)
        sector = Sector(axis, float(np.cos(np.radians(rng.uniform(25.0, 80.0)))), apex)
        if blinding in OPEN or LEAST_BLIND <= blind_share(scene, sector, blinding) <= 1.0 - LEAST_BLIND:
            return sector


def _cut(onto: Volume, sector: Sector) -> Volume:
    """The voxels whose centre lies before the plane of the sector."""
    index = np.stack(np.meshgrid(*map(np.arange, onto.shape), indexing="ij"), axis=-1)
    kept = ~sector.holds(onto.to_mm(index.astype(np.float64)))
    low = [int(np.flatnonzero(kept.any(axis=others))[0]) for others in ((1, 2), (0, 2), (0, 1))]
    high = [int(np.flatnonzero(kept.any(axis=others))[-1]) + 1 for others in ((1, 2), (0, 2), (0, 1))]
    return onto.crop((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _edge(onto: Volume, sector: Sector) -> float:
    """Where the outermost voxels of a cut volume end along the axis of the sector, mm."""
    last = np.array(onto.shape) - 0.5
    return float(max((onto.to_mm(corner) @ sector.axis) for corner in (np.full(3, -0.5), last)))


def _region(kind: Kind, mask: Array, onto: Volume, binary: bool) -> Region:  # noqa: FBT001
    return Region(kind, onto.with_values(np.round(mask) if binary else mask), "truth", binary=binary)


def _fractions(body: Inside, onto: Volume) -> Array:
    """How much of each voxel lies inside; only voxels that an edge may cross are cut into pieces."""
    index = np.stack(np.meshgrid(*map(np.arange, onto.shape), indexing="ij"), axis=-1).astype(np.float64)
    distance = body(onto.to_mm(index))
    result = (distance < 0).astype(np.float32)
    crossed = np.abs(distance) <= float(np.linalg.norm(onto.spacing)) / 2.0
    step = (np.arange(CUTS) + 0.5) / CUTS - 0.5
    pieces = np.stack(np.meshgrid(step, step, step, indexing="ij"), axis=-1).reshape(-1, 3)
    cut = index[crossed]
    parts = [body(onto.to_mm(cut[n : n + TOGETHER, None] + pieces)) < 0 for n in range(0, len(cut), TOGETHER)]
    result[crossed] = np.concatenate([np.zeros(0), *(part.mean(axis=1) for part in parts)])
    return result


def _phases(
    rng: np.random.Generator, onto: Volume, scene: Scene, sector: Sector, masks: Sequence[Array], blinding: Blinding
) -> dict[Role, Volume]:
    noise = LIVER_BEFORE_CONTRAST / rng.uniform(10.0, 40.0)
    parts = [*masks, _vessels(rng, scene, onto), _rim(rng, scene, onto)]
    index = np.stack(np.meshgrid(*map(np.arange, onto.shape), indexing="ij"), axis=-1).astype(np.float64)
    points = onto.to_mm(index)
    within = sector.holds(points) if blinding not in OPEN else np.zeros(onto.shape, dtype=bool)
    bias = _bias(rng, points)
    roles = (Role.PORTAL_VENOUS,) if rng.random() < 0.6 else tuple(PHASES)
    blur = rng.choice([0.0, 0.4, 0.6])
    ghost = _ghost(rng, points)
    result = {}
    for role in roles:
        clean = _tissue(rng, role, parts, within, blinding, noise / float(bias.min()))
        clean = ndimage.gaussian_filter(clean, blur) * bias
        result[role] = onto.with_values(_acquired(rng, clean, within, blinding, noise, ghost))
    return result


def _tissue(
    rng: np.random.Generator, role: Role, parts: list[Array], within: NDArray[np.bool_], blinding: Blinding, noise: float
) -> Array:
    """The signal without noise; what looks alike in the sector differs by less than anybody can see."""
    tumor, zone, vessel, rim = parts
    liver, ablated = PHASES[role]
    lesion = float(rng.choice(BRIGHT_TUMOR[role]))
    if blinding is Blinding.LOW_CONTRAST:
        step = max(SUFFICIENT[0] * noise, SUFFICIENT[1] * ablated) * 1.05
        liver, lesion = ablated + 1.1 * step * np.sign(liver - ablated), ablated + step
    alike = ablated + rng.uniform(-1, 1) * min(0.03 * ablated, 0.4 * noise)
    outside = liver + (liver * 1.12 - liver) * rim
    outside = outside + (VESSEL[role] - outside) * vessel if blinding is not Blinding.LOW_CONTRAST else outside
    if blinding is Blinding.ZONE:
        outside = np.where(within, alike, outside)
    inside = np.where(within, alike, lesion) if blinding is Blinding.TUMOR else np.full(tumor.shape, lesion)
    return np.asarray(outside * (1.0 - np.maximum(zone, tumor)) + ablated * (zone - tumor) + inside * tumor, dtype=np.float32)


def _acquired(
    rng: np.random.Generator, clean: Array, within: NDArray[np.bool_], blinding: Blinding, noise: float, ghost: Array
) -> Array:
    """The magnitude of the noisy signal, after the sector was spoilt."""
    void = within & (blinding in (Blinding.VOID, Blinding.NOISY_VOID))
    clean = np.where(void, 0.0, clean)
    spread = np.where(within & (blinding is Blinding.NOISE), rng.uniform(250.0, 400.0), noise)
    real, imaginary = rng.normal(size=(2, *clean.shape)) * spread
    image = np.hypot(clean + real, imaginary)
    if blinding is Blinding.GHOST:
        image = np.where(within, np.abs(image + rng.uniform(250.0, 400.0) / GHOST_SD * ghost), image)
    if blinding is Blinding.VOID:
        image = np.where(void, 0.0, image)
    if blinding is Blinding.UNKNOWN:
        image = np.where(within, np.nan, image)
    return np.asarray(image, dtype=np.float32)


def _bias(rng: np.random.Generator, points: Matrix) -> Array:
    """A coil's sensitivity: up to 30 % more or less, with a length of 150-300 mm."""
    wave = _direction(rng) * 2.0 * np.pi / rng.uniform(150.0, 300.0)
    return np.asarray(1.0 + rng.uniform(0.0, 0.3) * np.sin(points @ wave + rng.uniform(0, 2 * np.pi)), dtype=np.float32)


def _ghost(rng: np.random.Generator, points: Matrix) -> Array:
    """Stripes along the phase encoding (rows), their length that of the copies of a pulsating vessel."""
    across = np.sin(2 * np.pi * points[..., 1] / rng.uniform(4.0, 9.0) + rng.uniform(0, 6))
    along = np.sin(2 * np.pi * points[..., 0] / rng.uniform(9.0, 20.0) + rng.uniform(0, 6))
    return np.asarray(0.7 * across + 0.3 * along, dtype=np.float32)


def _vessels(rng: np.random.Generator, scene: Scene, onto: Volume) -> Array:
    """Up to two straight vessels of 2-5 mm that pass by the zone."""
    total = np.zeros(onto.shape, np.float32)
    for _ in range(int(rng.integers(0, 3))):
        along, width = _direction(rng), rng.uniform(1.0, 2.5)
        at = _direction(rng) * (scene.radius + rng.uniform(1.0, 8.0))
        total = np.maximum(total, _fractions(partial(_tube, at=at, along=along, width=width), onto))
    return total


def _tube(points: Matrix, at: Matrix, along: Matrix, width: float) -> Matrix:
    return to_segment(points, vector(at - FAR * along), vector(at + FAR * along))[0] - width


def _rim(rng: np.random.Generator, scene: Scene, onto: Volume) -> Array:
    """The hyperaemic rim, in every other case."""
    width = float(rng.choice([0.0, rng.uniform(2.0, 5.0)]))
    return _fractions(lambda points: scene.zone(points) - width, onto) if width else np.zeros(onto.shape, np.float32)
