"""The treated tumor inside its ablation zone: two tissues that all phases together tell apart, or none.

The tissue that makes up the zone's rim is ablated liver; the other one, if it is one compact place and differs by enough, is
tumor. Where that cannot be said the tumor is left out, with the reason: a guessed tumor would be a guessed margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from service.regions.classical.tissue import Mask, fraction, grown, largest
from service.regions.classical.zone import Zone
from service.study.model import Role
from service.volumes.volume import Array

INSIDE = 0.9  # fraction of zone from which a voxel may be judged
WHOLE = 0.97  # the same for a phase with larger voxels, after blurring the zone as they do
BLUR = 6.0  # mm, the thickness of such voxels
UNSHARP = 0.35  # of its contrast: what a phase with larger voxels can be wrong by at an edge
SKIN = 3.0  # mm of the zone's edge, which tells ablated liver from tumor
RADII = (4.0, 6.0, 9.0, 13.0)  # mm of the balls that are tried
REACH = 4.0  # mm that a round may add
BESIDE = 12.0  # mm around the tumor that it is compared with
ROUNDS = 8
VISIBLE = 2.0  # contrast-to-noise ratio of a voxel, all phases together, below which nothing is called tumor
SMALLEST = 0.1  # mL
MOST = 0.85  # of the zone
IN_SKIN = 0.6  # of the tumor; more is a one-sided difference across the zone, not a tumor in it
NOT_TOLD = "The treated tumor cannot be told from the ablated tissue around it"
BLOOD = 1.25  # of ablated tissue before contrast: brighter is blood


@dataclass(frozen=True, slots=True, eq=False)
class Tumor:
    """The fraction of tumor in each voxel of the zone's grid, and how well it stands out (contrast to noise of a voxel)."""

    part: Array
    contrast: float


def find_tumor(zone: Zone) -> Tumor | str:
    """The tumor in `zone`, or the sentence that says why it is not known."""
    free = ~grown(zone.vessel, min(zone.grid.spacing), zone.grid.spacing)
    core = (zone.part > INSIDE) & free
    scene = _Scene(zone, _signals(zone), core)
    if core.sum() < 100 or not scene.signals:
        return "The ablation zone is too small to look for the tumor in it."
    label = _most_unlike(scene)
    split = None
    for _ in range(ROUNDS):
        near = core & grown(label, REACH, zone.grid.spacing)
        margin = core & grown(label, BESIDE, zone.grid.spacing) & ~label
        if not label.any() or not margin.any():
            return NOT_TOLD + "."
        split = _split(scene, label, margin, near)
        label = split.label
    return _judge(scene, split) if split is not None else NOT_TOLD + "."


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """The zone with what each phase may say in it; `core`: the voxels that hold neither liver nor vessel."""

    zone: Zone
    signals: Mapping[Role, Array]
    core: Mask


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    part: Array
    contrast: float
    label: Mask


def _signals(zone: Zone) -> dict[Role, Array]:
    """T1 phases that fit; T2 with its larger voxels only where they lie wholly in the zone and beside no vessel."""
    signals = {role: zone.signals[role] for role in zone.beyond}
    if Role.T2 in zone.signals and np.isfinite(zone.noise[Role.T2]):
        blurred = ndimage.gaussian_filter(zone.part, [0.3 * BLUR / zone.grid.spacing[0], 1.0, 1.0])
        clear = (blurred > WHOLE) & ~grown(zone.vessel, 0.7 * BLUR, zone.grid.spacing)
        signals[Role.T2] = np.where(clear, zone.signals[Role.T2], np.float32(np.nan))
    return signals


def _ball(radius: float, spacing: tuple[float, float, float]) -> Mask:
    reach = [int(radius / size) for size in spacing]
    k, j, i = np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij")
    return np.asarray((k * spacing[0]) ** 2 + (j * spacing[1]) ** 2 + (i * spacing[2]) ** 2 <= radius**2)


def _most_unlike(scene: _Scene) -> Mask:
    """The ball that differs most from what surrounds it, measured by how much such balls differ elsewhere in the zone."""
    best, found = -1.0, (0, 0.0)
    for radius in RADII:
        score = np.zeros(scene.core.shape, dtype=np.float32)
        for signal in scene.signals.values():
            off = _calm(scene, signal, 0.5 * radius) - _calm(scene, signal, 1.2 * radius)
            spread = float(np.median(np.abs(off[scene.core]))) / 0.6745
            score += np.where(scene.core, (off / max(spread, 1e-9)) ** 2, np.float32(0))
        if float(score.max()) > best:
            best, found = float(score.max()), (int(score.argmax()), radius)
    centre = np.zeros(scene.core.shape, dtype=bool)
    centre.flat[found[0]] = True
    return scene.core & grown(centre, 0.7 * found[1], scene.zone.grid.spacing)


