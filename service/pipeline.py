"""The journey on one page: planes of a study in, the result record out. No I/O, no clock.

analyse = build volumes -> align phases -> segment -> measure -> result
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from service.errors import Unusable
from service.features.case import Case
from service.features.table import measure
from service.options import AnalysisOptions, ExamRule
from service.regions.agreement import disagreement
from service.regions.coverage import liver_left_out
from service.regions.drawn_on import images_of
from service.regions.joined import pairs_of, said_of_zones
from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import DIFFUSION, Drawing, Exam, Kind, Regions
from service.regions.table import Segmenter, segment_all
from service.regions.visibility import Visibility, visibility
from service.report.result import PhaseUse, Result, Software, TumorResult
from service.report.tracking import CONTINUED, is_continued, tracking_uids
from service.report.verdict import verdict
from service.study.coverage import missing_slices
from service.study.identity import Compared
from service.study.model import Phase, Role, RoleGuess, Study, Vector
from service.study.timeline import Interval, exam_of
from service.volumes.align import Aligned, align
from service.volumes.brightening import contradictions
from service.volumes.build import PixelPlane, SliceQuality, build_volume, slice_quality
from service.volumes.volume import Volume

Progress = Callable[[str, int], None]

# In which phase contours and margin are seen best; the first that is there is the grid of everything.
REFERENCES = (Role.PORTAL_VENOUS, Role.DELAYED, Role.HEPATOBILIARY, Role.ARTERIAL, Role.T1_PRE, Role.T2)
AFTER_CONTRAST = frozenset({Role.PORTAL_VENOUS, Role.DELAYED, Role.HEPATOBILIARY, Role.ARTERIAL})
MEASURED_ON = frozenset(REFERENCES) | DIFFUSION
AT_ONCE = 2  # phases that are aligned beside each other: each needs memory for its blocks


@dataclass(frozen=True, slots=True, eq=False)
class ReadStudy:
    """A study with the pixels of its phases (by `Phase.key`) and what the job says about it.

    `compared` is what became of the patient's earlier exams. `undecoded` says why the pixels of a phase
    are not there, `left_out` what else of the study could not be used (sentences).
    """

    study: Study
    roles: Mapping[str, RoleGuess]
    planes: Mapping[str, tuple[PixelPlane, ...]]
    drawings: tuple[Drawing, ...]
    content_version: str
    created_at: datetime
    software: Software
    predecessors: tuple[str, ...] = ()
    compared: Compared = field(default_factory=Compared)
    procedure_at: datetime | None = None
    exams: tuple[ExamRule, ...] = ()
    seeds: tuple[Vector, ...] = ()
    undecoded: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def analyse(
    read: ReadStudy,
    options: AnalysisOptions,
    progress: Progress = lambda _stage, _percent: None,
    network: Segmenter | None = None,
) -> Result:
    """Everything that one study says about its ablation margins.

    Raises:
        Unusable: The study is no post-ablation liver exam, or no phase of it has a geometry that can be trusted; code and
            sentence say which. What can be measured in part gives a result whose findings carry their reasons.
    """
    uses = choose_phases(read)
    progress("volumes", 5)
    volumes, uses = _volumes(read, uses)
    progress("align", 20)
    exam, uses = _exam(read, volumes, uses)
    progress("segment", 45)
    regions = segment_all(exam.sharp, options.segmenters, [(key, Kind(kind)) for key, kind in options.labels], network)
    progress("measure", 75)
    return _result(read, exam, regions, uses)


def choose_phases(read: ReadStudy) -> tuple[PhaseUse, ...]:
    """Every phase with its role; of several with one role the preferred one is used, the earliest of equals."""
    guesses = [(phase, read.roles[phase.key]) for phase in read.study.phases]
    best: dict[Role, str] = {}
    for phase, guess in sorted(guesses, key=_preference):
        if guess.role in MEASURED_ON:
            best.setdefault(guess.role, phase.key)
    return tuple(_use(phase, guess, best) for phase, guess in guesses)


def _preference(pair: tuple[Phase, RoleGuess]) -> tuple[bool, float, float]:
    """Smaller is better: what a person told, of diffusion-weighted phases the strongest weighting, else the surest."""
    phase, guess = pair
    weighting = phase.b_value or 0.0 if guess.role is Role.DWI else 0.0
    return not guess.told, -weighting, -guess.score


def _use(phase: Phase, guess: RoleGuess, best: Mapping[Role, str]) -> PhaseUse:
    used = best.get(guess.role) == phase.key
    note = "" if used or guess.role not in MEASURED_ON else "Another series of the same role is more certain."
    return PhaseUse(phase, guess.role, guess.score, guess.reasons, used, note)


def _volumes(read: ReadStudy, uses: tuple[PhaseUse, ...]) -> tuple[dict[Role, Volume], tuple[PhaseUse, ...]]:
    """The volume of each phase in use; one with a faulty geometry is left out and its note says why."""
    short = {shortfall.phase_key: shortfall.sentence for shortfall in missing_slices(use.phase for use in uses if use.used)}
    volumes: dict[Role, Volume] = {}
    noted: list[PhaseUse] = []
    for use in uses:
        fault = short.get(use.phase.key, "") if use.used else use.note
        if use.used and not fault:
            try:
                volumes[use.role] = _volume(read, use.phase)
            except Unusable as refusal:
                fault = refusal.sentence
        noted.append(replace(use, used=use.role in volumes and use.used and not fault, note=fault))
    return volumes, tuple(noted)


def _volume(read: ReadStudy, phase: Phase) -> Volume:
    if phase.key not in read.planes:
        raise Unusable("pixels.unreadable", read.undecoded.get(phase.key, "The pixels of this series were not read."))
    volume = build_volume(read.planes[phase.key], phase.first.frame_of_reference_uid)
    quality, sentence = slice_quality(volume)
    if quality is SliceQuality.TOO_THICK and read.roles[phase.key].role in AFTER_CONTRAST:
        raise Unusable("geometry.too_thick", sentence)
    return volume


def _reference(volumes: Mapping[Role, Volume], uses: tuple[PhaseUse, ...], *, drawn: bool) -> Role:
    """The role whose grid everything is brought to.

    Raises:
        Unusable: There is nothing to measure on.
    """
    if not drawn and not AFTER_CONTRAST & volumes.keys():
        refused = [use.note for use in uses if use.role in AFTER_CONTRAST and use.note]
        if refused:
            raise Unusable("exam.no_usable_phase", f"No series after contrast can be used: {refused[0]}")
        raise Unusable(
            "exam.not_postablation_liver",
            "This is not a post-ablation liver exam: no T1-weighted series of the liver after contrast was recognised. "
            + _recognised(uses),
        )
    here = [role for role in REFERENCES if role in volumes]
    graded = {role: slice_quality(volumes[role]) for role in here}
    for role in here:
        if graded[role][0] is not SliceQuality.TOO_THICK:
            return role
    fault = graded[here[0]][1] if here else _recognised(uses)
    raise Unusable("exam.no_usable_phase", f"No series can be used: {fault}")


def _exam(read: ReadStudy, volumes: Mapping[Role, Volume], uses: tuple[PhaseUse, ...]) -> tuple[Exam, tuple[PhaseUse, ...]]:
    """The phases on one grid, without those whose brightness contradicts their role; what a person said is kept and noted."""
    reference = _reference(volumes, uses, drawn=bool(read.drawings))
    aligned, noted = _aligned(volumes, reference, uses)
    phases = {reference: volumes[reference], **{role: one.volume for role, one in aligned.items()}}
    said = {role: found.sentence for found in contradictions(phases) for role in found.roles}
    noted = tuple(replace(use, note=said[use.role]) if use.used and use.role in said else use for use in noted)
    doubted = {use.role for use in noted if use.used and use.role in said and not read.roles[use.phase.key].told}
    if not doubted:
        keys = {use.role: use.phase.key for use in uses if use.used}
        offsets = {keys[reference]: 0.0, **{keys[role]: one.off for role, one in aligned.items()}}
        residuals, images = {role: one.residual for role, one in aligned.items()}, images_of(use.phase for use in uses)
        return Exam(reference, phases, residuals, read.drawings, read.seeds, images, offsets), noted
    left = tuple(replace(use, used=use.used and use.role not in doubted) for use in noted)
    return _exam(read, {role: volume for role, volume in volumes.items() if role not in doubted}, left)


def _recognised(uses: tuple[PhaseUse, ...]) -> str:
    if not uses:
        return "The study holds no MR images."
    named = sorted({f"{use.phase.first.series_description or 'unnamed series'} as {use.role}" for use in uses})
    return f"Series: {', '.join(named)}."


def _aligned(
    volumes: Mapping[Role, Volume], reference: Role, uses: tuple[PhaseUse, ...]
) -> tuple[dict[Role, Aligned], tuple[PhaseUse, ...]]:
    """The other phases on the grid of the reference; one that does not fit is left out and its note says why."""
    fixed = volumes[reference]
    others = {role: volume for role, volume in volumes.items() if role is not reference}
    with ThreadPoolExecutor(AT_ONCE) as threads:
        fitted = dict(zip(others, threads.map(lambda volume: _fitted(fixed, volume), others.values()), strict=True))
    aligned = {role: found for role, found in fitted.items() if isinstance(found, Aligned)}
    faults = {role: found.sentence for role, found in fitted.items() if isinstance(found, Unusable)}
    return aligned, tuple(
        replace(use, used=False, note=faults[use.role]) if use.used and use.role in faults else use for use in uses
    )


def _fitted(reference: Volume, moving: Volume) -> Aligned | Unusable:
    """The phase on the grid of the reference, or why it is left out."""
    try:
        return align(reference, moving)
    except Unusable as refusal:
        return refusal


def _result(read: ReadStudy, exam: Exam, regions: Regions, uses: tuple[PhaseUse, ...]) -> Result:
    cases = _cases(exam, regions, uses, exam_of(read.study, read.procedure_at, read.exams))
    drawn = [case.tumor.tracking_uid if case.tumor is not None else "" for case in cases]
    tracked = tracking_uids(read.study.study_instance_uid, [case.label for case in cases], drawn, read.compared.tumors)
    tumors = tuple(_tumor_result(case, uid) for case, uid in zip(cases, tracked, strict=True))
    reference = next(use for use in uses if use.used and use.role is exam.reference)
    return Result(
        study_instance_uid=read.study.study_instance_uid,
        content_version=read.content_version,
        created_at=read.created_at,
        software=read.software,
        verdict=verdict(tumors),
        reference=reference,
        phases=uses,
        tumors=tumors,
        liver=regions.liver,
        vessels=regions.vessels,
        warnings=_warnings(read, exam, regions, uses, tumors)
        + ((CONTINUED,) if is_continued(drawn, read.compared.tumors) else ())
        + read.compared.sentences,
        predecessors=read.predecessors,
        not_followed=read.compared.sentences,
        image=exam.phases[exam.reference],
    )


def _cases(exam: Exam, regions: Regions, uses: tuple[PhaseUse, ...], when: Interval) -> tuple[Case, ...]:
    """One case a tumor, and one for each zone in which no tumor is known."""
    keys = {use.role: use.phase.key for use in uses if use.used}
    missing = {kind.value: reason for kind, reason in (regions.reasons or {}).items()}
    missing |= {"exam": when.sentence} if when.too_early else {}
    missing |= {use.role.value: use.note for use in uses if not use.used and use.note and use.role not in exam.phases}
    return tuple(
        _seen(
            Case(
                label=str(number),
                reference=exam.reference,
                phases=exam.phases,
                residuals=exam.residuals,
                tumor=tumor,
                zone=zone,
                liver=regions.liver,
                vessels=regions.vessels,
                gallbladder=regions.gallbladder,
                phase_keys=keys,
                missing=missing,
            )
        )
        for number, (tumor, zone) in enumerate(pairs_of(regions.tumors, regions.zones), start=1)
    )


def _seen(case: Case) -> Case:
    """The case with its margin surface and what of it can be seen, or with the reason why there is none."""
    if case.zone is None:
        sentence = "The tumor lies in no ablation zone: it was not treated, or the contours do not belong together."
        return replace(case, missing={**case.missing, "margin": sentence, "ablation_zone": sentence})
    if case.tumor is None:
        sentence = case.missing.get("tumor", "No tumor is known in this ablation zone.")
        return replace(case, missing={**case.missing, "margin": sentence, "tumor": sentence})
    contradiction = case.missing.get("exam", "")
    if not contradiction and case.reference in AFTER_CONTRAST:
        contradiction = disagreement(case.tumor, case.zone, case.liver, case.uptake)
    if contradiction:
        return replace(case, missing={**case.missing, "margin": contradiction, "contours": contradiction})
    left_out = liver_left_out(case.liver, case.zone, case.phases[case.reference]) if case.liver else None
    try:
        surface: MarginSurface = margin_surface(case.tumor, case.zone, case.liver, left_out)
    except Unusable as fault:
        return replace(case, missing={**case.missing, "margin": fault.sentence})
    named = {role.value: volume for role, volume in case.phases.items() if role not in DIFFUSION}
    seen: Visibility = visibility(surface, case.tumor, case.zone, named, case.liver)
    return replace(case, surface=surface, visibility=seen)


def _tumor_result(case: Case, uid: str) -> TumorResult:
    return TumorResult(
        case.label, f"Tumor {case.label}", uid, measure(case), case.tumor, case.zone, case.surface, case.visibility
    )


def _warnings(
    read: ReadStudy, exam: Exam, regions: Regions, uses: tuple[PhaseUse, ...], tumors: tuple[TumorResult, ...]
) -> tuple[str, ...]:
    """What a reader of the result must know beside the findings."""
    said = [exam_of(read.study, read.procedure_at, read.exams).sentence]
    quality, sentence = slice_quality(exam.phases[exam.reference])
    if quality is not SliceQuality.GOOD:
        said.append(sentence)
    said += [f"{use.role.value.replace('_', ' ')}: {use.note}" for use in uses if use.note]
    said += [*read.left_out, *regions.notes]
    said += said_of_zones([(tumor.tracking_id, tumor.zone) for tumor in tumors])
    if exam.reference is not Role.PORTAL_VENOUS:
        said.append(f"Measured on the {exam.reference.value.replace('_', ' ')} phase: no portal-venous phase can be used.")
    if regions.liver is None:
        said.append("Capsule not modelled: no liver contour.")
    said.append("New lesions: not evaluated.")
    return tuple(dict.fromkeys(said))
