"""How far the automatic contours may be off: the standard deviation (mm) that goes with them into every interval.

A contour is doubtful when the tumor stands out little, when phases speak for it that do not lie well on the reference, when a
thread of it alone reaches nearest to the edge, and when a vessel cuts a notch into the zone. The terms were set on phantoms.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from service.regions.classical.tissue import Mask, closed, grown, largest, opened
from service.regions.classical.tumor import UNSHARP, Tumor
from service.regions.classical.zone import Zone
from service.study.model import Role
from service.volumes.volume import Array

WEAK = 4.0  # mm, divided by the tumor's contrast-to-noise ratio
THREAD = 2.5  # mm, half the thickness of what is no body of a tumor
LONGEST = 2.5  # mm that a thread may reach beyond the body, beyond which it is no tumor that was found
ROUND = 0.6  # radius of the largest ball inside over that of a ball of the same volume; an ellipsoid of 1.5:1 has .76
TOUCHES = 1.01  # smallest sides of a voxel; a tumor so near to the edge may go on beyond it, where nothing tells it from liver
BEYOND = 1.0  # mm, standard deviation of how far
INLET = 10.0  # mm, half the width of a notch that a vessel may have cut
BESIDE = 3.0  # mm around a lumen in which its notch lies
SHARED = 0.15  # mm, what remains of a zone's edge that is seen well


def is_compact(zone: Zone, tumor: Tumor) -> bool:
    """Whether the place found is one body, as a tumor is, and not a sheet along the edge, a ramp of the coil or a thread."""
    place, spacing = tumor.part > 0.5, zone.grid.spacing
    if not place.any():
        return False
    inside = float(_depth(place, spacing).max())
    radius = (3e3 * float(place.sum()) * zone.grid.voxel_volume / (4 * np.pi)) ** (1 / 3)
    return inside >= ROUND * radius and _thread(zone, place) <= LONGEST


def tumor_sd(zone: Zone, tumor: Tumor, residuals: Mapping[Role, float]) -> float:
    """Standard deviation of the tumor's surface, mm."""
    place = tumor.part > 0.5
    touching = float(_depth(zone.part > 0.5, zone.grid.spacing)[place].min()) <= TOUCHES * min(zone.grid.spacing)
    slip = sum(share * residuals.get(role, 0.0) for role, share in _shares(zone, place).items())
    return float(np.linalg.norm([WEAK / tumor.contrast, slip, _thread(zone, place), BEYOND if touching else 0.0]))


def zone_sd(zone: Zone, tumor: Tumor) -> float:
    """Standard deviation of the zone's surface where it is nearest to the tumor, mm."""
    place, spacing = tumor.part > 0.5, zone.grid.spacing
    solid = zone.part > 0.5
    filled = solid | (closed(solid, INLET, spacing) & grown(zone.vessel, BESIDE, spacing))
    notch = float(_depth(filled, spacing)[place].min() - _depth(solid, spacing)[place].min())
    return float(np.hypot(SHARED, notch))


def _thread(zone: Zone, place: Mask) -> float:
    """How much nearer (mm) to the zone's edge the tumor comes by what is thinner than a body."""
    body = opened(place, THREAD, zone.grid.spacing)
    if not body.any():
        return 0.0
    depth = _depth(zone.part > 0.5, zone.grid.spacing)
    return float(depth[largest(body)].min() - depth[place].min())


def _depth(place: Mask, spacing: tuple[float, float, float]) -> Array:
    """Distance (mm) to the nearest voxel that is not in `place`; the border of the grid is an edge too."""
    depth = ndimage.distance_transform_edt(np.pad(place, 1), sampling=spacing)
    return np.asarray(depth[1:-1, 1:-1, 1:-1], dtype=np.float32)


def _shares(zone: Zone, place: Mask) -> dict[Role, float]:
    """The share of each phase in what tells the tumor from the tissue around it: by squares of contrast to noise."""
    core = ndimage.binary_erosion(place) if ndimage.binary_erosion(place).any() else place
    around = ndimage.binary_erosion(zone.part > 0.9) & ~ndimage.binary_dilation(place) & ~zone.vessel
    squares = {}
    for role, signal in zone.signals.items():
        inside, outside = (signal[where & np.isfinite(signal)] for where in (core, around))
        if not inside.size or not outside.size or not np.isfinite(zone.noise[role]):
            continue
        step = float(np.median(inside) - np.median(outside))
        noise = float(np.hypot(zone.noise[role], UNSHARP * step if role is Role.T2 else 0.0))
        squares[role] = (step / max(noise, 1e-9)) ** 2
    total = sum(squares.values())
    return {role: square / total for role, square in squares.items()} if total else {}
