"""Which vessel it is, by when it fills: arteries first, branches of the portal vein soon after, hepatic veins last.

Told only where the exam itself shows what it takes: an arterial phase in which some veins fill and others do not. Source: the
order of enhancement of liver vessels in dynamic imaging with extracellular contrast; the limits are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from service.study.model import Vector
from service.volumes.surface import sample
from service.volumes.volume import Volume, box_of

ARTERY = 0.45  # of the portal-venous uptake, reached in the arterial phase; an artery has .58, a portal branch .2
PORTAL = (0.12, 0.35)
HEPATIC = 0.07
LATE = 0.12  # of the brightest voxels' portal-venous uptake: from here on the arterial phase shows portal branches
BRIGHTEST = 99.0  # percentile of liver: vessels
FEWEST = 3  # points on the axis


class Filling(StrEnum):
    """How a vessel fills."""

    ARTERIAL = "arterial"
    PORTAL = "portal"
    HEPATIC = "hepatic"
    UNDETERMINED = "undetermined"


def filling(line: Sequence[Vector], arterial: Volume, portal: Volume, liver: NDArray[np.bool_]) -> Filling:
    """How the vessel along `line` (LPS mm) fills; both volumes are minus before contrast, `liver` is where normal liver is."""
    points = np.array(line)
    early, late = (sample(volume, points) for volume in (arterial, portal))
    known = np.isfinite(early) & np.isfinite(late)
    if known.sum() < FEWEST or float(np.median(late[known])) <= 0:
        return Filling.UNDETERMINED
    share = float(np.median(early[known]) / np.median(late[known]))
    if share >= ARTERY:
        return Filling.ARTERIAL
    if not liver.any() or _veins(arterial, portal, liver) < LATE:
        return Filling.UNDETERMINED
    if PORTAL[0] <= share <= PORTAL[1]:
        return Filling.PORTAL
    return Filling.HEPATIC if share <= HEPATIC else Filling.UNDETERMINED


def _veins(arterial: Volume, portal: Volume, liver: NDArray[np.bool_]) -> float:
    """How far the fuller half of the liver's vessels have filled in the arterial phase, relative to the portal-venous one."""
    box = box_of(liver)
    held = tuple(slice(a, b) for a, b in zip(*box, strict=True))
    early, late = arterial.values[held], portal.values[held]
    where = liver[held] & np.isfinite(early) & np.isfinite(late)
    if not where.any():
        return 0.0
    bright = where & (late >= np.percentile(late[where], BRIGHTEST))
    return float(np.percentile(early[bright] / np.maximum(late[bright], 1e-6), 75))
