"""Results as varied as hospitals send and a service finds them, each small enough to be validated in seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from service import codes
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.features.table import measure
from service.regions.margin_surface import margin_surface
from service.regions.region import Kind, Region
from service.regions.visibility import visibility
from service.report.result import PhaseUse, Result, TumorResult
from service.study.model import Frame, Instance, Plane, Role
from tests.report.conftest import MARGIN, SHAPE, Sample, ball, enhanced, findings, region, sample, without_regions
from tests.report.measured import GAP, measured
from tests.report.placed import placed, position

SERVICE = Path(__file__).parents[2] / "service"
SIGNAL = {Role.T1_PRE: (110.0, 120.0, 130.0), Role.PORTAL_VENOUS: (90.0, 125.0, 210.0)}  # of tumor, ablated tissue and liver
FEW = ("minimum_margin", "bridging_vessel")  # a validator takes seconds for each finding more
LONG = "A sentence that goes on and on with 'quotes', a backslash \\ and more, so that no short text can hold it all. " * 4
ODD_NAMES: dict[str, tuple[str | list[str], str]] = {
    "latin_1": ("ISO_IR 100", "Müller^Jörg"),
    "latin_2": ("ISO_IR 101", "Wałęsa^Łucja"),
    "cyrillic": ("ISO_IR 144", "Жданов^Юлия"),
    "greek": ("ISO_IR 126", "Διονυσιος"),
    "arabic": ("ISO_IR 127", "قباني^لنزار"),
    "hebrew": ("ISO_IR 138", "שרון^דבורה"),
    "japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "utf_8": ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
}

Vector3 = NDArray[np.float64]


def reason_codes() -> tuple[str, ...]:
    """Every reason that a finding can have: all texts of the form `part.what` in measurements and regions."""
    texts = (path.read_text() for part in ("features", "regions") for path in sorted((SERVICE / part).rglob("*.py")))
    found = {code for text in texts for code in re.findall(r'(?:Reason|Unusable)\(\s*"([a-z_]+\.[a-z_]+)"', text)}
    return tuple(sorted(found))


def cases() -> Mapping[str, Sample]:
    """All cases by name; measured ones hold the true distances of their bodies."""
    return {**_bodies(), **_answers(), **_studies(), **_names()}


def _bodies() -> dict[str, Sample]:
    """What is there to be measured."""
    one, two = _few(sample()), _few(sample(tumors=2))
    liver = region(Kind.LIVER, ball((5, 14, 17), 19.0), "classical 1")
    return {
        "one_tumor": placed(sample(), (position((4, 14, 24)), position((5, 14, 20)))),
        "deep_tumor": placed(_with(one, lambda tumor: replace(tumor, tumor=region(Kind.TUMOR, ball((5.3, 13, 17), 5.0))))),
        "drawn_in_whole_voxels": placed(_with(one, lambda tumor: replace(tumor, tumor=_binary(tumor.tumor)))),
        "two_tumors": placed(two),
        "four_tumors": placed(_alike(one, 4)),
        "no_tumor": sample(tumors=0),
        "with_liver": placed(_of(one, liver=liver)),
        "no_vessels": placed(_of(one, vessels=None)),
        "tumor_without_zone": _with(one, lambda tumor: replace(tumor, zone=None)),
        "zone_without_tumor": _with(one, lambda tumor: replace(tumor, tumor=None)),
        "nothing_but_findings": without_regions(sample()),
        "nothing_but_findings_of_two": without_regions(two),
        "one_of_two_without_contours": _second_bare(placed(two)),
        "axial": turned(one, _about_x(-12.0)),
        "oblique": turned(one, _about_x(25.0) @ _about_z(31.0)),
        "coronal": turned(one, _about_x(78.0)),
        "enhanced": placed(_few(sample(make=enhanced))),
        "enhanced_two_tumors": placed(_few(sample(make=enhanced, tumors=2))),
        "vessels_with_a_gap": measured(tumors=2, gap=GAP),
        "vessel_enhanced": measured(make=enhanced),
    }


def _answers() -> dict[str, Sample]:
    """What can be said of it."""
    one = sample()
    reasons = [_unanswered(code) for code in reason_codes()]
    parts = {f"reasons_{n + 1}": _findings(one, tuple(reasons[n::4])) for n in range(4)}
    return {
        **parts,
        "every_feature": _described(one, (Role.T1_PRE, Role.PORTAL_VENOUS)),
        "without_portal_venous": _differing(
            _described(one, (Role.T1_PRE,)), _described(one, (Role.T1_PRE, Role.PORTAL_VENOUS))
        ),
        "every_feature_without_contours": _described(without_regions(one), (Role.PORTAL_VENOUS,)),
        "nothing_measured": _findings(one, tuple(_refused(finding, Status.NOT_ASSESSABLE) for finding in findings("key"))),
        "nothing_attempted": _findings(one, tuple(_refused(finding, Status.NOT_ATTEMPTED) for finding in findings("key"))),
        "no_finding": _findings(one, ()),
        "numbers": _findings(one, _numbers()),
        "long_texts": _of(_findings(one, _long(findings("key"))), verdict=LONG, warnings=(LONG, "Two\nlines\tand “marks” ≤ 3")),
    }


def _studies() -> dict[str, Sample]:
    """What the study and earlier results say."""
    one = placed(_few(sample()))
    reference, *others = (one.result.reference, *one.result.phases)
    unused = tuple(replace(use, used=use.phase.key == reference.phase.key, note="The slices are too thick.") for use in others)
    return {
        "only_the_reference_phase": _of(one, phases=(reference,)),
        "phases_left_out": _of(one, phases=unused),
        "supersedes_one": _of(one, predecessors=("2.25.11",)),
        "supersedes_two": _of(
            one, predecessors=("2.25.11", "2.25.12"), created_at=datetime(2025, 1, 31, 23, 59, 59, tzinfo=UTC)
        ),
        "time_zone": placed(_few(sample(change=_in_india))),
        "procedure": placed(_few(sample(change=_with_procedure))),
        "anonymous": placed(_few(sample(change=_anonymous))),
        "windowed": placed(_few(sample(change=_windowed))),
        "no_frame_of_reference": placed(_without_frame(_few(sample()))),
    }


def _names() -> dict[str, Sample]:
    """How the patient is called."""
    return {f"name_in_{kind}": _few(sample(change=_called(*stated))) for kind, stated in ODD_NAMES.items()}


def turned(given: Sample, rotation: Vector3) -> Sample:
    """The same study with the patient turned by `rotation` (3, 3) about the origin of LPS; then it is measured."""
    turn = np.eye(4)
    turn[:3, :3] = rotation
    moved: dict[int, Region] = {}

    def region_of(old: Region | None) -> Region | None:
        if old is not None and id(old) not in moved:
            moved[id(old)] = replace(old, mask=replace(old.mask, affine=turn @ old.mask.affine))
        return None if old is None else moved[id(old)]

    tumors = tuple(replace(one, tumor=region_of(one.tumor), zone=region_of(one.zone)) for one in given.result.tumors)
    uses = tuple(_turned_use(use, rotation) for use in given.result.phases)
    reference = next(use for use in uses if use.phase.key == given.result.reference.phase.key)
    result = replace(given.result, tumors=tumors, phases=uses, reference=reference, vessels=region_of(given.result.vessels))
    images = deepcopy(given.sources)
    for image in images:
        (plane,) = (p for use in uses for p in use.phase.planes if p.instance.sop_instance_uid == image.SOPInstanceUID)
        image.ImagePositionPatient = [f"{value:.12f}"[:16] for value in plane.frame.position or ()]
        image.ImageOrientationPatient = [f"{value:.12f}"[:16] for value in plane.frame.orientation or ()]
    return placed(Sample(result, images))


def _turned_use(use: PhaseUse, rotation: Vector3) -> PhaseUse:
    planes = tuple(_turned_plane(plane, rotation) for plane in use.phase.planes)
    return replace(use, phase=replace(use.phase, planes=planes))


def _turned_plane(plane: Plane, rotation: Vector3) -> Plane:
    x, y, z = (rotation @ np.array(plane.frame.position)).tolist()
    along_row, along_column = np.array(plane.frame.orientation).reshape(2, 3) @ rotation.T
    orientation = (*along_row.tolist(), *along_column.tolist())
    frame: Frame = replace(plane.frame, position=(x, y, z), orientation=orientation)
    instance: Instance = replace(plane.instance, frames=(frame,))
    return Plane(instance, frame)


def _about_x(degrees: float) -> Vector3:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _about_z(degrees: float) -> Vector3:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _of(given: Sample, **changes: object) -> Sample:
    result: Result = replace(given.result, **changes)  # type: ignore[arg-type]
    return Sample(result, given.sources)


def _with(given: Sample, change: Callable[[TumorResult], TumorResult]) -> Sample:
    return _of(given, tumors=tuple(change(tumor) for tumor in given.result.tumors))


def _findings(given: Sample, found: tuple[Finding, ...]) -> Sample:
    return _with(given, lambda tumor: replace(tumor, findings=found))


def _few(given: Sample) -> Sample:
    """The same result with fewer findings: a number with a place, and one that could not be had."""
    return _with(given, lambda tumor: replace(tumor, findings=tuple(one for one in tumor.findings if one.name in FEW)))


def _alike(given: Sample, count: int) -> Sample:
    """Small tumors in one zone."""
    (tumor,) = given.result.tumors
    bodies = [region(Kind.TUMOR, ball((5, 14, 10.0 + 5 * n), 3.0)) for n in range(count)]
    tumors = (
        replace(tumor, label=str(n), tracking_id=f"Tumor {n}", tracking_uid=f"2.25.{2000 + n}", tumor=body)
        for n, body in enumerate(bodies, start=1)
    )
    return _of(given, tumors=tuple(tumors))


def _binary(of: Region | None) -> Region | None:
    if of is None:
        return None
    return replace(of, binary=True, mask=of.mask.with_values((of.mask.values > 0.5).astype(np.float32)))


def _second_bare(given: Sample) -> Sample:
    first, second = given.result.tumors
    return _of(given, tumors=(first, replace(second, tumor=None, zone=None, surface=None)), vessels=None)


def _unanswered(code: str) -> Finding:
    """A finding that has this reason."""
    reason = Reason(code, f"It could not be had: {code}.")
    return Finding(code, f"Finding {code}", MARGIN, "method 1", Status.NOT_ASSESSABLE, unit=codes.MM, reason=reason)


def _refused(finding: Finding, status: Status) -> Finding:
    reason = Reason("vessel.no_contour", "Tumor or ablation zone is not known.")
    return replace(finding, status=status, value=None, category=None, interval=None, place=None, reason=reason)


def _numbers() -> tuple[Finding, ...]:
    """Numbers that decimal strings of 16 characters cannot all hold, with every kind of interval."""
    values = (0.0, -0.0, 1e-12, -123456789.123456789, 1 / 3, 2.0000000001, 99.999999999999)
    ends = ((float("-inf"), 1.0), (0.0, float("inf")), (float("-inf"), float("inf")), None)
    return tuple(
        Finding(
            f"number_{n}", f"Number {n}", MARGIN, "method 1", Status.MEASURED,
            value=value, unit=codes.MM, interval=ends[n % len(ends)],
        )
        for n, value in enumerate(values)
    )  # fmt: skip


def _long(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(
        replace(one, note=LONG, title=LONG[:60], reason=one.reason and replace(one.reason, sentence=LONG)) for one in found
    )


def _differing(given: Sample, other: Sample) -> Sample:
    """With the findings alone whose answer is another kind of answer than in `other`."""

    def kind(finding: Finding) -> tuple[str, Status, str, bool]:
        return finding.name, finding.status, finding.reason.code if finding.reason else "", finding.value is None

    known = {kind(finding) for tumor in other.result.tumors for finding in tumor.findings}
    return _with(given, lambda tumor: replace(tumor, findings=tuple(one for one in tumor.findings if kind(one) not in known)))


def _described(given: Sample, roles: tuple[Role, ...]) -> Sample:
    """The findings that the measurements themselves give on images of three tissues."""
    return _with(given, lambda tumor: _measured(tumor, given.result, roles))


def _measured(tumor: TumorResult, result: Result, roles: tuple[Role, ...]) -> TumorResult:
    case = Case(tumor.label, roles[-1], {}, {}, tumor.tumor, tumor.zone, None, result.vessels)
    if tumor.tumor is None or tumor.zone is None:
        return replace(tumor, findings=measure(replace(case, missing={"margin": "No contours were found."})))
    inner, outer = tumor.tumor.mask.values, np.maximum(tumor.tumor.mask.values, tumor.zone.mask.values)
    noise = np.random.default_rng(1).normal(0.0, 2.0, SHAPE)
    parts = np.stack([inner, outer - inner, 1.0 - outer], axis=-1)
    phases = {role: tumor.tumor.mask.with_values((parts @ SIGNAL[role] + noise).astype(np.float32)) for role in roles}
    surface = margin_surface(tumor.tumor, tumor.zone, None)
    seen = visibility(surface, tumor.tumor, tumor.zone, {role.value: phase for role, phase in phases.items()})
    case = replace(case, phases=phases, surface=surface, visibility=seen, phase_keys={role: f"1.2.{role}" for role in roles})
    return replace(tumor, findings=measure(case), surface=surface, visibility=seen)


def _without_frame(given: Sample) -> Sample:
    """Images that say nothing of a frame of reference."""

    def bare(use: PhaseUse) -> PhaseUse:
        planes = (replace(p, instance=replace(p.instance, frame_of_reference_uid="")) for p in use.phase.planes)
        return replace(use, phase=replace(use.phase, planes=tuple(planes)))

    uses = tuple(bare(use) for use in given.result.phases)
    reference = next(use for use in uses if use.phase.key == given.result.reference.phase.key)
    return _of(given, phases=uses, reference=reference)


def _called(character_set: str | list[str], name: str) -> Callable[[Dataset], None]:
    def change(image: Dataset) -> None:
        image.SpecificCharacterSet, image.PatientName = character_set, name

    return change


def _in_india(image: Dataset) -> None:
    image.TimezoneOffsetFromUTC = "+0530"


def _with_procedure(image: Dataset) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "24556-0", "LN", "MR Abdomen WO and W contrast IV"
    image.ProcedureCodeSequence = [item]


def _anonymous(image: Dataset) -> None:
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex", "StudyTime", "StudyID", "AccessionNumber"):
        setattr(image, keyword, None)
    image.PatientID, image.ReferringPhysicianName, image.PatientIdentityRemoved = "X1", None, "YES"
    image.DeidentificationMethod = "cleaned by hand"
    del image.SpecificCharacterSet


def _windowed(image: Dataset) -> None:
    image.WindowCenter, image.WindowWidth = ["300", "40"], ["600", "80"]
    image.RescaleIntercept, image.RescaleSlope, image.RescaleType = "0", "2", "US"
