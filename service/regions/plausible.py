"""Whether what was drawn can be what its label says: volume, and a tumor that lies where it was treated or in the liver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from service.regions.region import Kind, Region

# mL, of adults; wide, so that only slips of label or unit are caught. A liver may be cut by the field of view.
VOLUMES: Mapping[Kind, tuple[float, float]] = {
    Kind.TUMOR: (0.01, 1500.0),
    Kind.ABLATION_ZONE: (0.1, 2000.0),
    Kind.LIVER: (20.0, 6000.0),
}
IN_PLACE = 0.5  # of a tumor's volume, in liver or zone


def implausible(region: Region, regions: Sequence[Region]) -> str:
    """Why this contour cannot be what its label says, one sentence; "" when it can."""
    limits = VOLUMES.get(region.kind)
    volume = float(region.mask.values.sum()) * region.mask.voxel_volume
    kind = region.kind.value.replace("_", " ")
    if limits is not None and not limits[0] <= volume <= limits[1]:
        return (
            f"The contour '{region.label}' of the {kind} holds {volume:.3g} mL, "
            f"which is not between {limits[0]:g} and {limits[1]:g}; check label and slices."
        )
    if region.kind is Kind.TUMOR and _part_in_place(region, regions) < IN_PLACE:
        return f"The contour '{region.label}' of the tumor lies mostly outside of liver and ablation zone; check its label."
    return ""


def _part_in_place(tumor: Region, regions: Sequence[Region]) -> float:
    """The part of a tumor that lies in the liver or a zone; 1 where no liver was drawn, as nobody can tell."""
    around = [region.mask.values for region in regions if region.kind in {Kind.LIVER, Kind.ABLATION_ZONE}]
    if not any(region.kind is Kind.LIVER for region in regions):
        return 1.0
    inside = np.minimum(np.max(around, axis=0), tumor.mask.values).sum()
    return float(inside / max(float(tumor.mask.values.sum()), 1e-9))
