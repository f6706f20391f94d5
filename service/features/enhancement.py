"""Tumor enhancement after contrast: reported, not predictive.

Source: Shyn et al., AJR 2014;203:W181-91: tumor enhancement at 24 h in 10 of 14 tumors with and 25 of 40 without local tumor
progression (p = .75). The limits of "enhancing" are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.codes import NO, PERCENT, UNDETERMINED, YES, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.agreement import uptake
from service.regions.tumor_core import core_of, layers_of
from service.study.model import Role
from service.volumes.noise import noise_sd
from service.volumes.volume import box_of

ENHANCING = 20.0  # %
NOISE = 3.0  # SD of the difference of two means that chance does not reach
GAIN = (-0.08, 0.16)  # change of ablated tissue between phases; beyond it only another gain explains it
SAME_GAIN = 0.02  # SD of what is left of it
RESIDUAL = 2.0  # mm, from which two phases do not lie on each other; quality gate Q4
FEWEST = 12  # voxels of tumor away from its edge
UPPER = 90.0  # percentile
UPPER_OF_NOISE = 1.2816  # SD, that percentile of noise
CODE = ours("TUMORENH", "Tumor enhancement")
UPPER_CODE = ours("TUMORENHP90", "Tumor enhancement, percentile 90")
PATTERN_CODE = ours("TUMORENHPATTERN", "Pattern of tumor enhancement")
RIM = ours("ENHRIM", "Rim")
SOLID = ours("ENHSOLID", "Solid")
NONE = ours("ENHNONE", "None")
METHOD = "100 (post - pre) / pre, tumor eroded by one voxel without blood that is bright before contrast, version 2"
NOTE = "Not predictive in the source study (10/14 vs 25/40, p = .75)."
SOURCE = "Shyn et al., AJR 2014;203:W181-91"
PHASES = (
    (Role.ARTERIAL, "tumor_enhancement_arterial", "Tumor enhancement, arterial phase"),
    (Role.PORTAL_VENOUS, "tumor_enhancement_portal_venous", "Tumor enhancement, portal-venous phase"),
    (Role.DELAYED, "tumor_enhancement_delayed", "Tumor enhancement, delayed phase"),
)
UPPERS = tuple(
    (role, f"enhancement_p90_{role}", f"{title.replace('Tumor enhancement', 'Enhancement percentile 90')}")
    for role, _, title in PHASES
)
PATTERN_NAME, PATTERN_TITLE = "enhancement_pattern", "Pattern of tumor enhancement"
NAMES = (*(name for _, name, _ in PHASES), *(name for _, name, _ in UPPERS), PATTERN_NAME)
PATTERN_ON = (Role.PORTAL_VENOUS, Role.ARTERIAL, Role.DELAYED)  # the first that is there


def measure(case: Case) -> tuple[Finding, ...]:
    """Median and percentile 90 of each phase after contrast, and the pattern."""
    part = _around(case)
    reasons = {role: _obstacle(part, role) or _confused(case, role) for role, _, _ in PHASES}
    return (
        *(_median(part, reasons[role], role, name, title) for role, name, title in PHASES),
        *(_upper(part, reasons[role], role, name, title) for role, name, title in UPPERS),
        _pattern(part, reasons),
    )


def _around(case: Case) -> Case:
    """The case cut to tumor and zone: erosions of whole volumes would take longer than all else."""
    masks = [region.mask.values > 0 for region in (case.tumor, case.zone) if region is not None]
    if case.tumor is None or not np.any(masks):
        return case
    low, high = box_of(np.any(masks, axis=0), (4, 8, 8))
    phases = {role: volume.crop(low, high) for role, volume in case.phases.items()}
    zone, liver = (region.crop(low, high) if region else None for region in (case.zone, case.liver))
    return replace(case, phases=phases, tumor=case.tumor.crop(low, high), zone=zone, liver=liver)


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


def _median(part: Case, reason: Reason | None, role: Role, name: str, title: str) -> Finding:
    if reason is not None:
        return Finding(name, title, CODE, METHOD, Status.NOT_ASSESSABLE, reason=reason, note=NOTE, inputs=part.keys)
    percent, error = _percent(part, role, _core(part))
    return _measured(part, role, (name, title, CODE), percent, error, _answer(percent, error))


def _upper(part: Case, reason: Reason | None, role: Role, name: str, title: str) -> Finding:
    """Percentile 90 of the voxels, without what noise alone adds to it."""
    if reason is not None:
        return Finding(name, title, UPPER_CODE, METHOD, Status.NOT_ASSESSABLE, reason=reason, note=NOTE, inputs=part.keys)
    where = _core(part)
    before, after = part.phases[Role.T1_PRE].values[where], part.phases[role].values[where]
    base = float(np.median(before))
    gained = 100.0 * (after - before) / base
    middle, upper = (float(np.percentile(gained, percent)) for percent in (50.0, UPPER))
    noise = 100.0 * UPPER_OF_NOISE * _noise(part, role, where) / base
    percent = middle + float(np.sqrt(max((upper - middle) ** 2 - noise**2, 0.0)))
    error = np.hypot(_percent(part, role, where)[1], noise / np.sqrt(where.sum()))
    return _measured(part, role, (name, title, UPPER_CODE), percent, float(error), None)


def _measured(
    part: Case, role: Role, named: tuple[str, str, Code], percent: float, error: float, category: Code | None
) -> Finding:
    name, title, code = named
    return Finding(
        name=name,
        title=title,
        code=code,
        method=METHOD,
        status=Status.MEASURED,
        value=percent,
        unit=PERCENT,
        category=category,
        interval=(percent - 1.96 * error, percent + 1.96 * error),
        note=NOTE,
        contours=part.tumor.method if part.tumor else "",
        inputs=tuple(part.phase_keys[used] for used in (Role.T1_PRE, role) if used in part.phase_keys),
        source=SOURCE,
    )


def _pattern(part: Case, reasons: dict[Role, Reason | None]) -> Finding:
    """Where in the tumor it enhances: at its rim, throughout, or nowhere."""
    named = (PATTERN_NAME, PATTERN_TITLE, PATTERN_CODE)
    role = next((role for role in PATTERN_ON if reasons[role] is None), None)
    reason = reasons[PATTERN_ON[0]] if role is None else None
    answer = _pattern_in(part, role) if role is not None else None
    if role is not None and answer is None:
        reason = Reason(
            "enhancement.no_layers", "The tumor is too small, or lies too near to the edge of the zone, to tell a rim."
        )
    if answer is None or role is None:
        return Finding(*named, METHOD, Status.NOT_ASSESSABLE, reason=reason, note=NOTE, inputs=part.keys)
    doubt = Reason("enhancement.near_limit", f"The enhancement of a layer cannot be told from {ENHANCING:.0f} %.")
    return Finding(
        *named,
        METHOD,
        Status.MEASURED,
        category=answer,
        reason=doubt if answer is UNDETERMINED else None,
        note=NOTE,
        contours=part.tumor.method if part.tumor else "",
        inputs=tuple(part.phase_keys[used] for used in (Role.T1_PRE, role) if used in part.phase_keys),
        source=SOURCE,
    )


def _pattern_in(part: Case, role: Role) -> Code | None:
    if part.tumor is None or part.zone is None:
        return None
    layers = layers_of(_core(part), part.tumor, part.zone)
    if any(int(layer.sum()) < FEWEST for layer in layers):
        return None
    inner, outer = (_answer(*_percent(part, role, layer)) for layer in layers)
    if UNDETERMINED in (inner, outer):
        return UNDETERMINED
    return {(YES, YES): SOLID, (NO, YES): RIM, (NO, NO): NONE}.get((inner, outer), SOLID)


def _answer(percent: float, error: float) -> Code:
    """Yes or no only when the limit lies outside the 95 % interval."""
    if abs(percent - ENHANCING) <= 1.96 * error:
        return UNDETERMINED
    return YES if percent > ENHANCING and percent >= NOISE * error else NO


def _obstacle(part: Case, role: Role) -> Reason | None:
    """Why the enhancement in this phase cannot be told, if so."""
    if part.tumor is None:
        return Reason("enhancement.no_tumor", part.missing.get("tumor", "The tumor has no contour."))
    for needed in (Role.T1_PRE, role):
        if needed not in part.phases:
            sentence = part.missing.get(needed.value, f"There is no {needed.value.replace('_', ' ')} phase to compare.")
            return Reason("enhancement.no_phase", sentence)
    return next((reason for reason in _faults(part, role) if reason is not None), None)


def _faults(part: Case, role: Role) -> Iterator[Reason | None]:
    """What is wrong with the phases or with the tumor in them, one after the other."""
    off = max((part.residuals.get(one, 0.0) for one in (Role.T1_PRE, role)), default=0.0)
    if off > RESIDUAL:
        sentence = f"The phases lie on each other to {off:.1f} mm only, so that enhancement cannot be told."
        yield Reason("enhancement.registration", sentence)
    if int(core_of(part.tumor, part.phases.values()).sum()) < FEWEST:
        yield Reason("enhancement.tumor_too_small", "The tumor is too small: nothing of it is free of its edge.")
    if int(_core(part).sum()) < FEWEST:
        yield Reason("enhancement.blood", "The tumor is bright before contrast, as blood is: its enhancement cannot be told.")
    elif float(np.median(part.phases[Role.T1_PRE].values[_core(part)])) <= 0.0:
        yield Reason("enhancement.no_signal", "The tumor gives no signal before contrast, so its enhancement has no base.")
    change = _gain(part, role)
    if change is not None and not GAIN[0] <= change - 1.0 <= GAIN[1]:
        sentence = (
            f"Ablated tissue, which takes up no contrast, changes by {100 * (change - 1):.0f}% between the phases: "
            "they were made with different gain, so enhancement cannot be told."
        )
        yield Reason("enhancement.gain", sentence)


def _core(part: Case) -> NDArray[np.bool_]:
    """The tumor eroded by one voxel, where every phase is known, without blood that is bright before contrast."""
    return core_of(part.tumor, part.phases.values(), part.phases.get(Role.T1_PRE), part.liver, part.zone)


def _percent(part: Case, role: Role, where: NDArray[np.bool_]) -> tuple[float, float]:
    """100 (post - pre) / pre of the medians, %, and its standard error: noise, and what is left of another gain."""
    pre, post = (float(np.median(part.phases[used].values[where])) for used in (Role.T1_PRE, role))
    # A median costs 1.25 times a mean.
    noise = 1.25 * _noise(part, role, where) / float(np.sqrt(where.sum()))
    return 100.0 * (post - pre) / pre, 100.0 * float(np.hypot(noise, SAME_GAIN * post)) / pre


def _noise(part: Case, role: Role, where: NDArray[np.bool_]) -> float:
    """SD of post - pre in a voxel."""
    before, after = (noise_sd(part.phases[used], where) for used in (Role.T1_PRE, role))
    return float(np.hypot(before, after))


def _gain(part: Case, role: Role) -> float | None:
    """Signal of ablated tissue after contrast relative to before; None where there is too little of it."""
    if part.zone is None or part.tumor is None:
        return None
    inner = ndimage.binary_erosion(part.zone.mask.values > 0.95)
    where = inner & ~ndimage.binary_dilation(part.tumor.mask.values > 0.05)
    if int(where.sum()) < FEWEST:
        return None
    before = float(np.nanmedian(part.phases[Role.T1_PRE].values[where]))
    return float(np.nanmedian(part.phases[role].values[where])) / before if before > 0 else None
