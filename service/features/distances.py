"""How far the ablation zone is from what a probe must not reach: the liver's capsule, the gallbladder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.codes import MM, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.apart import between, to_edge
from service.regions.region import Region

METHOD = "Surface to surface of the contours, version 1"


@dataclass(frozen=True, slots=True)
class Line:
    """One distance: `other` gives the contour to which, `measure` how."""

    name: str
    title: str
    code: Code
    other: Callable[[Case], Region | None]
    measure: Callable[[Region, Region], float | None]
    without: str


LINES = (
    Line(
        "zone_to_capsule",
        "Ablation zone to the liver capsule",
        ours("ZONETOCAPSULE", "Distance of the ablation zone to the liver capsule"),
        lambda case: case.liver,
        to_edge,
        "There is no contour of the liver.",
    ),
    Line(
        "zone_to_gallbladder",
        "Ablation zone to the gallbladder",
        ours("ZONETOGALLBL", "Distance of the ablation zone to the gallbladder"),
        lambda case: case.gallbladder,
        between,
        "There is no contour of the gallbladder: it is measured only where somebody drew it.",
    ),
)
NAMES = tuple(line.name for line in LINES)


def measure(case: Case) -> tuple[Finding, ...]:
    """The distances, each only where there is a contour."""
    return tuple(_distance(case, line) for line in LINES)


def _distance(case: Case, line: Line) -> Finding:
    other = line.other(case)
    if case.zone is None:
        return _missing(case, line, case.missing.get("ablation_zone", "The ablation zone is not known."))
    if other is None:
        return _missing(case, line, line.without)
    value = line.measure(case.zone, other)
    if value is None:
        return _missing(case, line, "The volume does not show the surface of one of the two.")
    return Finding(
        name=line.name,
        title=line.title,
        code=line.code,
        method=METHOD,
        status=Status.MEASURED,
        value=value,
        unit=MM,
        contours=f"{case.contours}; {other.kind.value}: {other.origin}",
        inputs=case.keys,
    )


def _missing(case: Case, line: Line, sentence: str) -> Finding:
    reason = Reason("distances.no_contour", sentence)
    return Finding(line.name, line.title, line.code, METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
