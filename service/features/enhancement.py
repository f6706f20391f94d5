"""Tumor enhancement after contrast: reported, not predictive.

Source: Shyn et al., AJR 2014;203:W181-91: tumor enhancement at 24 h in 10 of 14 tumors with and 25 of 40 without local tumor
progression (p = .75). The limits of "enhancing" are ours.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.codes import NO, PERCENT, UNDETERMINED, YES, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.agreement import uptake
from service.study.model import Role
from service.volumes.noise import noise_sd
from service.volumes.volume import box_of

ENHANCING = 20.0  # %
NOISE = 3.0  # SD of the difference of two means that chance does not reach
GAIN = 0.20  # relative change of ablated, bloodless tissue between phases that only another gain explains
FEWEST = 12  # voxels of tumor away from its edge
CODE = ours("TUMORENH", "Tumor enhancement")
METHOD = "100 (post - pre) / pre, median of the tumor eroded by one voxel, version 1"
NOTE = "Not predictive in the source study (10/14 vs 25/40, p = .75)."
SOURCE = "Shyn et al., AJR 2014;203:W181-91"
PHASES = (
    (Role.ARTERIAL, "tumor_enhancement_arterial", "Tumor enhancement, arterial phase"),
    (Role.PORTAL_VENOUS, "tumor_enhancement_portal_venous", "Tumor enhancement, portal-venous phase"),
    (Role.DELAYED, "tumor_enhancement_delayed", "Tumor enhancement, delayed phase"),
)


def measure(case: Case) -> tuple[Finding, ...]:
    """One finding for each phase after contrast."""
    part = _around(case)
    return tuple(_phase(part, _confused(case, role), role, name, title) for role, name, title in PHASES)


def _around(case: Case) -> Case:
    """The case cut to tumor and zone: erosions of whole volumes would take longer than all else."""
    masks = [region.mask.values > 0 for region in (case.tumor, case.zone) if region is not None]
    if case.tumor is None or not np.any(masks):
        return case
    low, high = box_of(np.any(masks, axis=0), (2, 2, 2))
    phases = {role: volume.crop(low, high) for role, volume in case.phases.items()}
    zone = case.zone.crop(low, high) if case.zone else None
    return replace(case, phases=phases, tumor=case.tumor.crop(low, high), zone=zone)


def _confused(case: Case, role: Role) -> Reason | None:
    """Why contours or phases cannot be what they are taken for, if so: the liver takes up contrast, ablated tissue does not."""
    if "contours" in case.missing:
        return Reason("enhancement.contours", case.missing["contours"])
    before, after = case.phases.get(Role.T1_PRE), case.phases.get(role)
    if case.tumor is None or case.zone is None or before is None or after is None:
        return None
    found = uptake(case.tumor, case.zone, case.liver, after.with_values(after.values - before.values))
    if found is None or found.liver > found.ablated:
        return None
    return Reason(
        "enhancement.phases", "The liver does not get brighter from before contrast to this phase: they may be swapped."
    )


def _phase(case: Case, confused: Reason | None, role: Role, name: str, title: str) -> Finding:
    reason = _obstacle(case, role) or confused
    if reason is not None:
        return Finding(name, title, CODE, METHOD, Status.NOT_ASSESSABLE, reason=reason, note=NOTE, inputs=case.keys)
    where = _core(case)
    before, after = case.phases[Role.T1_PRE].values, case.phases[role].values
    pre, post = float(np.median(before[where])), float(np.median(after[where]))
    percent = 100.0 * (post - pre) / pre
    error = _standard_error(case, role, where) * 100.0 / pre
    return Finding(
        name=name,
        title=title,
        code=CODE,
        method=METHOD,
        status=Status.MEASURED,
        value=percent,
        unit=PERCENT,
        category=_answer(percent, error),
        interval=(percent - 1.96 * error, percent + 1.96 * error),
        note=NOTE,
        contours=case.tumor.method if case.tumor else "",
        inputs=tuple(case.phase_keys[used] for used in (Role.T1_PRE, role) if used in case.phase_keys),
        source=SOURCE,
    )


def _answer(percent: float, error: float) -> Code:
    """Yes or no only when the limit lies outside the 95 % interval."""
    if abs(percent - ENHANCING) <= 1.96 * error:
        return UNDETERMINED
    return YES if percent > ENHANCING and percent >= NOISE * error else NO


def _obstacle(case: Case, role: Role) -> Reason | None:
    """Why the enhancement in this phase cannot be told, if so."""
    if case.tumor is None:
        return Reason("enhancement.no_tumor", case.missing.get("tumor", "The tumor has no contour."))
    for needed in (Role.T1_PRE, role):
        if needed not in case.phases:
            sentence = case.missing.get(needed.value, f"There is no {needed.value.replace('_', ' ')} phase to compare.")
            return Reason("enhancement.no_phase", sentence)
    if int(_core(case).sum()) < FEWEST:
        return Reason("enhancement.tumor_too_small", "The tumor is too small: nothing of it is free of its edge.")
    if float(np.median(case.phases[Role.T1_PRE].values[_core(case)])) <= 0.0:
        return Reason("enhancement.no_signal", "The tumor gives no signal before contrast, so its enhancement has no base.")
    change = _gain(case, role)
    if change is not None and abs(change - 1.0) > GAIN:
        sentence = (
            f"Ablated tissue, which takes up no contrast, changes by {100 * (change - 1):.0f}% between the phases: "
            "they were made with different gain, so enhancement cannot be told."
        )
        return Reason("enhancement.gain", sentence)
    return None


def _core(case: Case) -> NDArray[np.bool_]:
    """The tumor eroded by one voxel, where every phase is known."""
    if case.tumor is None:
        return np.zeros((0, 0, 0), dtype=bool)
    core = ndimage.binary_erosion(case.tumor.mask.values > 0.95)
    known = np.all([np.isfinite(volume.values) for volume in case.phases.values()], axis=0)
    return np.asarray(core & known, dtype=bool)


def _ablated(case: Case) -> NDArray[np.bool_] | None:
    """Ablated tissue well inside the zone and away from the tumor."""
    if case.zone is None or case.tumor is None:
        return None
    inner = ndimage.binary_erosion(case.zone.mask.values > 0.95)
    away = ~ndimage.binary_dilation(case.tumor.mask.values > 0.05)
    where = np.asarray(inner & away, dtype=bool)
    return where if int(where.sum()) >= FEWEST else None


def _gain(case: Case, role: Role) -> float | None:
    """Signal of ablated tissue after contrast relative to before; None where there is too little of it."""
    where = _ablated(case)
    if where is None:
        return None
    before = float(np.nanmedian(case.phases[Role.T1_PRE].values[where]))
    return float(np.nanmedian(case.phases[role].values[where])) / before if before > 0 else None


def _standard_error(case: Case, role: Role, where: NDArray[np.bool_]) -> float:
    """Standard error of post - pre from voxel noise; a median costs 1.25 times a mean."""
    before, after = (noise_sd(case.phases[used], where) for used in (Role.T1_PRE, role))
    noise = np.hypot(before, after)
    return float(1.25 * noise / np.sqrt(where.sum()))
