"""How the tumor looks: whether it is told from ablated tissue, its signal relative to liver, its diffusion.

Operational definitions are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.codes import NO, PERCENT, RATIO, SQUARE_MICROMETERS, UNDETERMINED, YES, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.region import Region
from service.regions.tumor_core import core_of
from service.study.model import Role
from service.volumes.noise import noise_sd
from service.volumes.volume import Volume, box_of

METHOD = "Median of the tumor eroded by one voxel over median of liver near the zone, version 1"
ADC_METHOD = "Median of the tumor eroded by one voxel, version 1"
SEEN_METHOD = "Share of the tumor's surface with contrast to ablated tissue, version 1"
SEEN_CODE = ours("TUMORSEEN", "Tumor told from ablated tissue")
SEEN_NAME, SEEN_TITLE = "tumor_visible", "Tumor told from ablated tissue"
SEEN, LOST = 90.0, 50.0  # % of the surface: at least, for "yes"; below, for "no"
HIDDEN = 0.1  # of the surface that may be hidden for another reason
FEWEST = 12  # voxels of the tumor
FEWEST_LIVER = 100
NEAR = (6.0, 25.0)  # mm from the zone: beyond the rim, and where the coil is much the same
PURE = 0.95
RESIDUAL = 3.0  # mm; the slices of T2 and DWI are 5 to 6 mm thick
# What a liver has, 1e-6 mm2/s, to tell the scale of a map; 800 to 1500 is usual.
LIVER_ADC = (500.0, 2500.0)
SCALES = (1.0, 1e3, 1e6)  # from 1e-6, 1e-3 and 1 mm2/s


@dataclass(frozen=True, slots=True)
class Ratio:
    """One ratio to liver: on which image."""

    role: Role
    name: str
    title: str
    code: Code


RATIOS = (
    Ratio(
        Role.T1_PRE, "tumor_t1_ratio", "Tumor to liver, T1 before contrast", ours("TUMORT1RATIO", "Tumor to liver, T1 signal")
    ),
    Ratio(Role.T2, "tumor_t2_ratio", "Tumor to liver, T2", ours("TUMORT2RATIO", "Tumor to liver, T2 signal")),
    Ratio(Role.DWI, "tumor_dwi_ratio", "Tumor to liver, DWI", ours("TUMORDWIRATIO", "Tumor to liver, DWI signal")),
)
ADC = Ratio(
    Role.ADC, "tumor_adc", "Tumor, apparent diffusion coefficient", ours("TUMORADC", "Tumor, apparent diffusion coefficient")
)
NAMES = (SEEN_NAME, *(ratio.name for ratio in RATIOS), ADC.name)


@dataclass(frozen=True, slots=True)
class _Levels:
    """Signal of tumor and liver in one image, and the standard error of the tumor's."""

    tumor: float
    liver: float
    error: float


def measure(case: Case) -> tuple[Finding, ...]:
    """Visibility, the ratios of T1, T2 and DWI, and the ADC."""
    return (_visible(case), *(_ratio(case, ratio) for ratio in RATIOS), _adc(case))


