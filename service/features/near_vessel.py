"""The largest vessel near the tumor and near the ablation zone: flowing blood warms what it passes."""

from __future__ import annotations

from dataclasses import dataclass

from service.codes import MM, Code, ours
from service.errors import Unusable
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.near_vessels import NearVessels, near_vessels
from service.regions.vessel_scene import Surroundings
from service.study.model import Role

NONE_SEEN = ours("VNONESEEN", "None seen")
METHOD = "Largest ball in an enhancing lumen, portal-venous minus before contrast, version 1"
DISTANCES = (3.0, 5.0)  # mm
LARGE = 5.0  # mm, diameter of a large vessel
NOTE = "To about 1 mm; vessels outside the liver count too."


@dataclass(frozen=True, slots=True)
class Line:
    """One finding: of what, and within which distance (mm)."""

    of: str
    within: float

    @property
    def name(self) -> str:
        """As in the API."""
        return f"largest_vessel_{self.of}_{self.within:g}_mm"

    @property
    def title(self) -> str:
        """For people."""
        return f"Largest vessel within {self.within:g} mm of the {'ablation zone' if self.of == 'zone' else self.of}"

    @property
    def code(self) -> Code:
        """Of our own scheme."""
        return ours(f"VESSELNEAR{self.of[0].upper()}{self.within:g}", self.title)


LINES = tuple(Line(of, within) for of in ("tumor", "zone") for within in DISTANCES)
LARGE_NAME, LARGE_TITLE = "zone_to_large_vessel", "Ablation zone to the nearest vessel of 5 mm or more"
LARGE_CODE = ours("ZONETOVESSEL", "Distance of the ablation zone to a vessel of 5 mm or more")
NAMES = (*(line.name for line in LINES), LARGE_NAME)
CODES = tuple(line.code for line in LINES)  # known from the start, to whoever judges an object


def measure(case: Case) -> tuple[Finding, ...]:
    """The diameter of the largest vessel in each neighbourhood, or that none is seen there."""
    if case.tumor is None or case.zone is None or case.surface is None:
        sentence = case.missing.get("margin", "Tumor or ablation zone is not known.")
        return _without(case, Reason("near_vessel.no_contour", sentence))
    if Role.PORTAL_VENOUS not in case.phases:
        sentence = case.missing.get(Role.PORTAL_VENOUS.value, "There is no portal-venous phase, in which vessels are judged.")
        return _without(case, Reason("near_vessel.no_portal_venous", sentence))
    image = case.phases[Role.PORTAL_VENOUS]
    if Role.T1_PRE in case.phases:
        image = image.with_values(image.values - case.phases[Role.T1_PRE].values)
    around = Surroundings(case.tumor, case.zone, case.liver, case.vessels, case.surface)
    try:
        found = near_vessels(around, image, DISTANCES, LARGE)
    except Unusable as fault:
        return _without(case, Reason(fault.code, fault.sentence))
    return (
        *(_finding(case, (line.name, line.title, line.code), found.largest[line.of, line.within], NOTE) for line in LINES),
        _large(case, found),
    )


def _large(case: Case, found: NearVessels) -> Finding:
    note = NOTE if found.to_large is not None else f"None within {found.looked_at:.1f} mm of the zone."
    return _finding(case, (LARGE_NAME, LARGE_TITLE, LARGE_CODE), found.to_large, note)


def _finding(case: Case, named: tuple[str, str, Code], value: float | None, note: str) -> Finding:
    return Finding(
        *named,
        METHOD,
        Status.MEASURED,
        value=value,
        unit=MM if value is not None else None,
        category=NONE_SEEN if value is None else None,
        note=note,
        contours=case.contours,
        inputs=case.keys,
    )


def _without(case: Case, reason: Reason) -> tuple[Finding, ...]:
    named = (*((line.name, line.title, line.code) for line in LINES), (LARGE_NAME, LARGE_TITLE, LARGE_CODE))
    return tuple(Finding(*one, METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys) for one in named)
