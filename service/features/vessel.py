"""A blood vessel bridging the margin: one patent lumen from liver outside the zone to the tumor.

Found as the widest path: the component of enhancing voxels inside the zone that hangs together with the liver outside, at the
highest threshold at which it still reaches the tumor. Source: Shyn et al., AJR 2014;203:W181-91: a bridging vessel in 11 of
14 tumors with and 9 of 40 without local tumor progression (p = .00033). Operational definitions are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from service.codes import MM, RATIO, UNDETERMINED, Code, ours
from service.errors import Unusable
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.regions.region import Region
from service.regions.vessel_kind import Filling, filling
from service.regions.vessel_path import VesselPath, vessel_path
from service.regions.vessel_scene import Surroundings, scene_of
from service.study.model import Role
from service.volumes.surface import sample
from service.volumes.volume import Volume

CODE = ours("BRIDGEVESSEL", "Blood vessel bridging the margin")
DIAMETER_CODE = ours("VESSELDIAM", "Smallest lumen diameter of the vessel in the margin")
LENGTH_CODE = ours("VESSELLENGTH", "Length of the vessel in the margin")
GAP_CODE = ours("VESSELGAP", "Distance of the vessel in the margin to the tumor")
CONTRAST_CODE = ours("VESSELCONTRAST", "Weakest contrast of the vessel over noise (z)")
FILLING_CODE = ours("VESSELFILLING", "Kind of the vessel in the margin by its filling")
BRIDGES = ours("VBRIDGES", "Bridges the margin")
TRAVERSES = ours("VTRAVERSES", "Traverses the margin without reaching the tumor")
ABUTS = ours("VABUTS", "Abuts the ablation zone")
NONE_SEEN = ours("VNONESEEN", "None seen")
FILLINGS = {
    Filling.ARTERIAL: Code("76015000", "SCT", "Hepatic artery"),
    Filling.PORTAL: Code("32764006", "SCT", "Portal vein"),
    Filling.HEPATIC: Code("8993003", "SCT", "Hepatic vein"),
    Filling.UNDETERMINED: UNDETERMINED,
}
METHOD = "Widest path through the margin, portal-venous minus before contrast, version 3"
SOURCE = "Shyn et al., AJR 2014;203:W181-91"
NAME, TITLE = "bridging_vessel", "Blood vessel bridging the margin"
GAP_NAME, GAP_TITLE = "vessel_gap", "Distance of the vessel in the margin to the tumor"

FAINT = 0.13  # of a full lumen; below it a path is noise
LOOSE = 1.0  # mm, standard deviation of a contour by which no lumen's end can be placed any more
NEARLY = 4.0  # mm: a lumen that ends nearer than this (a slice and a bit) may reach the tumor
THIN = 2.1  # mm: a lumen of 2 mm measures up to this, one of 3 mm hardly ever less
THIN_INSIDE = 2.4  # mm: the same of one that is lost from sight in the margin, measured along what is seen of it
FULL = 0.85  # of a full lumen; one of 2 mm fills a voxel of 3 mm by two thirds
IN_PHASE = 3.0  # SD of noise by which a vessel is seen in a phase


@dataclass(frozen=True, slots=True)
class Line:
    """One of the findings beside the category."""

    name: str
    title: str
    code: Code
    unit: Code | None


DIAMETER = Line("vessel_diameter", "Smallest lumen of the vessel in the margin", DIAMETER_CODE, MM)
LENGTH = Line("vessel_length", "Length of the vessel in the margin", LENGTH_CODE, MM)
GAP = Line(GAP_NAME, GAP_TITLE, GAP_CODE, MM)
CONTRAST = Line("vessel_contrast", "Weakest contrast of the vessel over noise (z)", CONTRAST_CODE, RATIO)
FILLS = Line("vessel_filling", "Kind of the vessel by its filling", FILLING_CODE, None)
LINES = (DIAMETER, LENGTH, GAP, CONTRAST, FILLS)
NAMES = (NAME, *(line.name for line in LINES))


def measure(case: Case) -> tuple[Finding, ...]:
    """The category, and the measures of the vessel where there is one in the margin."""
    if case.tumor is None or case.zone is None or case.surface is None:
        return _without(case, Reason("vessel.no_contour", case.missing.get("margin", "Tumor or ablation zone is not known.")))
    if Role.PORTAL_VENOUS not in case.phases:
        sentence = case.missing.get(Role.PORTAL_VENOUS.value, "There is no portal-venous phase, in which vessels are judged.")
        return _without(case, Reason("vessel.no_portal_venous", sentence))
    around = Surroundings(case.tumor, case.zone, case.liver, case.vessels, case.surface)
    try:
        path = vessel_path(scene_of(around, _uptake(case, Role.PORTAL_VENOUS)))
    except Unusable as fault:
        return _without(case, Reason(fault.code, fault.sentence))
    return _answer(case, path)


def _uptake(case: Case, role: Role) -> Volume:
    """The phase minus that before contrast, which removes blood that is bright by itself; else the phase alone."""
    after = case.phases[role]
    before = case.phases.get(Role.T1_PRE)
    return after if before is None else after.with_values(after.values - before.values)


def _answer(case: Case, path: VesselPath) -> tuple[Finding, ...]:
    answer, reason = _category(case, path)
    if answer is None:
        return _without(case, reason) if reason is not None else ()
    inside = answer in (BRIDGES, TRAVERSES)
    uncertain = path.crosses and answer is UNDETERMINED
    finding = Finding(
        name=NAME,
        title=TITLE,
        code=CODE,
        method=METHOD,
        status=Status.MEASURED,
        category=answer,
        reason=reason,
        note=_seen_in(case, path) if inside else "",
        contours=case.contours,
        inputs=case.keys,
        source=SOURCE,
        path=path.line if inside and len(path.line) > 1 else (),
    )
    return finding, *_measures(case, path, answer, there=len(path.line) > 1 and (inside or uncertain))


def _category(case: Case, path: VesselPath) -> tuple[Code | None, Reason | None]:
    """The answer; a doubt is "undetermined", and what cannot be judged None, each with its reason."""
    loose = _loose([region for region in (case.tumor, case.zone) if region is not None])
    if loose is not None:
        return UNDETERMINED, loose
    doubt = _doubt(case, path)
    if doubt is not None:
        return UNDETERMINED, doubt
    if path.crosses:
        return BRIDGES, None
    hidden = _hidden(case, path)
    if hidden is not None:
        return None, hidden
    if path.enters:
        return TRAVERSES, None
    return (ABUTS if path.abuts else NONE_SEEN), None


def _loose(regions: Sequence[Region]) -> Reason | None:
    """Why the contours do not tell where a lumen ends, if so."""
    edge, place = (max(doubts) for doubts in zip(*((one.edge_sd, one.place_sd) for one in regions), strict=True))
    if max(edge, place) <= LOOSE:
        return None
    why = "" if edge > LOOSE else ", because they were drawn on other images than those that are measured, or name none"
    uncertain = f"The contours are uncertain by {max(edge, place):.1f} mm{why}"
    return Reason("vessel.contour", f"{uncertain}: too much to tell whether a vessel reaches the tumor.")


def _doubt(case: Case, path: VesselPath) -> Reason | None:
    """Why what is seen may be a bridging vessel or none, if so."""
    if path.crosses:
        return _doubtful_vessel(case, path)
    if path.bottleneck >= FAINT:
        sentence = "Something crosses the margin that is too faint, or too short, to be told from the edges of the margin."
        return Reason("vessel.faint", sentence)
    if path.enters and path.gap <= NEARLY:
        sentence = f"A vessel ends {path.gap:.1f} mm from the tumor, too near to tell whether it reaches it."
        return Reason("vessel.nearly", sentence)
    if path.enters and (path.diameter is None or path.diameter < THIN_INSIDE):
        sentence = (
            f"A vessel{_size(path)} runs into the margin; vessels of 2 mm are uncertain on these slices: it may go on unseen."
        )
        return Reason("vessel.thin", sentence)
    if path.faint and not path.enters:
        sentence = "Something fainter than a vessel of 3 mm runs into the margin: one of 2 mm is uncertain on these slices."
        return Reason("vessel.thin", sentence)
    return None


def _doubtful_vessel(case: Case, path: VesselPath) -> Reason | None:
    if Role.T1_PRE not in case.phases:
        sentence = "A bright path crosses the margin; without the phase before contrast it may be blood in the tract."
        return Reason("vessel.no_subtraction", sentence)
    # Where the margin is as thin as a cell no lumen can be followed; one that fills its voxels is no thin one.
    if path.bottleneck < FULL if path.diameter is None else path.diameter < THIN:
        sentence = f"A vessel{_size(path)} seems to cross the margin; vessels of 2 mm are uncertain on these slices."
        return Reason("vessel.thin", sentence)
    return None


def _size(path: VesselPath) -> str:
    return "" if path.diameter is None else f" of about {path.diameter:.1f} mm"


def _hidden(case: Case, path: VesselPath) -> Reason | None:
    """Why the absence of a bridging vessel cannot be stated, if so."""
    if path.thin > 0.0:
        sentence = f"No bridging vessel seen, but the margin is thinner than two voxels around {path.thin:.0%} of the tumor."
        return Reason("vessel.shell_thin", sentence)
    if not path.whole or not case.entire:
        return Reason("vessel.part_not_assessable", "No bridging vessel seen, but the margin is partly hidden.")
    return None


def _seen_in(case: Case, path: VesselPath) -> str:
    """In which phases the vessel is brighter than ablated tissue."""
    if not path.line:
        return ""
    seen = [role for role in (Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED) if _is_seen(case, path, role)]
    names = ", ".join(role.value.replace("_", "-") for role in seen)
    return f"Seen in: {names}." if names else ""


def _is_seen(case: Case, path: VesselPath, role: Role) -> bool:
    if role is Role.PORTAL_VENOUS:
        return True
    if role not in case.phases or case.zone is None or case.tumor is None:
        return False
    image = _uptake(case, role)
    ablated = image.values[(case.zone.mask.values > 0.97) & (case.tumor.mask.values < 0.03)]
    noise = 1.4826 * float(np.nanmedian(np.abs(ablated - np.nanmedian(ablated))))
    along = sample(image, np.array(path.line))
    return bool(np.nanmedian(along) - np.nanmedian(ablated) >= IN_PHASE * max(noise, 1e-6))


def _measures(case: Case, path: VesselPath, answer: Code, *, there: bool) -> Iterator[Finding]:
    """The findings beside the category: measured where a vessel is in the margin, else with the reason why not."""
    gap = path.gap if answer is TRAVERSES else None
    numbers = {DIAMETER: path.diameter, LENGTH: path.length, CONTRAST: path.contrast} if there else {}
    for line in LINES:
        value = gap if line is GAP else numbers.get(line)
        category = _filling(case, path) if line is FILLS and there else None
        if value is not None or category is not None:
            yield _measured(case, line, value, category)
        elif line is GAP:
            yield _missing(
                case, line, "vessel.no_gap", "Only a vessel that enters the margin without reaching the tumor has a gap."
            )
        else:
            yield _missing(case, line, "vessel.none_in_margin", "There is no vessel in the margin that could be measured.")


def _filling(case: Case, path: VesselPath) -> Code:
    if not {Role.T1_PRE, Role.ARTERIAL} <= case.phases.keys() or case.zone is None:
        return UNDETERMINED
    normal = case.zone.mask.values < 0.03
    if case.liver is not None:
        normal &= case.liver.mask.values > 0.97
    arterial, portal = (_uptake(case, role) for role in (Role.ARTERIAL, Role.PORTAL_VENOUS))
    return FILLINGS[filling(path.line, arterial, portal, normal)]


def _measured(case: Case, line: Line, value: float | None, category: Code | None) -> Finding:
    return Finding(
        name=line.name,
        title=line.title,
        code=line.code,
        method=METHOD,
        status=Status.MEASURED,
        value=value,
        unit=line.unit if value is not None else None,
        category=category,
        contours=case.contours,
        inputs=case.keys,
    )


def _missing(case: Case, line: Line, code: str, sentence: str) -> Finding:
    reason = Reason(code, sentence)
    return Finding(line.name, line.title, line.code, METHOD, Status.NOT_ATTEMPTED, reason=reason, inputs=case.keys)


def _without(case: Case, reason: Reason) -> tuple[Finding, ...]:
    named = ((NAME, TITLE, CODE), *((line.name, line.title, line.code) for line in LINES))
    return tuple(
        Finding(name, title, code, METHOD, Status.NOT_ASSESSABLE, reason=reason, contours=case.contours, inputs=case.keys)
        for name, title, code in named
    )