def _visible(case: Case) -> Finding:
    named = (SEEN_NAME, SEEN_TITLE, SEEN_CODE)
    if case.visibility is None:
        sentence = case.missing.get("tumor") or case.missing.get("margin", "Tumor or ablation zone is not known.")
        reason = Reason("tumor_signal.no_surface", sentence)
        return Finding(*named, SEEN_METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
    lost = case.visibility.reasons
    if (hidden := lost.get("no_signal", 0.0) + lost.get("field_of_view", 0.0)) > HIDDEN:
        reason = Reason("tumor_signal.hidden", f"{hidden:.0%} of the tumor lies at the border of the volume or has no signal.")
        return Finding(*named, SEEN_METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
    percent = 100.0 * (1.0 - lost.get("tumor_contrast", 0.0))
    answer = YES if percent >= SEEN else NO if percent < LOST else UNDETERMINED
    doubt = Reason("tumor_signal.part_seen", "Only part of the tumor's edge can be told from ablated tissue.")
    return Finding(
        *named,
        SEEN_METHOD,
        Status.MEASURED,
        value=percent,
        unit=PERCENT,
        category=answer,
        reason=doubt if answer is UNDETERMINED else None,
        contours=case.contours,
        inputs=case.keys,
    )


def _ratio(case: Case, ratio: Ratio) -> Finding:
    levels = _levels(case, ratio)
    if isinstance(levels, Reason):
        return _missing(case, ratio, METHOD, levels)
    value, error = levels.tumor / levels.liver, 1.96 * levels.error / levels.liver
    return _measured(case, ratio, METHOD, value, (value - error, value + error), RATIO)


def _adc(case: Case) -> Finding:
    levels = _levels(case, ADC)
    if isinstance(levels, Reason):
        return _missing(case, ADC, ADC_METHOD, levels)
    scale = next((scale for scale in SCALES if LIVER_ADC[0] <= scale * levels.liver <= LIVER_ADC[1]), None)
    if scale is None:
        sentence = f"The liver has {levels.liver:.3g} in this map, which is no diffusion coefficient in a usual unit."
        return _missing(case, ADC, ADC_METHOD, Reason("tumor_signal.adc_scale", sentence))
    error = 1.96 * levels.error
    interval = (scale * (levels.tumor - error), scale * (levels.tumor + error))
    return _measured(case, ADC, ADC_METHOD, scale * levels.tumor, interval, SQUARE_MICROMETERS)


def _levels(case: Case, ratio: Ratio) -> _Levels | Reason:
    obstacle = _obstacle(case, ratio)
    if obstacle is not None or case.tumor is None or case.zone is None:
        return obstacle or Reason("tumor_signal.no_contour", "Tumor or ablation zone is not known.")
    reach = [int(np.ceil(NEAR[1] / size)) + 1 for size in case.zone.mask.spacing]
    low, high = box_of(_held(case.tumor, case.zone), (reach[0], reach[1], reach[2]))
    image = case.phases[ratio.role].crop(low, high)
    core = core_of(case.tumor.crop(low, high), (image,))
    liver = _liver(case, image, (low, high))
    if int(core.sum()) < FEWEST:
        return Reason("tumor_signal.tumor_too_small", "The tumor is too small: nothing of it is free of its edge.")
    level = float(np.median(image.values[liver])) if int(liver.sum()) >= FEWEST_LIVER else 0.0
    if level <= 0.0:
        return Reason("tumor_signal.no_liver", "There is too little liver near the zone to compare with.")
    error = 1.25 * noise_sd(image, core) / float(np.sqrt(core.sum()))
    return _Levels(float(np.median(image.values[core])), level, error)


def _obstacle(case: Case, ratio: Ratio) -> Reason | None:
    """Why nothing can be compared on this image, if so."""
    if case.tumor is None or case.zone is None or not _held(case.tumor, case.zone).any():
        known = case.missing.get("tumor") if case.tumor is None else case.missing.get("ablation_zone")
        return Reason("tumor_signal.no_contour", known or "Tumor or ablation zone is not known.")
    if "contours" in case.missing:
        return Reason("tumor_signal.contours", case.missing["contours"])
    if ratio.role not in case.phases:
        image = ratio.role.value.upper().replace("_", " ")
        return Reason("tumor_signal.no_image", case.missing.get(ratio.role.value) or f"There is no {image} image.")
    if case.residuals.get(ratio.role, 0.0) > max(RESIDUAL, min(case.tumor.mask.spacing)):
        return Reason("tumor_signal.registration", "This image lies on the others only roughly.")
    return None


def _held(tumor: Region, zone: Region) -> NDArray[np.bool_]:
    return np.asarray(np.maximum(zone.mask.values, tumor.mask.values) > 0.5, dtype=bool)


def _liver(case: Case, image: Volume, box: tuple[tuple[int, int, int], tuple[int, int, int]]) -> NDArray[np.bool_]:
    """Liver near the zone but beyond its rim, where the image knows it."""
    if case.zone is None:
        return np.zeros(image.shape, dtype=bool)
    away = ndimage.distance_transform_edt(case.zone.crop(*box).mask.values < 0.5, sampling=image.spacing)
    ring = (away >= NEAR[0]) & (away <= NEAR[1]) & np.isfinite(image.values)
    if case.liver is not None:
        ring &= case.liver.crop(*box).mask.values > PURE
    return np.asarray(ring, dtype=bool)


def _measured(case: Case, ratio: Ratio, method: str, value: float, interval: tuple[float, float], unit: Code) -> Finding:
    note = "" if case.liver is not None else "Compared with what surrounds the zone: no liver contour."
    return Finding(
        name=ratio.name,
        title=ratio.title,
        code=ratio.code,
        method=method,
        status=Status.MEASURED,
        value=value,
        unit=unit,
        interval=interval,
        note=note,
        contours=case.contours,
        inputs=tuple(case.phase_keys[role] for role in (ratio.role,) if role in case.phase_keys),
    )


def _missing(case: Case, ratio: Ratio, method: str, reason: Reason) -> Finding:
    return Finding(ratio.name, ratio.title, ratio.code, method, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
