"""The surfaces of tumor, ablation zone and liver as fields in mm, and untreated liver: liver minus zone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from service.regions.region import Region
from service.volumes.cells import TARGET, cuts_of, on_cells, repeat
from service.volumes.level_field import REACH, cells_of, level_field, level_field_of_voxels
from service.volumes.point_spread import Softness, softness
from service.volumes.volume import Volume, box_of, within

BORDER = 2  # voxels around a tumor beyond the reach of its field
LIKELY = 0.5  # of a voxel
OUTSIDE = 0.5  # mm that a sheet is put outside, beyond where it was


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Fields on one grid of cells, mm, positive inside; `liver` is None where everything outside the zone is liver.

    `width` (mm): how wide the edges of the masks are, as a standard deviation, 0 for whole voxels. `noise`: SD of the
    fractions. `voxel` (mm): the largest side of a voxel where a mask is of whole voxels, else 0.
    """

    tumor: Volume
    zone: Volume
    liver: Volume | None
    untreated: Volume
    width: float
    noise: float
    voxel: float


def field_of(region: Region, target: float = TARGET) -> Volume:
    """The field of one region on cells of about `target` mm, mm, positive inside."""
    if region.binary:
        return level_field_of_voxels(region.mask, target)
    return level_field(softness((region.mask,))[0], target)


def fields_of(tumor: Region, zone: Region, liver: Region | None) -> Fields:
    """The fields of regions on one grid. Zone and liver share a surface where they meet, so they are treated alike."""
    of_tumor, field = _tumor(tumor)
    of_others, others = _alike((zone,) if liver is None else (zone, liver))
    soft = (*of_tumor, *of_others)
    regions = [region for region in (tumor, zone, liver) if region is not None]
    return Fields(
        tumor=field,
        zone=others[0],
        liver=None if liver is None else others[1],
        untreated=_untreated(zone, liver, others),
        width=max((one.width for one in soft), default=0.0),
        noise=max((one.noise for one in soft), default=0.0),
        voxel=max(tumor.mask.spacing) if any(region.binary for region in regions) else 0.0,
    )


def _tumor(region: Region) -> tuple[tuple[Softness, ...], Volume]:
    """How soft the tumor is, and its field: made from the voxels around it alone, far from which there is none of it."""
    inside = region.mask.values > 0.5
    if not inside.any():
        soft, fields = _alike((region,))
        return soft, fields[0]
    k, j, i = (BORDER + int(np.ceil(REACH / size)) for size in region.mask.spacing)
    low, high = box_of(inside, (k, j, i))
    soft, (near,) = _alike((region.crop(low, high),))
    cuts = cuts_of(region.mask)
    values = np.full(np.multiply(region.mask.shape, cuts), -REACH, dtype=np.float32)
    values[within(tuple(np.multiply(low, cuts)), tuple(np.multiply(high, cuts)))] = near.values
    return soft, on_cells(values, region.mask, cuts)


def _alike(regions: tuple[Region, ...]) -> tuple[tuple[Softness, ...], tuple[Volume, ...]]:
    """How soft the fractional ones among `regions` are, and the field of each."""
    fractional = [region for region in regions if not region.binary]
    soft = softness([region.mask for region in fractional]) if fractional else ()
    waiting = iter(soft)
    fields = [level_field_of_voxels(region.mask) if region.binary else level_field(next(waiting)) for region in regions]
    return soft, tuple(fields)


def _untreated(zone: Region, liver: Region | None, fields: tuple[Volume, ...]) -> Volume:
    """The smaller of liver and not-zone.

    Where the zone reaches the capsule both surfaces are one, and whether liver is seen between them is a matter of rounding:
    such sheets are taken away wherever no voxel, nor any beside it, is mostly untreated liver.
    """
    left = -fields[0].values
    if liver is None:
        return fields[0].with_values(left)
    left = np.minimum(left, fields[1].values)
    present = ndimage.binary_dilation(liver.mask.values - zone.mask.values >= LIKELY, structure=np.ones((3, 3, 3)))
    sheets = ~repeat(present, cells_of(fields[0], zone.mask))
    return fields[0].with_values(np.where(sheets, -np.abs(left) - np.float32(OUTSIDE), left).astype(np.float32))
