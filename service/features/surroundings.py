"""The liver around the ablation zone: hyperaemic rim, perfusion anomaly, fluid and blood. Operational definitions are ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from service.codes import ML, MM, PERCENT, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.beside_zone import fluid, haematoma, perfusion_anomaly
from service.regions.rim import Rim, rim_of
from service.study.model import Role
from service.volumes.volume import Volume

NONE_SEEN = ours("NONESEEN", "None seen")
METHOD = "Signal around the ablation zone relative to liver, version 1"
LOOKED_AT = 0.5  # of the zone's surface, from which a rim may be spoken of


@dataclass(frozen=True, slots=True)
class Line:
    """One finding."""

    name: str
    title: str
    code: Code
    unit: Code
    note: str = ""


THICKNESS = Line("rim_thickness", "Hyperaemic rim, thickness", ours("RIMTHICKNESS", "Thickness of the hyperaemic rim"), MM)
CONTINUITY = Line(
    "rim_continuity",
    "Hyperaemic rim, share of the zone's surface",
    ours("RIMCONTINUITY", "Share of the zone's surface with a hyperaemic rim"),
    PERCENT,
)
ANOMALY = Line(
    "perfusion_anomaly",
    "Perfusion anomaly beside the zone",
    ours("PERFANOMALY", "Volume of the perfusion anomaly beside the ablation zone"),
    ML,
    "Liver beyond 8 mm from the zone that takes up more contrast in the arterial phase; its shape is not judged.",
)
FLUID = Line(
    "fluid", "Fluid in and beside the zone", ours("ZONEFLUID", "Volume of fluid in and beside the ablation zone"), ML,
    "Bile cannot be told from other fluid.",
)  # fmt: skip
HAEMATOMA = Line(
    "haematoma", "Blood in and beside the zone", ours("ZONEBLOOD", "Volume of blood in and beside the ablation zone"), ML,
    "Blood that is bright before contrast.",
)  # fmt: skip
LINES = (THICKNESS, CONTINUITY, ANOMALY, FLUID, HAEMATOMA)
NAMES = tuple(line.name for line in LINES)


def measure(case: Case) -> tuple[Finding, ...]:
    """Rim, perfusion anomaly, fluid, blood."""
    if "contours" in case.missing:
        reason = Reason("surroundings.contours", case.missing["contours"])
        return tuple(_missing(case, line, reason) for line in LINES)
    if case.zone is None or not (case.zone.mask.values > 0.5).any():
        reason = Reason("surroundings.no_zone", case.missing.get("ablation_zone", "The ablation zone is not known."))
        return tuple(_missing(case, line, reason) for line in LINES)
    return (*_rim(case), _anomaly(case), _fluid(case), _blood(case))


def _rim(case: Case) -> Iterator[Finding]:
    image = _uptake(case, Role.ARTERIAL, Role.PORTAL_VENOUS)
    found: Rim | Reason | None
    if case.zone is None or image is None:
        sentence = "A rim is judged in the arterial or portal-venous phase minus the one before contrast; there is none."
        found = Reason("surroundings.no_phase", sentence)
    else:
        found = rim_of(case.zone, case.liver, image)
    if found is None or (isinstance(found, Rim) and found.looked_at < LOOKED_AT):
        found = Reason("surroundings.no_liver", "There is too little liver around the zone to tell a rim.")
    if isinstance(found, Reason):
        yield from (_missing(case, line, found) for line in (THICKNESS, CONTINUITY))
        return
    yield _measured(case, THICKNESS, found.thickness)
    yield _measured(case, CONTINUITY, 100.0 * found.continuity)


def _anomaly(case: Case) -> Finding:
    arterial = _uptake(case, Role.ARTERIAL)
    if case.zone is None or arterial is None:
        return _missing(case, ANOMALY, _no_image("arterial phase minus the one before contrast"))
    if case.liver is None:
        return _missing(case, ANOMALY, Reason("surroundings.no_liver_contour", "There is no liver contour."))
    return _volume(case, ANOMALY, perfusion_anomaly(case.zone, case.liver, arterial, _uptake(case, Role.PORTAL_VENOUS)))


def _fluid(case: Case) -> Finding:
    if case.zone is None or Role.T2 not in case.phases:
        return _missing(case, FLUID, _no_image("T2 image"))
    return _volume(case, FLUID, fluid(case.zone, case.tumor, case.liver, case.phases[Role.T2]))


def _blood(case: Case) -> Finding:
    if case.zone is None or Role.T1_PRE not in case.phases:
        return _missing(case, HAEMATOMA, _no_image("T1 image before contrast"))
    return _volume(case, HAEMATOMA, haematoma(case.zone, case.tumor, case.liver, case.phases[Role.T1_PRE]))


def _no_image(what: str) -> Reason:
    return Reason("surroundings.no_image", f"There is no {what}.")


def _uptake(case: Case, *roles: Role) -> Volume | None:
    """The first of these phases that is there, minus the one before contrast."""
    before = case.phases.get(Role.T1_PRE)
    after = next((case.phases[role] for role in roles if role in case.phases), None)
    return None if before is None or after is None else after.with_values(after.values - before.values)


def _volume(case: Case, line: Line, millilitres: float | None) -> Finding:
    if millilitres is None:
        return _missing(
            case, line, Reason("surroundings.no_liver", "There is too little liver around the zone to compare with.")
        )
    return _measured(case, line, millilitres or None)


def _measured(case: Case, line: Line, value: float | None) -> Finding:
    """The value, or that there is none to be seen."""
    return Finding(
        name=line.name,
        title=line.title,
        code=line.code,
        method=METHOD,
        status=Status.MEASURED,
        value=value,
        unit=line.unit if value is not None else None,
        category=NONE_SEEN if value is None else None,
        note=line.note,
        contours=case.contours,
        inputs=case.keys,
    )


def _missing(case: Case, line: Line, reason: Reason) -> Finding:
    return Finding(line.name, line.title, line.code, METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys)
