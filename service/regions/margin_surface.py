"""The tumor surface with its distance to untreated liver at every point.

One geometry for all margin findings. Untreated liver is liver minus ablation zone: where the zone reaches the capsule there is
none, so the capsule costs nothing. Distances are between surfaces, never between voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import Unusable
from service.regions.region import Region
from service.volumes.refine import refine, refine_binary
from service.volumes.surface import Mesh, isosurface, nearest_points, sample
from service.volumes.volume import Index, Matrix, Volume, box_of

WEDGE = 0.15  # of the level field: .15 mm off the surface, more than contours of one capsule differ by rounding
STEEPEST = 0.4  # mm; a wedge so flat that it recedes more is too uncertain to extrapolate
BORDER = 4  # voxels kept around tumor and zone, so that their surfaces are closed
LEVELS = (0.35, 0.65)  # of the tumor and of untreated liver: a reader's hesitation about the edge
VOXEL_SHARE = 0.06  # of the largest spacing: SD of the minimum on phantoms with perfect fractions
VOXEL_SHARE_BINARY = 0.17  # the same from whole voxels


@dataclass(frozen=True, slots=True, eq=False)
class MarginSurface:
    """The tumor surface as n points with what belongs to each.

    `points`, `nearest` (n, 3): LPS mm, on the tumor and the nearest of untreated liver. `faces` (m, 3): the triangles between
    the points. `areas` (n,) mm2. `margin` (n,) mm, negative where tumor lies in untreated liver. `spread` mm: standard
    deviation of the minimum that contour edge and voxel size cause. `capsule_modelled`: False without a liver mask, when
    everything outside the zone counts as untreated. `closed`: False when tumor or zone touch the border of the volume.
    `lowest` mm: the minimum if liver that the mask may have left out counts as untreated; infinite when there is no sign of
    such liver.
    """

    points: Matrix
    faces: NDArray[np.int64]
    areas: Matrix
    margin: Matrix
    nearest: Matrix
    spread: float
    capsule_modelled: bool
    closed: bool
    lowest: float = np.inf

    @property
    def minimum(self) -> float:
        """The smallest margin, mm."""
        return float(self.margin.min())

    @property
    def place(self) -> tuple[float, float, float]:
        """The point of the tumor surface where the margin is smallest, LPS mm."""
        x, y, z = self.points[int(np.argmin(self.margin))]
        return float(x), float(y), float(z)


def margin_surface(tumor: Region, zone: Region, liver: Region | None, left_out: Volume | None = None) -> MarginSurface:
    """The margin at every point of the surface of `tumor`; all regions lie on one grid.

    `left_out` (0-1) marks tissue that may be liver although the mask of `liver` does not hold it.

    Raises:
        Unusable: `margin.tumor_too_small` when fewer than a few voxels are tumor; `margin.no_untreated_liver` when nothing
            outside the zone is liver, so that no distance exists.
    """
    low, high = around(tumor, zone)
    field = _field(tumor.mask.crop(low, high), binary=tumor.binary)
    untreated = _untreated(zone, liver, low, high)
    mesh = isosurface(field)
    if mesh.empty:
        raise Unusable("margin.tumor_too_small", "The tumor is smaller than one voxel: its surface cannot be found.")
    margin, nearest = _distances(mesh, untreated)
    lowest = np.inf
    if left_out is not None:
        lowest = float(_distances(mesh, _with_left_out(untreated, left_out, low, high))[0].min())
    return MarginSurface(
        points=mesh.vertices,
        faces=mesh.faces,
        areas=mesh.vertex_areas(),
        margin=margin,
        nearest=nearest,
        spread=_spread(field, untreated, tumor, zone),
        capsule_modelled=liver is not None,
        closed=_closed(tumor.mask.values) and _closed(zone.mask.values),
        lowest=lowest,
    )


def around(tumor: Region, zone: Region, more: Index = (0, 0, 0)) -> tuple[Index, Index]:
    """The box (low, high) of voxel indices that holds tumor and zone with a border, and `more` voxels around it."""
    both = np.maximum(tumor.mask.values, zone.mask.values) > 0
    if not both.any():
        raise Unusable("margin.tumor_too_small", "Tumor and ablation zone are empty on the grid of the exam.")
    return box_of(both, (BORDER + more[0], BORDER + more[1], BORDER + more[2]))


def _field(mask: Volume, *, binary: bool) -> Volume:
    return refine_binary(mask) if binary else refine(mask)


def _untreated(zone: Region, liver: Region | None, low: Index, high: Index) -> Volume:
    """The level field of liver minus zone: the smaller of liver and not-zone."""
    treated = _field(zone.mask.crop(low, high), binary=zone.binary)
    left = 1.0 - treated.values
    if liver is not None:
        left = np.minimum(left, _field(liver.mask.crop(low, high), binary=liver.binary).values)
    return treated.with_values(left.astype(np.float32))


def _with_left_out(untreated: Volume, left_out: Volume, low: Index, high: Index) -> Volume:
    return untreated.with_values(np.maximum(untreated.values, refine(left_out.crop(low, high)).values))


def _distances(mesh: Mesh, untreated: Volume, level: float = 0.5) -> tuple[Matrix, Matrix]:
    """Signed distance (n,) and nearest point (n, 3) of untreated liver for each vertex of the tumor.

    Where the zone reaches the capsule, liver and not-zone both cross `level` in the same place, and whether a sheet of
    untreated liver is seen there is a matter of noise. So the distance is taken at two levels well inside untreated liver,
    where there is no sheet, and extrapolated to `level`, which also restores the tip of a wedge between zone and capsule.
    """
    (near, nearest), (far, _) = (_distances_at(mesh, untreated, level + step) for step in (WEDGE, 2 * WEDGE))
    return near - np.minimum(far - near, STEEPEST), nearest


def _distances_at(mesh: Mesh, untreated: Volume, level: float) -> tuple[Matrix, Matrix]:
    border = isosurface(untreated, level)
    if border.empty:
        raise Unusable(
            "margin.no_untreated_liver",
            "No untreated liver lies around the ablation zone: check the contours of liver and zone.",
        )
    nearest = nearest_points(mesh.vertices, border)
    distance = np.linalg.norm(nearest - mesh.vertices, axis=1)
    return np.where(sample(untreated, mesh.vertices) > level, -distance, distance), nearest


def _spread(tumor: Volume, untreated: Volume, drawn: Region, zone: Region) -> float:
    """SD (mm) of the minimum over the levels at which the two surfaces can be drawn, and over the voxel grid."""
    minima = [
        float(_distances(mesh, untreated, 1.0 - level)[0].min())
        for level in LEVELS
        if not (mesh := isosurface(tumor, level)).empty
    ]
    edge = abs(minima[0] - minima[1]) / 4.0 if len(minima) == len(LEVELS) else drawn.mask.spacing[0]
    share = VOXEL_SHARE_BINARY if drawn.binary or zone.binary else VOXEL_SHARE
    parts = (edge, share * max(drawn.mask.spacing), drawn.edge_sd, zone.edge_sd)
    return float(np.linalg.norm(parts))


def _closed(mask: NDArray[np.float32]) -> bool:
    """Whether the region stays away from the border of the grid."""
    inner = np.zeros(mask.shape, dtype=bool)
    inner[1:-1, 1:-1, 1:-1] = True
    return not bool((mask[~inner] > 0.5).any())
