"""What each phase is for, with a score and the reasons; only a role that stands on enough evidence is given."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from service.options import RoleRule
from service.study.contrast import RoleVote, contrast_votes, most_common_grid
from service.study.model import Phase, Role, RoleGuess, Study
from service.study.overrule import overruled
from service.study.timeline import phase_time
from service.study.weighting import Kind, Vote, described, kind_votes

ENOUGH = 0.5  # a phase with less is UNKNOWN
ELSEWHERE = 0.3  # factor of the score where another part of the body is named
ODD_GRID = 0.9  # factor for a T1 phase that most others cannot be laid over
OTHER_CONTRAST = 0.8  # factor where evidence contradicts

_ROLES = {
    Kind.T2: Role.T2,
    Kind.DWI: Role.DWI,
    Kind.ADC: Role.ADC,
    Kind.SUBTRACTION: Role.SUBTRACTION,
    Kind.IN_PHASE: Role.IN_PHASE,
    Kind.OPPOSED_PHASE: Role.OPPOSED_PHASE,
    Kind.LOCALIZER: Role.LOCALIZER,
    Kind.OTHER: Role.OTHER,
}
_USELESS = frozenset({Role.OTHER, Role.LOCALIZER, Role.UNKNOWN})
_LIVER = re.compile(r"liver|leber|abdom|oberbauch|foie|hepat|hígado|fegato|upper ?abd")
_ELSEWHERE = re.compile(
    r"brain|head|hirn|kopf|skull|neck|cervi|spine|lumbar|thorac|knee|shoulder|hip\b|ankle|foot|hand|wrist|elbow|breast|mamma|"
    r"prostat|heart|cardiac|cerv|pelvi|uter|rectum|femur|extremity|pituitar|orbit"
)


def assign_roles(study: Study, rules: Iterable[RoleRule] = ()) -> dict[str, RoleGuess]:
    """The role of every phase, by `Phase.key`; what people said in `rules` goes before the evidence.

    A score of at least 0.5 stands on more than a description's hint alone; less is UNKNOWN. Order of phases in the study
    does not matter, their times do.
    """
    votes = {phase.key: kind_votes(phase, _company(phase, study.phases)) for phase in study.phases}
    kinds = {key: _kind(found) for key, found in votes.items()}
    t1 = [phase for phase in study.phases if kinds[phase.key] is Kind.T1]
    contrast = contrast_votes([phase for phase in t1 if not _is_elsewhere(phase)] or t1)
    grid = most_common_grid(t1)
    guesses = {
        phase.key: _guess(phase, votes[phase.key], contrast.get(phase.key, ()), odd=_shape(phase) != grid)
        for phase in study.phases
    }
    return overruled(study, guesses, rules)


def _company(phase: Phase, phases: Sequence[Phase]) -> list[Phase]:
    """The phases of its series, and those that the same scan gave (scanners keep two echoes in two series)."""
    at, tr = phase_time(phase), phase.first.acquisition.repetition_time
    return [
        other
        for other in phases
        if other.series_instance_uid == phase.series_instance_uid
        or (at is not None and phase_time(other) == at and other.first.acquisition.repetition_time == tr)
    ]


def _shape(phase: Phase) -> tuple[int, int, int]:
    return len(phase.planes), phase.first.rows, phase.first.columns


def _kind(votes: Sequence[Vote]) -> Kind | None:
    points = _points(votes)
    return max(points, key=lambda kind: points[kind]) if points else None


def _points(votes: Iterable[Vote]) -> dict[Kind, float]:
    points: dict[Kind, float] = defaultdict(float)
    for vote in votes:
        points[vote.kind] += vote.points
    return points


def _guess(phase: Phase, votes: Sequence[Vote], contrast: Sequence[RoleVote], *, odd: bool) -> RoleGuess:
    kind = _kind(votes)
    if kind is None:
        return RoleGuess(Role.UNKNOWN, 0.0, ("nothing tells what kind of image it is",))
    certainty = _certainty(votes, kind)
    reasons = [vote.reason for vote in votes if vote.kind is kind]
    role, score = _ROLES.get(kind, Role.UNKNOWN), certainty
    if kind is Kind.T1:
        role, score, more = _contrast_role(certainty, contrast)
        reasons += more
        score *= ODD_GRID if odd else 1.0
    return _judged(phase, role, score, reasons)


def _certainty(votes: Sequence[Vote], kind: Kind) -> float:
    """Points for the kind, at most 1, less where others speak against it."""
    points = _points(votes)
    against = any(other is not kind for other in points)
    return min(1.0, points[kind]) * (OTHER_CONTRAST if against else 1.0)


def _contrast_role(certainty: float, votes: Sequence[RoleVote]) -> tuple[Role, float, list[str]]:
    """The role with most points; a T1 image without any is not placed in time."""
    points: dict[Role, float] = defaultdict(float)
    for vote in votes:
        points[vote.role] += vote.points
    if not points:
        return Role.UNKNOWN, 0.0, ["nothing places it before or after contrast"]
    role = max(points, key=lambda role: points[role])
    reasons = [vote.reason if vote.role is role else f"although {vote.reason}" for vote in votes]
    return role, 0.35 * certainty + min(0.65, points[role]), reasons


def _judged(phase: Phase, role: Role, score: float, reasons: list[str]) -> RoleGuess:
    """The role after looking where in the body it was made; UNKNOWN when too little is left."""
    place = f"{phase.first.body_part.lower()} {described(phase)}"
    found = _ELSEWHERE.search(place)
    if _is_elsewhere(phase) and found and role not in _USELESS:
        score *= ELSEWHERE
        reasons.append(f"it names another part of the body ({found.group().strip()})")
    kept = role if score >= ENOUGH else Role.UNKNOWN
    if kept is not role:
        reasons.append(f"too little evidence for {role.replace('_', ' ')}")
    return RoleGuess(kept, round(min(1.0, score), 2), tuple(reasons))


def _is_elsewhere(phase: Phase) -> bool:
    """Whether body part or names speak of another region and not of the liver too."""
    place = f"{phase.first.body_part.lower()} {described(phase)}"
    return bool(_ELSEWHERE.search(place)) and not _LIVER.search(place)
