"""The liver: the largest organ of even, strong enhancement, and its signal in every phase at every place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from service.errors import Unusable
from service.regions.classical.tissue import (
    Mask,
    closed,
    grown,
    largest,
    local_mean,
    noise_of,
    opened,
    resampled,
    shrink,
    shrunk,
)
from service.regions.region import Exam
from service.study.model import Role
from service.volumes.volume import Array, Index, Volume, box_of, within

LATE = (Role.PORTAL_VENOUS, Role.DELAYED)  # where the zone stands out; the first that is there
EARLY = (Role.T1_PRE, Role.ARTERIAL)  # liver still takes up contrast after both of them
WORKING = 3.5  # mm
EVEN = 0.03  # per mm, change of log signal within an organ: coil bias and noise stay below, edges of organs above
ENHANCES = 1.35  # times the enhancement of the tissue that takes up least (fat, ablated liver)
SMALLEST = 100.0  # mL in the field of view
BRIGHTEST = 0.65  # of the brightest large organ
TISSUE = (0.75, 1.30)  # signal relative to liver nearby that is still liver
FIELD = 25.0  # mm over which the coil's sensitivity changes
GAPS = 12.0  # mm, half the width of gaps in the liver's outline that are taken for vessels and zones


@dataclass(frozen=True, slots=True, eq=False)
class Liver:
    """What is known once the liver is found; everything on a grid of about 3 mm.

    `phases`: shrunk images. `levels`: signal that liver has or would have at each voxel, per phase. `tissue`: voxels that look
    like liver; `hull`: with everything that they enclose. `late` and `early` are the phases after and before uptake.
    """

    late: Role
    early: Role
    phases: Mapping[Role, Volume]
    levels: Mapping[Role, Volume]
    tissue: Mask
    hull: Mask

    @property
    def grid(self) -> Volume:
        """The grid of all of it."""
        return self.phases[self.late]

    def relative(self, role: Role) -> Array:
        """Signal relative to liver at the same place; NaN where the phase does not reach."""
        return np.asarray(self.phases[role].values / self.levels[role].values, dtype=np.float32)


def find_liver(exam: Exam) -> Liver:
    """The liver in the phases of `exam`.

    Raises:
        Unusable: `regions.no_contrast_phase` without a phase before and one after contrast; `regions.no_liver` when no large
            organ enhances as liver does.
    """
    late, early = _phases(exam)
    phases = {role: shrink(volume, WORKING) for role, volume in exam.phases.items()}
    core = _core(phases[late], phases[early])
    levels = {role: _level(volume, core) for role, volume in phases.items()}
    tissue = _tissue(phases[late], levels[late], core)
    return Liver(late, early, phases, levels, tissue, _hull(tissue, phases[late].spacing))


def _phases(exam: Exam) -> tuple[Role, Role]:
    late = next((role for role in LATE if role in exam.phases), None)
    early = next((role for role in EARLY if role in exam.phases), None)
    if late is None or early is None:
        sentence = "An automatic contour needs a T1-weighted phase before contrast and a portal-venous or delayed one."
        raise Unusable("regions.no_contrast_phase", sentence)
    return late, early


def _core(late: Volume, early: Volume) -> Mask:
    """Voxels of the liver that no edge disturbs."""
    body = _body(late)
    uptake = _smooth(late.values) / np.maximum(_smooth(early.values), 1e-6 * float(np.nanmax(early.values)) + 1e-12)
    inside = body & np.isfinite(uptake) & (_smooth(early.values) > 0.03 * float(np.nanpercentile(early.values, 99)))
    if inside.sum() < 1000:
        raise _no_liver()
    least = float(np.percentile(uptake[inside], 1))
    labels, count = ndimage.label(opened(body & (_slope(late) < EVEN), 0.8 * max(late.spacing), late.spacing))
    parts = _organs(labels, count, late, np.where(inside, uptake, np.float32(np.nan)))
    organs = parts[parts[:, 3] >= ENHANCES * least]
    bright = organs[organs[:, 2] >= BRIGHTEST * organs[:, 2].max()] if len(organs) else organs
    if not len(bright):
        raise _no_liver()
    return np.asarray(labels == int(bright[int(bright[:, 1].argmax()), 0]))


def _no_liver() -> Unusable:
    return Unusable("regions.no_liver", "No liver was found: no large organ takes up contrast evenly.")


def _body(late: Volume) -> Mask:
    bright = float(np.percentile(late.values, 99))
    noise = noise_of(late.values, late.values > 0.2 * bright)
    return np.asarray(late.values > max(0.12 * bright, 5.0 * (noise if np.isfinite(noise) else 0.0)))


def _smooth(values: Array) -> Array:
    """Smoothed by a voxel; unknown voxels stay unknown without spreading."""
    known = np.isfinite(values)
    weight = ndimage.gaussian_filter(known.astype(np.float32), 1.0)
    total = ndimage.gaussian_filter(np.where(known, values, np.float32(0)), 1.0)
    return np.where(known, total / np.maximum(weight, 1e-3), np.float32(np.nan)).astype(np.float32)


def _slope(late: Volume) -> Array:
    """Change of the logarithm of the signal per mm."""
    floor = 0.02 * float(np.percentile(late.values, 99)) + 1e-12
    smooth = np.log(np.maximum(_smooth(late.values), floor))
    return np.asarray(np.sqrt(sum(np.gradient(smooth, size, axis=axis) ** 2 for axis, size in enumerate(late.spacing))))


def _organs(labels: np.ndarray[tuple[int, ...], np.dtype[np.int32]], count: int, late: Volume, uptake: Array) -> Array:
    """Rows (label, volume in mL, median signal, median uptake) of the parts that are large enough."""
    volumes = np.bincount(labels.ravel(), minlength=count + 1) * late.voxel_volume
    rows = []
    for label in np.flatnonzero(volumes >= SMALLEST):
        if label:
            where = labels == label
            known = uptake[where & np.isfinite(uptake)]
            rows.append((label, volumes[label], np.median(late.values[where]), np.median(known) if known.size else 0.0))
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def _level(volume: Volume, core: Mask) -> Volume:
    """The signal of liver as it changes with the coil's sensitivity, also where there is no liver."""
    if not (core & np.isfinite(volume.values)).any():
        return volume.with_values(np.full(volume.shape, np.nan, dtype=np.float32))
    return volume.with_values(local_mean(volume.values, core, FIELD, volume.spacing))


