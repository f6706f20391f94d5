"""Minimum ablation margin: from the tumor surface to untreated liver, and its category against 3 mm.

Source: Shyn et al., AJR 2014;203:W181-91: a minimum margin of 3 mm or less in 11 of 14 tumors with and 15 of 40 without local
tumor progression (Fisher p = .0124). Operational definitions are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from service.codes import MM, PERCENT, UNDETERMINED, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.margin_surface import MarginSurface
from service.volumes.volume import Matrix

THRESHOLD = 3.0  # mm, the margin of the source study
ENTIRE = 0.98  # of the surface: the rest is what noise hides by chance on a good exam
RANGE = 1.96  # standard deviations of a 95 % interval

CODE = ours("MINMARGIN", "Minimum ablation margin")
SURFACE_CODE = ours("SURFLE3", "Tumor surface with margin <= 3 mm")
MEDIAN_CODE = ours("MEDMARGIN", "Median ablation margin")
AT_MOST_3 = ours("MARGINLE3", "<= 3 mm")
ABOVE_3 = ours("MARGINGT3", "> 3 mm")
METHOD = "Surface to untreated liver, sub-voxel, version 1"
SOURCE = "Shyn et al., AJR 2014;203:W181-91"
NAMES = (
    ("minimum_ablation_margin", "Minimum ablation margin", CODE),
    ("surface_at_most_3_mm", "Tumor surface with margin at or below 3 mm", SURFACE_CODE),
    ("median_ablation_margin", "Median ablation margin", MEDIAN_CODE),
)
LOST = {
    "tumor_contrast": "tumor and ablated tissue look alike",
    "zone_contrast": "ablated tissue and liver look alike",
    "no_signal": "there is no signal",
    "field_of_view": "it lies at the border of the volume",
}


def measure(case: Case) -> tuple[Finding, ...]:
    """Minimum with category, share of the surface at or below 3 mm, and median."""
    if case.surface is None or case.visibility is None:
        sentence = case.missing.get("margin", "Tumor or ablation zone is not known.")
        return _not_assessable(case, Reason("margin.no_surface", sentence))
    seen = case.visibility.assessable
    if not seen.any():
        sentence = f"No part of the margin can be seen: {why_lost(case.visibility.reasons)}."
        return _not_assessable(case, Reason("margin.not_visible", sentence))
    return (_minimum(case, case.surface, seen), *_distribution(case, case.surface, seen))


def categorize(low: float, high: float, *, entire: bool) -> tuple[Code, Reason | None]:
    """The category of a minimum by its 95 % interval (mm), and the reason when it is equivocal.

    The asymmetry rule: a minimum over part of a surface is an upper bound, so "<= 3 mm" may come from part of the margin,
    "> 3 mm" only from all of it.

    >>> categorize(1.0, 2.0, entire=False)[0].meaning
    '<= 3 mm'
    >>> categorize(5.0, 7.0, entire=True)[0].meaning
    '> 3 mm'
    >>> categorize(5.0, 7.0, entire=False)[1].code
    'margin.part_not_assessable'
    >>> categorize(2.7, 3.7, entire=True)[1].code
    'margin.interval_holds_threshold'
    """
    if high <= THRESHOLD:
        return AT_MOST_3, None
    if low <= THRESHOLD:
        sentence = f"Equivocal: the 95 % interval holds {THRESHOLD:g} mm."
        return UNDETERMINED, Reason("margin.interval_holds_threshold", sentence)
    if not entire:
        sentence = "Equivocal: the value is an upper bound, because part of the margin cannot be assessed."
        return UNDETERMINED, Reason("margin.part_not_assessable", sentence)
    return ABOVE_3, None


def why_lost(reasons: Mapping[str, float]) -> str:
    """What hides the margin, most of it first.

    >>> why_lost({"no_signal": 0.2, "tumor_contrast": 0.5})
    'tumor and ablated tissue look alike (50%), there is no signal (20%)'
    """
    parts = sorted(reasons.items(), key=lambda part: -part[1])
    return ", ".join(f"{LOST[name]} ({share:.0%})" for name, share in parts)


def _minimum(case: Case, surface: MarginSurface, seen: NDArray[np.bool_]) -> Finding:
    index = int(np.argmin(np.where(seen, surface.margin, np.inf)))
    value = float(surface.margin[index])
    half = RANGE * surface.spread
    low, high = min(value - half, surface.lowest), value + half
    entire = surface.closed and float(surface.areas[seen].sum() / surface.areas.sum()) >= ENTIRE
    answer, reason = categorize(low, high, entire=entire)
    x, y, z = surface.points[index]
    notes = () if surface.capsule_modelled else ("Capsule not modelled: no liver contour.",)
    if not entire:
        notes = ("Upper bound: part of the margin cannot be assessed.", *notes)
    name, title, code = NAMES[0]
    return Finding(
        name=name,
        title=title,
        code=code,
        method=METHOD,
        status=Status.MEASURED,
        value=value,
        unit=MM,
        category=answer,
        interval=(low, high),
        reason=reason,
        note=" ".join(notes),
        place=(float(x), float(y), float(z)),
        contours=case.contours,
        inputs=case.keys,
        source=SOURCE,
    )


def _distribution(case: Case, surface: MarginSurface, seen: NDArray[np.bool_]) -> tuple[Finding, ...]:
    margin, areas = surface.margin[seen], surface.areas[seen]
    share = 100.0 * float(areas[margin <= THRESHOLD].sum() / areas.sum())
    values = ((share, PERCENT), (weighted_percentile(margin, areas, 50.0), MM))
    return tuple(
        Finding(
            name=name,
            title=title,
            code=code,
            method=METHOD,
            status=Status.MEASURED,
            value=value,
            unit=unit,
            note="Of the part of the surface that can be assessed.",
            contours=case.contours,
            inputs=case.keys,
        )
        for (name, title, code), (value, unit) in zip(NAMES[1:], values, strict=True)
    )


def weighted_percentile(values: Matrix, weights: Matrix, percent: float) -> float:
    """The value below which `percent` of the weight lies.

    >>> weighted_percentile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 8.0]), 50)
    2.0
    """
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(share, percent / 100.0)])


def _not_assessable(case: Case, reason: Reason) -> tuple[Finding, ...]:
    return tuple(
        Finding(name, title, code, METHOD, Status.NOT_ASSESSABLE, reason=reason, contours=case.contours, inputs=case.keys)
        for name, title, code in NAMES
    )
