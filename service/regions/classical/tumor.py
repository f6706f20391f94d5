"""The treated tumor inside its ablation zone: two tissues that all phases together tell apart, or none.

The tissue that makes up the zone's rim is ablated liver; the other one, if it is one compact place and differs by enough, is
tumor. Where that cannot be said the tumor is left out, with the reason: a guessed tumor would be a guessed margin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from service.regions.classical.tissue import Mask, fraction, grown, largest, opened
from service.regions.classical.zone import T1, Zone
from service.study.model import Role
from service.volumes.volume import Array

PHASES = (*T1, Role.T2)
INSIDE = 0.9  # fraction of zone from which a voxel may be judged
WHOLE = 0.97  # the same for a phase with larger voxels, after blurring the zone as they do
BLUR = 6.0  # mm, the thickness of such voxels
FILLS = 0.05  # of liver; portal-venous minus arterial, each relative to liver
UNSHARP = 0.35  # of its contrast: what a phase with larger voxels can be wrong by at an edge
SKIN = 3.0  # mm of the zone's edge, which tells ablated liver from tumor
RADII = (4.0, 6.0, 9.0, 13.0)  # mm of the balls that are tried
REACH = 4.0  # mm that a round may add
BESIDE = 12.0  # mm around the tumor that it is compared with
ROUNDS = 8
VISIBLE = 2.0  # contrast-to-noise ratio of a voxel, all phases together, below which nothing is called tumor
SMALLEST = 0.1  # mL
MOST = 0.85  # of the zone
COMPACT = 0.75  # of the different tissue that must be one place
IN_SKIN = 0.6  # of the tumor; more is a one-sided difference across the zone, not a tumor in it
BLOOD = 1.25  # of ablated tissue before contrast: brighter is blood


@dataclass(frozen=True, slots=True, eq=False)
class Tumor:
    """The fraction of tumor in each voxel of the zone's grid, and how well it stands out (contrast to noise of a voxel)."""

    part: Array
    contrast: float


def find_tumor(zone: Zone) -> Tumor | str:
    """The tumor in `zone`, or the sentence that says why it is not known."""
    vessel = _vessels(zone)
    where = (zone.part > INSIDE) & ~grown(vessel, 1.2 * min(zone.grid.spacing), zone.grid.spacing)
    signals = _signals(zone, vessel)
    if where.sum() < 200 or not signals:
        return "The ablation zone is too small to look for the tumor in it."
    label = _most_unlike(zone, signals, where)
    split = None
    for _ in range(ROUNDS):
        near = where & grown(label, REACH, zone.grid.spacing)
        margin = where & grown(label, BESIDE, zone.grid.spacing) & ~label
        if not label.any() or not margin.any():
            return "The treated tumor cannot be told from the ablated tissue around it."
        split = _split(zone, signals, label, margin, near)
        label = split.label
    skin = where & ~ndimage.binary_erosion(zone.part > 0.5, _ball(SKIN, zone.grid.spacing), border_value=1)
    return _judge(zone, signals, where, skin, split) if split is not None else "The treated tumor is not known."


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    part: Array
    contrast: float
    label: Mask


def _vessels(zone: Zone) -> Mask:
    """Lumen also where it fills a voxel in part: a vein fills after the arterial phase, tumor and ablated liver do not."""
    if not {Role.PORTAL_VENOUS, Role.ARTERIAL} <= zone.signals.keys():
        return zone.vessel
    later = zone.signals[Role.PORTAL_VENOUS] - zone.signals[Role.ARTERIAL]
    return np.asarray(zone.vessel | ((zone.part > 0.5) & (np.nan_to_num(later, nan=0.0) > FILLS)))


def _signals(zone: Zone, vessel: Mask) -> dict[Role, Array]:
    """What each phase may say: T2 with its larger voxels only where they lie wholly in the zone and beside no vessel."""
    signals = {role: zone.signals[role] for role in PHASES if role in zone.signals and np.isfinite(zone.noise[role])}
    if Role.T2 in signals:
        blurred = ndimage.gaussian_filter(zone.part, [0.3 * BLUR / zone.grid.spacing[0], 1.0, 1.0])
        clear = (blurred > WHOLE) & ~grown(vessel, 0.7 * BLUR, zone.grid.spacing)
        signals[Role.T2] = np.where(clear, signals[Role.T2], np.float32(np.nan))
    return signals


def _ball(radius: float, spacing: tuple[float, float, float]) -> Mask:
    reach = [int(radius / size) for size in spacing]
    k, j, i = np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij")
    return np.asarray((k * spacing[0]) ** 2 + (j * spacing[1]) ** 2 + (i * spacing[2]) ** 2 <= radius**2)