def _calm(scene: _Scene, signal: Array, width: float) -> Array:
    """Smoothed within the core by `width` mm; unknown values get what is around them."""
    known = scene.core & np.isfinite(signal)
    sigma = [width / size for size in scene.zone.grid.spacing]
    weight = ndimage.gaussian_filter(known.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(known, signal, np.float32(0)), sigma)
    whole = float(np.median(signal[known])) if known.any() else 0.0
    return np.asarray((total + np.float32(1e-2 * whole)) / (weight + np.float32(1e-2)), dtype=np.float32)


def _split(scene: _Scene, tumor: Mask, margin: Mask, near: Mask) -> _Split:
    """The fraction of tumor in each voxel when it is what `tumor` shows and `margin` the other; searched in `near`."""
    other = {role: _typical(signal, margin) for role, signal in scene.signals.items()}
    steps = {role: _typical(signal, tumor) - other[role] for role, signal in scene.signals.items()}
    steps = {role: step for role, step in steps.items() if np.isfinite(step)}
    noise = {role: float(np.hypot(scene.zone.noise[role], UNSHARP * steps[role] if role is Role.T2 else 0.0)) for role in steps}
    contrast = float(np.sqrt(sum((steps[role] / noise[role]) ** 2 for role in steps)))
    if not contrast:
        return _Split(np.zeros_like(scene.zone.part), 0.0, np.zeros_like(tumor))
    known = {role: scene.signals[role] for role in steps}
    full = {role: np.full_like(signal, other[role] + steps[role]) for role, signal in known.items()}
    none = {role: np.full_like(signal, other[role]) for role, signal in known.items()}
    part = np.clip(fraction(known, full, none, noise), -1.0, 2.0)
    part = _within(part, near | margin, float(np.clip(2.5 / contrast, 0.3, 0.8)))
    return _Split(part, contrast, largest(near & (part > 0.5), touching=tumor))


def _within(values: Array, where: Mask, sigma: float) -> Array:
    """`values` smoothed within `where` by `sigma` voxels; elsewhere that of the nearest voxel of `where`."""
    weight = ndimage.gaussian_filter(where.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(where, values, np.float32(0)), sigma)
    nearest = ndimage.distance_transform_edt(~where, return_distances=False, return_indices=True)
    return np.asarray((total / np.maximum(weight, 1e-3))[tuple(nearest)], dtype=np.float32)


def _typical(signal: Array, where: Mask) -> float:
    core = ndimage.binary_erosion(where, border_value=1)
    for mask, fewest in ((core, 20), (where, 3)):
        values = signal[mask & np.isfinite(signal)]
        if values.size >= fewest:
            return float(np.median(values))
    return float("nan")


def _judge(scene: _Scene, split: _Split) -> Tumor | str:
    """The tumor, if what was found is one."""
    zone = scene.zone
    place = split.label
    skin = scene.core & ~ndimage.binary_erosion(zone.part > 0.5, _ball(SKIN, zone.grid.spacing), border_value=1)
    size = float(place.sum()) * zone.grid.voxel_volume
    fault = ""
    if split.contrast < VISIBLE:
        fault = "its contrast is below the noise"
    elif size < SMALLEST or place.sum() > MOST * (zone.part > 0.5).sum():
        fault = "what differs is too small or too large to be one"
    elif (place & skin).sum() > IN_SKIN * place.sum():
        fault = "what differs lies along the edge of the zone"
    elif _is_blood(scene, place):
        fault = "what differs was bright before contrast, as blood is"
    if fault:
        return f"{NOT_TOLD}: {fault}."
    return Tumor(_soft(zone, split), split.contrast)


def _is_blood(scene: _Scene, place: Mask) -> bool:
    before = scene.signals.get(Role.T1_PRE)
    return before is not None and _typical(before, place) > BLOOD * _typical(before, scene.core & ~place)


def _soft(zone: Zone, split: _Split) -> Array:
    """The fraction of tumor at its edge; whole inside; nowhere more than there is zone."""
    place = ndimage.binary_fill_holes(split.label)
    part = np.clip(split.part, 0.0, 1.0) * zone.part
    core, rest = ndimage.binary_erosion(place), ~ndimage.binary_dilation(place)
    return np.where(core, np.float32(1), np.where(rest, np.float32(0), part)).astype(np.float32)
