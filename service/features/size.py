"""Volumes of tumor and ablation zone, and how much of the tumor the zone covers. Sums of fractional masks."""

from __future__ import annotations

import numpy as np

from service.codes import ML, PERCENT, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.region import Region
from service.volumes.point_spread import filled

TUMOR_CODE = ours("TUMORVOL", "Tumor volume")
ZONE_CODE = ours("ZONEVOL", "Ablation zone volume")
COVERAGE_CODE = ours("COVERAGE", "Tumor covered by the ablation zone")
METHOD = "Sum of fractional masks, version 2"


def measure(case: Case) -> tuple[Finding, ...]:
    """Tumor volume and zone volume in mL, coverage in %."""
    return (
        _volume(case, "tumor_volume", "Tumor volume", TUMOR_CODE, case.tumor),
        _volume(case, "ablation_zone_volume", "Ablation zone volume", ZONE_CODE, case.zone),
        _coverage(case),
    )


def millilitres(region: Region) -> float:
    """The volume that a region fills, mL; the noise of its fractions adds nothing to it."""
    voxels = float(region.mask.values.sum(dtype=np.float64)) if region.binary else filled(region.mask)
    return voxels * region.mask.voxel_volume


def _volume(case: Case, name: str, title: str, code: Code, region: Region | None) -> Finding:
    if region is None or not (region.mask.values > 0.5).any():
        sentence = case.missing.get("tumor" if code is TUMOR_CODE else "ablation_zone", f"{title}: no contour.")
        reason = Reason("size.no_contour", sentence)
        return Finding(name, title, code, METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
    value = millilitres(region)
    return Finding(name, title, code, METHOD, Status.MEASURED, value=value, unit=ML, contours=region.origin, inputs=case.keys)


def _coverage(case: Case) -> Finding:
    name, title = "tumor_coverage", "Tumor covered by the ablation zone"
    if case.tumor is None or case.zone is None:
        reason = Reason("size.no_contour", case.missing.get("margin", "Tumor or ablation zone is not known."))
        return Finding(name, title, COVERAGE_CODE, METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
    tumor, zone = case.tumor.mask.values, case.zone.mask.values
    # Partial voxels of both: the zone fills a voxel at least as far as the tumor does wherever it surrounds it.
    share = 100.0 * float(np.minimum(tumor, zone).sum(dtype=np.float64) / tumor.sum(dtype=np.float64))
    return Finding(
        name=name,
        title=title,
        code=COVERAGE_CODE,
        method=METHOD,
        status=Status.MEASURED,
        value=share,
        unit=PERCENT,
        contours=case.contours,
        inputs=case.keys,
    )
