"""The whole margin, not only its minimum: how it is distributed over the tumor, and what is left around it.

Source of the bands: the thresholds in use for ablation margins (0, 3, 5 and 10 mm). Operational definitions are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.codes import ML, MM, PERCENT, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.margin_surface import MarginSurface
from service.volumes.volume import Matrix

MM2 = Code("mm2", "UCUM", "square millimeter")
METHOD = "Surface to untreated liver, sub-voxel, version 3"
OF_WHAT_IS_SEEN = "Of the part of the surface that can be assessed."

Seen = NDArray[np.bool_]
Value = Callable[[MarginSurface, Seen], float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One finding: what it is called, its unit and how it is had; `why` says what is missing where there is no value."""

    name: str
    title: str
    code: Code
    unit: Code
    value: Value
    note: str = OF_WHAT_IS_SEEN
    why: str = ""


def weighted_percentile(values: Matrix, weights: Matrix, percent: float) -> float:
    """The value below which `percent` of the weight lies.

    >>> weighted_percentile(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 8.0]), 50)
    2.0
    """
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(share, percent / 100.0)])


def _percentile(percent: float) -> Line:
    def value(surface: MarginSurface, seen: Seen) -> float:
        return weighted_percentile(surface.margin[seen], surface.areas[seen], percent)

    code = ours(f"MARGINP{percent:g}", f"Ablation margin, percentile {percent:g} of the tumor surface")
    title = "Median ablation margin" if percent == 50 else f"Ablation margin, percentile {percent:g}"
    return Line(f"margin_percentile_{percent:g}", title, code, MM, value)


def _share(limit: float) -> Line:
    def value(surface: MarginSurface, seen: Seen) -> float:
        areas = surface.areas[seen]
        return 100.0 * float(areas[surface.margin[seen] <= limit].sum() / areas.sum())

    code = ours(f"SURFLE{limit:g}", f"Tumor surface with margin <= {limit:g} mm")
    return Line(f"surface_at_most_{limit:g}_mm", f"Tumor surface with margin at or below {limit:g} mm", code, PERCENT, value)


def _uncovered(distance: float) -> Line:
    def value(surface: MarginSurface, _seen: Seen) -> float | None:
        return surface.uncovered.get(distance)

    if distance == 0:
        title, meaning = "Tumor outside the ablation zone", "Volume of tumor outside the ablation zone"
    else:
        title = f"Untreated liver within {distance:g} mm of the tumor"
        meaning = f"Untreated liver volume within {distance:g} mm of the tumor"
    why = f"The volume ends within {distance:g} mm of the tumor."
    return Line(f"uncovered_{distance:g}_mm", title, ours(f"UNCOVERED{distance:g}", meaning), ML, value, note="", why=why)


def _contact(surface: MarginSurface, _seen: Seen) -> float | None:
    return surface.contact


LINES = (
    *(_percentile(percent) for percent in (2, 5, 50)),
    *(_share(limit) for limit in (0, 3, 5, 10)),
    *(_uncovered(distance) for distance in (0, 3, 5, 10)),
    Line(
        "capsular_contact",
        "Ablation zone against the liver capsule",
        ours("CAPSCONTACT", "Area of the liver capsule that the ablation zone reaches"),
        MM2,
        _contact,
        note="",
        why="Capsule not modelled: no liver contour.",
    ),
)
NAMES = tuple(line.name for line in LINES)


def measure(case: Case) -> tuple[Finding, ...]:
    """Percentiles, shares of the surface, untreated volumes, and the contact with the capsule."""
    return tuple(_finding(case, line) for line in LINES)


def _finding(case: Case, line: Line) -> Finding:
    if case.surface is None or case.visibility is None:
        return _missing(case, line, case.missing.get("margin", "Tumor or ablation zone is not known."))
    seen = case.visibility.assessable
    if line.note and not seen.any():
        return _missing(case, line, "No part of the margin can be seen.")
    value = line.value(case.surface, seen)
    if value is None:
        return _missing(case, line, line.why)
    return Finding(
        name=line.name,
        title=line.title,
        code=line.code,
        method=METHOD,
        status=Status.MEASURED,
        value=value,
        unit=line.unit,
        note=line.note,
        contours=case.contours,
        inputs=case.keys,
    )


def _missing(case: Case, line: Line, sentence: str) -> Finding:
    reason = Reason("margin.no_distribution", sentence)
    status = Status.NOT_ASSESSABLE
    return Finding(line.name, line.title, line.code, METHOD, status, reason=reason, contours=case.contours, inputs=case.keys)
