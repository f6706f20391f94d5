"""The ablation zone: what in the liver takes up no contrast, with the tumor and the vessels in it.

Seen first on a coarse grid, by signal and uptake relative to liver; then finely, by the signal between the tissue just inside
and just outside, so that bias, a hyperaemic rim or a bright tumor at the edge shift the edge as little as possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from service.errors import Unusable
from service.regions.classical.liver import Liver
from service.regions.classical.seeded import place_at
from service.regions.classical.tissue import (
    Mask,
    box_about,
    closed,
    fraction,
    grown,
    largest,
    local_mean,
    noise_of,
    opened,
    resampled,
    shrunk,
)
from service.regions.region import Exam
from service.study.model import Role, Vector
from service.volumes.volume import Array, Volume

T1 = (Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED)
DARK = 0.72  # of liver after contrast; ablated tissue has .4, strongly enhancing tumor more
DARK_BEFORE = 0.83  # of liver before contrast; finds tumor that enhances like liver
FILLS = 0.05  # of liver; portal-venous minus arterial, each relative to liver: 0 in liver, less in tumor and ablated tissue
UNTREATED = 0.74  # of liver before contrast: tumor has .65, the blur of zone and rim more
VESSEL = 1.30  # of liver after contrast
UPTAKE = 0.75  # of the liver's; ablated tissue has .55, muscle .75
EMPTY = 0.20  # of liver after contrast: fat, air, metal
FLUID = 2.5  # of liver on T2: bile, cyst, fluid
SMALLEST = 3.0  # mL
LARGEST = 0.5  # of the liver
BESIDE_LIVER = 0.6  # of its surface
SHARE = 0.2  # of the largest zone; smaller dark places are not called zones
THREAD = 3.0  # mm, half the thickness of what is no zone
AROUND = 15.0  # mm of liver that are looked at around a zone
REACH = 8.0  # mm that a zone may be larger than what was first seen of it
NEAR = 4.0  # mm over which the tissues beside the edge are averaged
SHARP = 1.0  # mm of residual up to which a phase may speak about the edge
NOTCH = 8.0  # mm, half the width of a vessel that runs into the zone
SLIT = 1.6  # mm, half the width of a gap in the zone that is filled in any case


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """One ablation zone, looked at closely: everything on `grid`, a part of the reference grid.

    `signals`: each phase relative to liver there; `noise`: its standard deviation. `part`: the fraction that is zone.
    `vessel`: voxels with enhancing lumen, be it in part. `beyond`: signal of what lies just outside, for the phases that may
    speak about edges. `low`: index of the first voxel of `grid` in the reference. `contrast`: to noise, of the zone's edge.
    """

    grid: Volume
    low: tuple[int, int, int]
    signals: Mapping[Role, Array]
    noise: Mapping[Role, float]
    part: Array
    vessel: Mask
    beyond: Mapping[Role, Array]
    contrast: float


def find_zones(exam: Exam, liver: Liver) -> tuple[Zone, ...]:
    """All zones, the largest first; where a person pointed at zones, those and no others.

    Raises:
        Unusable: `regions.no_zone` when nothing in the liver looks like one, `regions.seed` when a point lies in none.
    """
    places = _pointed_at(liver, exam.seeds) if exam.seeds else _places(liver)
    if not places:
        raise Unusable(
            "regions.no_zone", "No ablation zone was found: nothing in the liver stays dark after contrast as one does."
        )
    return tuple(_look_closely(exam, liver, place) for place in places)


def _pointed_at(liver: Liver, points: tuple[Vector, ...]) -> list[Mask]:
    """The place around each point: the one that is found without it too, else what is as dark as the point; each once."""
    found, late = _places(liver), _calm(liver.relative(liver.late))
    places: list[Mask] = []
    for point in points:
        spot = place_at(liver, late, point)
        place = next((one for one in found if (one & spot).any()), spot)
        if not any((place & other).any() for other in places):
            places.append(np.asarray(ndimage.binary_fill_holes(place)))
    return sorted(places, key=lambda place: -int(place.sum()))


def _places(liver: Liver) -> list[Mask]:
    """Dark places in the liver on the working grid that can be zones, the largest first."""
    spacing = liver.grid.spacing
    late = _calm(liver.relative(liver.late))
    early = _calm(liver.relative(liver.early)) if liver.early is Role.T1_PRE else np.ones_like(late)
    dark = liver.hull & ((late < DARK) | ((early < DARK_BEFORE) & (late < VESSEL)))
    labels, count = ndimage.label(opened(dark, THREAD, spacing))
    found = [labels == label for label in range(1, count + 1)]
    found = [ndimage.binary_fill_holes(place) for place in found if place.sum() * liver.grid.voxel_volume >= SMALLEST]
    found = sorted((place for place in found if _is_zone(liver, place, late)), key=lambda place: -int(place.sum()))
    return [place for place in found if place.sum() >= SHARE * found[0].sum()]


def _calm(relative: Array) -> Array:
    """Less noise; what is unknown counts as liver."""
    return np.asarray(ndimage.gaussian_filter(np.nan_to_num(relative, nan=1.0), 0.6))


def _is_zone(liver: Liver, place: Mask, late: Array) -> bool:
    """Whether a dark place is plausible: size, liver around it, no uptake, neither fat nor fluid."""
    if place.sum() > LARGEST * liver.hull.sum():
        return False
    shell = grown(place, 1.5 * max(liver.grid.spacing), liver.grid.spacing) & ~place
    if float(liver.tissue[shell].mean()) < BESIDE_LIVER:
        return False
    dark = place & (late < DARK)
    uptake = late / np.maximum(_calm(liver.relative(liver.early)), 0.05)
    if dark.sum() < 0.3 * place.sum() or float(np.median(uptake[dark])) > UPTAKE or float(np.median(late[dark])) < EMPTY:
        return False
    return not _is_fluid(liver, dark)


def _is_fluid(liver: Liver, place: Mask) -> bool:
    if Role.T2 not in liver.phases:
        return False
    relative = liver.relative(Role.T2)[shrunk(place, 1.5, liver.grid.spacing)]
    relative = relative[np.isfinite(relative)]
    return bool(relative.size and float(np.median(relative)) > FLUID)


def _look_closely(exam: Exam, liver: Liver, place: Mask) -> Zone:
    """The zone at `place` on the full grid."""
    reference = exam.phases[exam.reference]
    corners = liver.grid.to_mm(np.array(box_about(place, AROUND, liver.grid.spacing), dtype=np.float64))
    index = np.rint(reference.to_index(corners)).astype(int)
    low = np.clip(index.min(axis=0), 0, np.array(reference.shape) - 1)
    high = np.clip(index.max(axis=0) + 1, low + 1, reference.shape)
    start, stop = (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))
    grid = reference.crop(start, stop)
    signals = {
        role: np.asarray(volume.crop(start, stop).values / resampled(liver.levels[role], grid), dtype=np.float32)
        for role, volume in exam.phases.items()
    }
    seed = resampled(liver.grid.with_values(place.astype(np.float32)), grid) > 0.5
    hull = resampled(liver.grid.with_values((liver.hull | place).astype(np.float32)), grid) > 0.5
    noise = {role: noise_of(signal, hull & ~grown(seed, 5.0, grid.spacing)) for role, signal in signals.items()}
    usable = _edge_phases(exam, signals, noise)
    scene = _Scene(usable, noise, hull, _vessel(signals, liver), grid.spacing)
    solid = _solid(scene, seed)
    solid = _with_uptake(scene, signals, liver, solid)
    part, beyond, contrast = _soft(scene, _with_vessels(scene, solid))
    return Zone(grid, start, signals, noise, part, scene.vessel, beyond, contrast)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """Surroundings of one zone: the phases that may speak about its edge, and what is liver and what vessel."""

    signals: Mapping[Role, Array]
    noise: Mapping[Role, float]
    hull: Mask
    vessel: Mask
    spacing: tuple[float, float, float]


def _edge_phases(exam: Exam, signals: Mapping[Role, Array], noise: Mapping[Role, float]) -> dict[Role, Array]:
    """The T1-weighted phases that are where the reference is."""
    near = {role for role, residual in exam.residuals.items() if residual <= SHARP} | {exam.reference}
    return {role: signal for role, signal in signals.items() if role in T1 and role in near and np.isfinite(noise[role])}


def _vessel(signals: Mapping[Role, Array], liver: Liver) -> Mask:
    """Lumen full of contrast: bright late, and not so before; in part too where a vein fills after the arterial phase."""
    late, early = signals[liver.late], np.nan_to_num(signals[liver.early], nan=1.0)
    full = (late > VESSEL) & (early < VESSEL) & (late - early > 0.5)
    if liver.late is not Role.PORTAL_VENOUS or Role.ARTERIAL not in signals:
        return np.asarray(full)
    return np.asarray(full | (np.nan_to_num(late - signals[Role.ARTERIAL], nan=0.0) > FILLS))


def _solid(scene: _Scene, seed: Mask) -> Mask:
    """The zone in whole voxels."""
    inside = shrunk(seed, 2.0, scene.spacing) & ~scene.vessel
    outside = scene.hull & ~grown(seed, 5.0, scene.spacing) & ~scene.vessel
    inner = {role: _everywhere(signal, inside if inside.any() else seed) for role, signal in scene.signals.items()}
    outer = {role: _everywhere(signal, outside) for role, signal in scene.signals.items()}
    part = ndimage.gaussian_filter(np.clip(fraction(scene.signals, inner, outer, scene.noise), 0, 1), 0.5)
    solid = largest((part > 0.5) & grown(seed, REACH, scene.spacing) & scene.hull, touching=seed)
    return np.asarray(ndimage.binary_fill_holes(closed(solid, SLIT, scene.spacing)))


def _with_uptake(scene: _Scene, signals: Mapping[Role, Array], liver: Liver, solid: Mask) -> Mask:
    """With tumor at the edge that enhances like liver: dark before contrast, no vessel, thick, and beside the zone."""
    if liver.early is not Role.T1_PRE or Role.T1_PRE not in scene.signals:
        return solid
    early = ndimage.gaussian_filter(np.nan_to_num(signals[Role.T1_PRE], nan=1.0), 0.7)
    vessel = grown(scene.vessel & ~solid, min(scene.spacing), scene.spacing)
    dark = scene.hull & (early < UNTREATED) & (signals[liver.late] < VESSEL) & ~vessel
    beside = opened(dark & ~solid, max(0.8 * THREAD, 1.05 * max(scene.spacing)), scene.spacing)
    return largest(beside | solid, touching=solid)


def _with_vessels(scene: _Scene, solid: Mask) -> Mask:
    """With the vessels that run into it: their lumen belongs to the zone's volume, not to untreated liver."""
    inlet = closed(solid, NOTCH, scene.spacing) & grown(scene.vessel, 1.2 * min(scene.spacing), scene.spacing)
    return np.asarray(ndimage.binary_fill_holes(closed(solid | inlet, SLIT, scene.spacing)))


