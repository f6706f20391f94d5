"""The tumor surface with its distance to untreated liver at every point.

One geometry for all margin findings. Untreated liver is liver minus ablation zone: where the zone reaches the capsule there is
none, so the capsule costs nothing. Distances are between surfaces, never between voxel centres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from service.errors import Unusable
from service.regions.crossings import minimum_by_crossings
from service.regions.drawn_on import apart
from service.regions.extent import capsular_contact, uncovered_ml
from service.regions.fields import Fields, fields_of
from service.regions.region import Region
from service.volumes.level_field import REACH, level_field_of_voxels
from service.volumes.surface import NOTHING, Mesh, isosurface, nearest_points, sample
from service.volumes.volume import Index, Matrix, Volume, box_of

BORDER = 4  # voxels kept around tumor and zone, so that their surfaces are closed
NEAR_TUMOR = 10.0  # mm around the tumor in which untreated liver is counted
DISTANCES = (0.0, 3.0, 5.0, NEAR_TUMOR)  # mm
WEDGE, WEDGE_WHOLE = 0.15, 0.4  # mm off the surface, more than contours of one capsule differ by rounding
WEDGE_NOISE = 2.0  # mm more for each unit of noise
DEEPEST = 0.2  # mm that the deeper of the two levels stays away from where the field ends
STEEPEST = 2.67  # times that; a wedge so flat that it recedes more is too uncertain to extrapolate
BESIDE_CAPSULE = 1.5  # mm of liver, below which a place may be such a sheet or wedge
CURVED, WIDELY = 1.0, 2.0  # mm to each side, at which the curvature of untreated liver is looked at
BROAD = 0.5  # mm more than the minimum that are as good as it


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the precision of a minimum margin depends on, in mm unless said; `noise` is the SD of a fraction.

    `voxel`: the largest side of a voxel where contours are of whole voxels, else 0. `width`: the standard deviation of
    the contours' soft edges, 0 for whole voxels. `second`: the minimum by another method. `edge_sd`: the standard deviation
    that the contours state, of a reader or of the registration of the images that they were drawn on. `notch`: how far the
    blur of an edge may have filled the hollow of the zone where the margin is smallest. `wedge`: how far from the surface
    the margin had to be extrapolated there, because zone and capsule meet; else 0. `zone_sd`: the part of `edge_sd` that the
    zone's contour states; 0 with an `edge_sd` means that only the tumor's place is in doubt. `breadth` (mm2): how much of the
    tumor's surface is nearly as narrow. `bend` (1/mm): the mean curvature of untreated liver where the margin is smallest.
    `across` (voxels): the extent of the tumor along the axis of the grid along which it is thinnest.
    """

    voxel: float
    width: float
    noise: float
    second: float
    edge_sd: float
    notch: float
    wedge: float
    zone_sd: float = 0.0
    breadth: float = 0.0
    bend: float = 0.0
    across: float = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class MarginSurface:
    """The tumor surface as n points with what belongs to each.

    `points`, `nearest` (n, 3): LPS mm, on the tumor and the nearest of untreated liver. `faces` (m, 3): the triangles between
    the points. `areas` (n,) mm2. `margin` (n,) mm, negative where tumor lies in untreated liver. `evidence`: what the precision
    of the minimum depends on. `capsule_modelled`: False without a liver mask, when everything outside the zone counts as
    untreated. `closed`: False when tumor or zone touch the border of the volume. `lowest` mm: the minimum if liver that the
    mask may have left out counts as untreated, or a layer below the capsule that may be only the contours' doubt; infinite
    when there is no sign of either.
    """

    points: Matrix
    faces: NDArray[np.int64]
    areas: Matrix
    margin: Matrix
    nearest: Matrix
    evidence: Evidence
    capsule_modelled: bool
    closed: bool
    lowest: float = np.inf
    uncovered: Mapping[float, float] = field(default_factory=dict)
    contact: float | None = None

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
    parts = tumor.crop(low, high), zone.crop(low, high), None if liver is None else liver.crop(low, high)
    fields = fields_of(*parts)
    mesh = isosurface(fields.tumor, 0.0)
    if mesh.empty:
        raise Unusable("margin.tumor_too_small", "The tumor is smaller than one voxel: its surface cannot be found.")
    wedge = _wedge(fields, zone, liver)
    margin, nearest, beside = _distances(mesh, fields, wedge)
    first, areas = int(np.argmin(margin)), mesh.vertex_areas()
    return MarginSurface(
        points=mesh.vertices,
        faces=mesh.faces,
        areas=areas,
        margin=margin,
        nearest=nearest,
        evidence=Evidence(
            voxel=fields.voxel,
            width=fields.width,
            noise=fields.noise,
            second=minimum_by_crossings(*parts, noise=fields.noise),
            edge_sd=float(np.linalg.norm([tumor.edge_sd, zone.edge_sd, apart(tumor, zone)])),
            notch=_notch(fields, nearest[first]),
            wedge=wedge if beside[first] else 0.0,
            zone_sd=zone.edge_sd,
            breadth=float(areas[margin <= margin[first] + BROAD].sum()),
            bend=_curvature(fields, nearest[first], WIDELY),
            across=float(np.ptp(tumor.mask.to_index(mesh.vertices), axis=0).min()),
        ),
        capsule_modelled=liver is not None,
        closed=_closed(tumor.mask.values) and _closed(zone.mask.values),
        lowest=_lowest(mesh, fields, wedge, None if left_out is None else left_out.crop(low, high)),
        uncovered=uncovered_ml(mesh, fields, DISTANCES),
        contact=capsular_contact(fields, _doubt(zone, liver)),
    )