def _most_unlike(zone: Zone, signals: Mapping[Role, Array], where: Mask) -> Mask:
    """The ball that differs most from what surrounds it, measured by how much such balls differ elsewhere in the zone."""
    best, found = -1.0, (0, 0.0)
    for radius in RADII:
        score = np.zeros(where.shape, dtype=np.float32)
        for signal in signals.values():
            off = _calm(signal, where, zone, 0.5 * radius) - _calm(signal, where, zone, 1.2 * radius)
            spread = float(np.median(np.abs(off[where]))) / 0.6745
            score += np.where(where, (off / max(spread, 1e-9)) ** 2, np.float32(0))
        if float(score.max()) > best:
            best, found = float(score.max()), (int(score.argmax()), radius)
    centre = np.zeros(where.shape, dtype=bool)
    centre.flat[found[0]] = True
    return where & grown(centre, 0.7 * found[1], zone.grid.spacing)


def _calm(signal: Array, where: Mask, zone: Zone, width: float) -> Array:
    """Smoothed within `where` by `width` mm; unknown values get what is around them."""
    known = where & np.isfinite(signal)
    sigma = [width / size for size in zone.grid.spacing]
    weight = ndimage.gaussian_filter(known.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(known, signal, np.float32(0)), sigma)
    whole = float(np.median(signal[known])) if known.any() else 0.0
    return np.asarray((total + np.float32(1e-2 * whole)) / (weight + np.float32(1e-2)), dtype=np.float32)


def _split(zone: Zone, signals: Mapping[Role, Array], tumor: Mask, margin: Mask, near: Mask) -> _Split:
    """The fraction of tumor in each voxel when it is what `tumor` shows and `margin` the other; searched in `near`."""
    of = {role: _typical(signal, tumor) for role, signal in signals.items()}
    other = {role: _typical(signal, margin) for role, signal in signals.items()}
    steps = {role: (of[role] - other[role]) / zone.noise[role] for role in signals}
    known = {role: signal for role, signal in signals.items() if np.isfinite(steps[role])}
    full = {role: np.full(zone.part.shape, of[role], dtype=np.float32) for role in known}
    none = {role: np.full(zone.part.shape, other[role], dtype=np.float32) for role in known}
    noise = dict(zone.noise)
    if Role.T2 in known:
        noise[Role.T2] = float(np.hypot(noise[Role.T2], UNSHARP * (of[Role.T2] - other[Role.T2])))
    contrast = float(np.sqrt(sum(((of[role] - other[role]) / noise[role]) ** 2 for role in known)))
    if not known:
        return _Split(np.zeros_like(zone.part), 0.0, np.zeros_like(tumor))
    part = fraction(known, full, none, noise)
    calm = _within(np.clip(part, -1.0, 2.0), near | margin, [0.8, 0.8, 0.8])
    return _Split(part, contrast, largest(near & (calm > 0.5), touching=tumor))


def _typical(signal: Array, where: Mask) -> float:
    core = ndimage.binary_erosion(where, border_value=1)
    for mask, fewest in ((core, 20), (where, 3)):
        values = signal[mask & np.isfinite(signal)]
        if values.size >= fewest:
            return float(np.median(values))
    return float("nan")


def _within(values: Array, where: Mask, sigma: list[float]) -> Array:
    weight = ndimage.gaussian_filter(where.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(where, values, np.float32(0)), sigma)
    return np.asarray(total / np.maximum(weight, 1e-3), dtype=np.float32)


def _judge(zone: Zone, signals: Mapping[Role, Array], where: Mask, skin: Mask, split: _Split) -> Tumor | str:
    """The tumor, if what was found is one."""
    thread = 1.2 * min(zone.grid.spacing)
    place = largest(opened(split.label, thread, zone.grid.spacing) | largest(split.label))
    size = float(place.sum()) * zone.grid.voxel_volume
    fault = ""
    if split.contrast < VISIBLE:
        fault = "its contrast is below the noise"
    elif size < SMALLEST or place.sum() > MOST * where.sum():
        fault = "what differs is too small or too large to be one"
    elif place.sum() < COMPACT * split.label.sum():
        fault = "what differs is scattered"
    elif (place & skin).sum() > IN_SKIN * place.sum():
        fault = "what differs lies along the edge of the zone"
    elif _is_blood(signals, place, where):
        fault = "what differs was bright before contrast, as blood is"
    if fault:
        return f"The treated tumor cannot be told from the ablated tissue around it: {fault}."
    return Tumor(_soft(zone, split, place, where), split.contrast)


def _is_blood(signals: Mapping[Role, Array], place: Mask, where: Mask) -> bool:
    before = signals.get(Role.T1_PRE)
    return before is not None and _typical(before, place) > BLOOD * _typical(before, where & ~place)


def _soft(zone: Zone, split: _Split, place: Mask, where: Mask) -> Array:
    """The fraction of tumor at its edge; whole inside; up to the zone's edge where it reaches that."""
    place = ndimage.binary_fill_holes(place)
    nearest = ndimage.distance_transform_edt(~where, sampling=zone.grid.spacing, return_distances=False, return_indices=True)
    strength = float(np.clip(2.5 / split.contrast, 0.3, 0.8))
    part = np.clip(_within(np.clip(split.part, -0.5, 1.5), where, [strength] * 3), 0.0, 1.0)
    part = part[tuple(nearest)] * zone.part
    core, rest = ndimage.binary_erosion(place), ~ndimage.binary_dilation(place, iterations=1)
    return np.where(core, np.float32(1), np.where(rest, np.float32(0), part)).astype(np.float32)