def _everywhere(signal: Array, where: Mask) -> Array:
    values = signal[where & np.isfinite(signal)]
    return np.full(signal.shape, np.median(values) if values.size else np.nan, dtype=np.float32)


def _soft(scene: _Scene, solid: Mask) -> tuple[Array, dict[Role, Array], float]:
    """The fraction of zone in each voxel, the signals just outside, and the contrast-to-noise ratio of the edge."""
    core, rest = ndimage.binary_erosion(solid, border_value=1), ~ndimage.binary_dilation(solid)
    within, without = core & ~scene.vessel, rest & scene.hull
    inner = {role: local_mean(signal, within, NEAR, scene.spacing) for role, signal in scene.signals.items()}
    outer = {role: local_mean(signal, without, NEAR, scene.spacing) for role, signal in scene.signals.items()}
    part = np.clip(fraction(scene.signals, inner, outer, scene.noise), 0.0, 1.0)
    edge = ~core & ~rest
    contrast = np.sqrt(sum(((inner[role] - outer[role]) / scene.noise[role])[edge] ** 2 for role in scene.signals))
    part = np.where(core | (solid & scene.vessel), np.float32(1), np.where(rest, np.float32(0), part))
    return np.asarray(part, dtype=np.float32), outer, float(np.median(contrast))