def distance_to_untreated(points: Matrix, tumor: Region, zone: Region, liver: Region | None) -> Matrix:
    """The signed distance (n,) in mm of any points (n, 3) near the zone to untreated liver, negative inside of it.

    On the surface of the tumor it is the margin. `points` are LPS mm.

    Raises:
        Unusable: as `margin_surface`.
    """
    low, high = around(tumor, zone)
    fields = fields_of(tumor.crop(low, high), zone.crop(low, high), None if liver is None else liver.crop(low, high))
    return _distances(Mesh(points, NOTHING.faces), fields, _wedge(fields, zone, liver))[0]


def around(tumor: Region, zone: Region, more: Index = (0, 0, 0)) -> tuple[Index, Index]:
    """The voxel indices (low, high) of a box around the tumor with 10 mm and the zone with a border, and `more` voxels."""
    if not max(float(tumor.mask.values.max()), float(zone.mask.values.max())) > 0.5:
        raise Unusable("margin.tumor_too_small", "Tumor and ablation zone are empty on the grid of the exam.")
    near = [BORDER + int(np.ceil(NEAR_TUMOR / size)) for size in tumor.mask.spacing]
    boxes = [
        box_of(region.mask.values > 0.5, (pad[0] + more[0], pad[1] + more[1], pad[2] + more[2]))
        for region, pad in ((tumor, near), (zone, [BORDER] * 3))
        if (region.mask.values > 0.5).any()
    ]
    low, high = np.min([low for low, _ in boxes], axis=0), np.max([high for _, high in boxes], axis=0)
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))


def _with_left_out(untreated: Volume, left_out: Volume) -> Volume:
    return untreated.with_values(np.maximum(untreated.values, level_field_of_voxels(left_out).values))


def _wedge(fields: Fields, zone: Region, liver: Region | None) -> float:
    """How far (mm) below the surfaces of zone and liver nothing is left of what is only the doubt about either."""
    if liver is None:
        return 0.0
    return min(_rounding(fields) + _doubt(zone, liver), REACH / 2.0 - DEEPEST)


def _doubt(zone: Region, liver: Region | None) -> float:
    """What the contours of both state (mm), and the images they were drawn on, as one standard deviation."""
    return float(np.linalg.norm([zone.edge_sd, 0.0 if liver is None else liver.edge_sd, apart(zone, liver)]))


def _rounding(fields: Fields) -> float:
    """The part of it that voxels and noise cause, mm."""
    return (WEDGE_WHOLE if fields.voxel else WEDGE) + WEDGE_NOISE * fields.noise


def _lowest(mesh: Mesh, fields: Fields, wedge: float, left_out: Volume | None) -> float:
    """The minimum (mm) if everything that may be untreated liver is; infinite without a sign of such liver."""
    lowest = np.inf
    if left_out is not None:
        lowest = float(_distances_at(mesh, _with_left_out(fields.untreated, left_out), 0.0)[0].min())
    # A thin layer of liver that was not treated looks like the doubt of contours that differ along the capsule.
    if fields.liver is not None and wedge > _rounding(fields):
        lowest = min(lowest, float(_distances(mesh, fields, _rounding(fields))[0].min()))
    return lowest


def _distances(mesh: Mesh, fields: Fields, wedge: float) -> tuple[Matrix, Matrix, NDArray[np.bool_]]:
    """Signed distance (n,) and nearest point (n, 3) of untreated liver for each vertex of the tumor; whether it is a wedge.

    Where the zone reaches the capsule, liver and not-zone both cross zero in the same place, and whether a sheet of
    untreated liver is seen there is a matter of noise. So beside the capsule the distance is taken at two levels inside
    untreated liver, where there is no sheet, and extrapolated to zero, which also restores the tip of a wedge between zone
    and capsule.
    """
    margin, nearest = _distances_at(mesh, fields.untreated, 0.0)
    if fields.liver is None:
        return margin, nearest, np.zeros(len(margin), dtype=bool)
    beside = sample(fields.liver, nearest) < max(BESIDE_CAPSULE, 2.0 * wedge)
    if not beside.any():
        return margin, nearest, beside
    some = Mesh(mesh.vertices[beside], mesh.faces)
    (near, place), (far, _) = (_distances_at(some, fields.untreated, step * wedge) for step in (1, 2))
    margin[beside] = near - np.minimum(far - near, STEEPEST * wedge)
    nearest[beside] = place
    return margin, nearest, beside


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


def _notch(fields: Fields, place: Matrix) -> float:
    """How much (mm) an edge of this width recedes where untreated liver is as sharply curved as it is at `place`."""
    width = max(fields.width, fields.voxel / np.sqrt(12.0))
    return float(0.5 * max(0.0, _curvature(fields, place, CURVED)) * width**2)


def _curvature(fields: Fields, place: Matrix, step: float) -> float:
    """The mean curvature (1/mm) of untreated liver at `place`, positive at a tip or ridge; looked at `step` mm around."""
    around_it = step * np.concatenate([np.zeros((1, 3)), np.eye(3), -np.eye(3)])
    levels = sample(fields.untreated, place + around_it)
    return float(6.0 * levels[0] - levels[1:].sum()) / step**2 / 2.0


def _closed(mask: NDArray[np.float32]) -> bool:
    """Whether the region stays away from the border of the grid."""
    inner = np.zeros(mask.shape, dtype=bool)
    inner[1:-1, 1:-1, 1:-1] = True
    return not bool((mask[~inner] > 0.5).any())