def _tissue(late: Volume, level: Volume, core: Mask) -> Mask:
    """The core and what looks like it and hangs together with it by more than a thread."""
    relative = _smooth(late.values) / level.values
    alike = (relative > TISSUE[0]) & (relative < TISSUE[1])
    return largest(opened(alike, 1.1 * max(late.spacing), late.spacing) | core, touching=core)


def _hull(tissue: Mask, spacing: tuple[float, float, float]) -> Mask:
    """The liver with its vessels and zones: gaps closed, then everything enclosed."""
    whole = ndimage.binary_fill_holes(closed(tissue, GAPS, spacing))
    return np.asarray(whole | tissue)


def liver_mask(liver: Liver, onto: Volume) -> Array:
    """The fraction (0-1) of each voxel of `onto` that is liver, with all that lies in it.

    At its surface by signal between liver and what lies outside, so that it is finer than the working grid.
    """
    grid = liver.grid
    tissue, outside = shrunk(liver.hull, 2.0, grid.spacing), ~grown(liver.hull, 2.0, grid.spacing)
    if not outside.any():
        return np.ones(onto.shape, dtype=np.float32)
    whole = np.zeros(onto.shape, dtype=np.float32)
    low, high = _reach(~outside, grid, onto)
    whole[within(low, high)] = _fraction(liver, tissue, outside, onto.crop(low, high))
    return whole


def _reach(inside: Mask, grid: Volume, onto: Volume) -> tuple[Index, Index]:
    """The box of `onto` that holds `inside`, a mask on `grid`, and a voxel of `grid` around it."""
    ends = np.add(box_of(inside), [[-1], [0]])
    index = np.sort(onto.to_index(grid.to_mm(ends)), axis=0)
    low = np.clip(np.floor(index[0]), 0, np.array(onto.shape) - 1).astype(int)
    high = np.clip(np.ceil(index[1]) + 1, low + 1, onto.shape).astype(int)
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))


def _fraction(liver: Liver, tissue: Mask, outside: Mask, onto: Volume) -> Array:
    """The fraction (0-1) of each voxel of `onto` that is liver, which `tissue` is for sure and `outside` is not."""
    grid = liver.grid
    inner = resampled(grid.with_values(tissue.astype(np.float32)), onto)
    outer = resampled(grid.with_values(outside.astype(np.float32)), onto)
    level = resampled(liver.levels[liver.late], onto)
    beyond = resampled(grid.with_values(local_mean(grid.values, outside, 6.0, grid.spacing)), onto)
    part = np.clip((onto.values - beyond) / np.maximum(level - beyond, 0.2 * level), 0.0, 1.0)
    sure = np.clip(inner, 0.0, 1.0)
    return np.asarray(np.clip(np.maximum(sure, part * (1.0 - np.clip(outer, 0.0, 1.0))), 0.0, 1.0), dtype=np.float32)
