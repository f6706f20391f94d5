"""Contours from the images alone: liver, ablation zones, the tumor in each, vessels. Abstains where it would have to guess.

Every signal is taken relative to liver at the same place in the same phase, so neither gain nor coil bias matter; every
edge is a fraction between the two tissues beside it, so that its 0.5 surface lies between voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.regions.classical.doubt import is_compact, tumor_sd, zone_sd
from service.regions.classical.liver import find_liver, liver_mask
from service.regions.classical.tumor import NOT_TOLD, Tumor, find_tumor
from service.regions.classical.vessels import vessel_mask
from service.regions.classical.zone import Zone, find_zones
from service.regions.region import Exam, Kind, Region, Regions
from service.volumes.volume import Array, Volume

METHOD = "automatic: classical 1"
POINTED = "A person pointed at the ablation zone; its outline is automatic."
LOOSEST = 2.0  # mm, standard deviation of a tumor's edge beyond which its place is not known


def segment(exam: Exam) -> Regions:
    """Liver, zones, tumors and vessels on the grid of the reference phase; what is not found has its reason.

    Raises:
        Unusable: `regions.no_contrast_phase`, `regions.no_liver` or `regions.no_zone`: nothing here can be measured.
    """
    reference = exam.phases[exam.reference]
    liver = find_liver(exam)
    zones = find_zones(exam, liver)
    tumors = [_tumor(zone, exam) for zone in zones]
    pairs = list(zip(zones, tumors, strict=True))
    whole = liver_mask(liver, reference)
    for zone in zones:
        inside = tuple(slice(low, low + size) for low, size in zip(zone.low, zone.grid.shape, strict=True))
        np.maximum(whole[inside], zone.part, out=whole[inside])
    vessels = vessel_mask(exam, liver, whole)
    reasons = [tumor for tumor in tumors if isinstance(tumor, str)]
    return Regions(
        liver=Region(Kind.LIVER, reference.with_values(whole), METHOD),
        zones=tuple(
            _region(Kind.ABLATION_ZONE, zone, zone.part, reference, found.zone_sd if isinstance(found, _Found) else 0.0)
            for zone, found in pairs
        ),
        tumors=tuple(
            _region(Kind.TUMOR, zone, found.tumor.part, reference, found.tumor_sd)
            for zone, found in pairs
            if isinstance(found, _Found)
        ),
        vessels=Region(Kind.VESSEL, reference.with_values(vessels), METHOD) if vessels is not None else None,
        reasons=_reasons(reasons, vessels),
        notes=(POINTED,) if exam.seeds else (),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A tumor in its zone with the standard deviations (mm) of both surfaces."""

    tumor: Tumor
    tumor_sd: float
    zone_sd: float


def _tumor(zone: Zone, exam: Exam) -> _Found | str:
    """The tumor in `zone`, or the sentence that says why it is not known."""
    tumor = find_tumor(zone)
    if isinstance(tumor, str):
        return tumor
    if not is_compact(zone, tumor):
        return f"{NOT_TOLD}: what differs is no compact place."
    found = _Found(tumor, tumor_sd(zone, tumor, exam.residuals), zone_sd(zone, tumor))
    if found.tumor_sd > LOOSEST:
        return f"{NOT_TOLD}: its edge is uncertain by {found.tumor_sd:.1f} mm."
    return found


def _region(kind: Kind, zone: Zone, part: Array, reference: Volume, edge_sd: float) -> Region:
    values = np.zeros(reference.shape, dtype=np.float32)
    k, j, i = (slice(low, low + size) for low, size in zip(zone.low, part.shape, strict=True))
    values[k, j, i] = part
    return Region(kind, reference.with_values(values), METHOD, edge_sd=edge_sd)


def _reasons(tumors: list[str], vessels: Array | None) -> dict[Kind, str]:
    reasons = {Kind.TUMOR: tumors[0]} if tumors else {}
    if vessels is None:
        reasons[Kind.VESSEL] = "No vessel of the liver takes up more contrast than the liver itself."
    return reasons
