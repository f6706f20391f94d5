"""Which T1 phase is which: ordered by time around the injection; what the description says is a hint.

Windows are seconds after the first phase with contrast, which is the arterial one in every liver protocol; they are our
assumptions, wide enough for 1.5 and 3 T protocols of all vendors.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.study.model import Phase, Role
from service.study.timeline import times_of
from service.study.weighting import described

TIME, HINT, RANK, AGENT, ASSUMED = 0.40, 0.25, 0.10, 0.40, 0.20  # points; two witnesses beat one hint
SAID = 0.50  # the scanner's own word for the phase
SOONEST = 15.0  # seconds from the injection; nothing has reached the liver before
_WINDOWS = ((20.0, Role.ARTERIAL), (90.0, Role.PORTAL_VENOUS), (900.0, Role.DELAYED), (float("inf"), Role.HEPATOBILIARY))
_LIVER_AGENTS = re.compile(r"primovist|eovist|gadox|multihance|gadoben|gd.?eob|hepatobil", re.IGNORECASE)

_HINTS: tuple[tuple[Role, str], ...] = (
    (Role.HEPATOBILIARY, r" (hepatobiliary|hbp|hb|20 ?min|15 ?min|hepatobiliär) "),
    (Role.ARTERIAL, r" (arterial|art|late arterial|hap|arteriell) "),
    (Role.PORTAL_VENOUS, r" (portal|portalvenous|portovenous|pv|pvp|venous|portalvenös|venös|60 ?s|70 ?s) "),
    (Role.DELAYED, r" (delayed|delay|late|equilibrium|equil|transitional|interstitial|spät|3 ?min|5 ?min|10 ?min) "),
    (Role.T1_PRE, r" (pre|precontrast|pre ?contrast|before contrast|unenhanced|non ?contrast|native|nativ|without|plain|w o) "),
)


@dataclass(frozen=True, slots=True)
class Timed:
    """A T1 phase with what orders it: when, the agent ("" where none was in), what its name hints and its header says.

    `place` is where it stands in the study.
    """

    phase: Phase
    place: int
    at: datetime | None
    agent: str
    hint: Role | None
    said: Role | None

    @property
    def since_injection(self) -> float | None:
        """Seconds from the start of the injection, where the header knows it."""
        begun = self.phase.first.acquisition.contrast_at
        return None if begun is None or self.at is None else (self.at - begun).total_seconds()


@dataclass(frozen=True, slots=True)
class RoleVote:
    """Points for a role, and what they rest on."""

    role: Role
    points: float
    reason: str


@dataclass(frozen=True, slots=True)
class Boundary:
    """How many of the T1 phases come before contrast, and whether anything but their number says so."""

    before: int
    told: bool


def contrast_votes(phases: Sequence[Phase]) -> dict[str, tuple[RoleVote, ...]]:
    """The evidence for the contrast role of each T1 phase of a study, by phase key."""
    series = Counter(phase.series_instance_uid for phase in phases)
    at = times_of(phases)
    timed = sorted(
        (
            _timed(phase, place, at[phase.key], alone=series[phase.series_instance_uid] == 1)
            for place, phase in enumerate(phases)
        ),
        key=_order,
    )
    boundary = _boundary(timed)
    if not boundary.told:
        timed = _one_recipe(timed)
        boundary = _boundary(timed)
    before, after = timed[: boundary.before], timed[boundary.before :]
    votes: dict[str, list[RoleVote]] = defaultdict(list)
    for item in timed:
        votes[item.phase.key].extend((*_hint_votes(item), *_said_votes(item)))
    for item in before:
        votes[item.phase.key].extend(_votes_before(item, timed, after))
    for rank, item in enumerate(after):
        votes[item.phase.key].extend(_votes_after(item, after, rank, told=boundary.told))
    return {key: tuple(found) for key, found in votes.items()}


def _one_recipe(timed: list[Timed]) -> list[Timed]:
    """Where only their number tells, those made like most: a localizer before them would shift every one."""
    recipe, count = Counter(map(_recipe, timed)).most_common(1)[0] if timed else (None, 0)
    return [item for item in timed if _recipe(item) == recipe] if count >= 3 else timed


def _timed(phase: Phase, place: int, at: datetime | None, *, alone: bool) -> Timed:
    """A description that several phases share hints at nothing."""
    frame = phase.planes[0].frame
    agent = "" if frame.contrast_given is False else phase.first.acquisition.contrast_agent
    return Timed(phase, place, at, agent, _hint(phase) if alone else None, _SAID.get(frame.contrast_phase))


# Defined terms of Contrast/Bolus Agent Phase (0018,9344), PS3.3 C.7.6.16.2.
_SAID = {
    "PRE_CONTRAST": Role.T1_PRE,
    "ARTERIAL": Role.ARTERIAL,
    "PORTAL_VENOUS": Role.PORTAL_VENOUS,
    "VENOUS": Role.PORTAL_VENOUS,
    "DELAYED": Role.DELAYED,
}


def _hint(phase: Phase) -> Role | None:
    """The one role that the description speaks of; None where it names several ("pre + art + pv")."""
    words = described(phase)
    found = [role for role, pattern in _HINTS if re.search(pattern, words)]
    if found == [Role.ARTERIAL, Role.DELAYED] and " late art" in words:
        return Role.ARTERIAL
    return found[0] if len(found) == 1 else None


def _order(item: Timed) -> tuple[str, int, int]:
    """By the clock; without one by series number and place in the study."""
    return item.at.isoformat() if item.at else "", item.phase.first.series_number or 0, item.place


def _boundary(timed: Sequence[Timed]) -> Boundary:
    """Where contrast begins.

    Told by frames that say it, by the time of the injection, by the agent where only some phases name one, or by names; else
    one phase of three (four, where all name an agent) is taken to be before: the weakest evidence, and scored so.
    """
    given = [item.phase.planes[0].frame.contrast_given for item in timed]
    injected = [(item.since_injection or 0.0) >= SOONEST for item in timed]
    agents = [bool(item.agent) for item in timed]
    for told in (given, injected, agents):
        if True in told and False in told:
            return Boundary(told.index(True), told=True)
    named = _named_boundary([item.hint for item in timed])
    if named is not None:
        return Boundary(named, told=True)
    if all(agents):
        return Boundary(1 if len(timed) >= 4 else 0, told=False)
    return Boundary(2 if len(timed) == 2 else 1, told=False)


def _named_boundary(hints: Sequence[Role | None]) -> int | None:
    """How many phases come before contrast by their names; None where these do not say."""
    enhanced = [hint not in {None, Role.T1_PRE} for hint in hints]
    if any(enhanced):
        return enhanced.index(True)
    return len(hints) - hints[::-1].index(Role.T1_PRE) if Role.T1_PRE in hints else None


def _hint_votes(item: Timed) -> list[RoleVote]:
    if item.hint is None:
        return []
    return [RoleVote(item.hint, HINT, f"its description hints at {item.hint.replace('_', ' ')}")]


def _said_votes(item: Timed) -> list[RoleVote]:
    if item.said is None:
        return []
    return [RoleVote(item.said, SAID, f"its header says {item.said.replace('_', ' ')}")]


def _votes_before(item: Timed, timed: Sequence[Timed], after: Sequence[Timed]) -> list[RoleVote]:
    first = _ranked(Role.T1_PRE, "first")
    if item.since_injection is not None and any((other.since_injection or 0.0) >= SOONEST for other in timed):
        return [RoleVote(Role.T1_PRE, AGENT, "made before the injection"), first]
    if any(other.agent for other in timed) and not item.agent:
        if _made_alike(item, timed, after):
            return [RoleVote(Role.T1_PRE, AGENT, "no contrast agent yet, the later phases name one"), first]
        return [RoleVote(Role.T1_PRE, ASSUMED, "no contrast agent yet, but made otherwise than the phases that name one")]
    if len(timed) < 3:
        return [RoleVote(Role.T1_PRE, ASSUMED / 2, "nothing speaks of contrast"), first]
    return [RoleVote(Role.T1_PRE, ASSUMED, "the first of the T1 phases; none says when contrast was given"), first]


def _made_alike(item: Timed, timed: Sequence[Timed], after: Sequence[Timed]) -> bool:
    """Whether an image before contrast is the one to compare with: made like most after it, or none is."""
    usual = Counter(map(_recipe, after)).most_common(1)
    alike = {_recipe(other) for other in timed if other not in after}
    return not usual or usual[0][0] not in alike or _recipe(item) == usual[0][0]


def _recipe(item: Timed) -> tuple[int, int, str]:
    """Times, coarsely, and dimension: the phases of one dynamic series share them."""
    made, echo = item.phase.first.acquisition, item.phase.planes[0].frame.echo_time
    return round((made.repetition_time or 0.0) / 2), round(echo or 0.0), made.acquisition_type


def _votes_after(item: Timed, after: Sequence[Timed], rank: int, *, told: bool) -> list[RoleVote]:
    order = (Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED)
    ranked = [_ranked(order[min(rank, 2)], f"number {rank + 1} after contrast")] if len(after) > 1 else []
    start = _arterial_start(after)
    if item.at is None or start is None or len(after) < 2:
        return ranked
    seconds = (item.at - start).total_seconds()
    role = _window(seconds, item.agent + described(item.phase))
    points = TIME if told else TIME / 2
    return [RoleVote(role, points, f"{seconds:.0f} s after the first phase with contrast"), *ranked]


def _ranked(role: Role, place: str) -> RoleVote:
    return RoleVote(role, RANK, f"{place} in time")


def _arterial_start(after: Sequence[Timed]) -> datetime | None:
    """When the arterial phase began: the one that says so, else the first with contrast."""
    named = [item.at for item in after if item.hint is Role.ARTERIAL and item.at is not None]
    known = [item.at for item in after if item.at is not None]
    return min(named or known, default=None)


def _window(seconds: float, agent: str) -> Role:
    role = next(role for limit, role in _WINDOWS if seconds < limit)
    if role is Role.HEPATOBILIARY and not _LIVER_AGENTS.search(agent):
        return Role.DELAYED
    return role


def most_common_grid(phases: Sequence[Phase]) -> tuple[int, int, int] | None:
    """Slices, rows and columns that most of these phases share; None when there are none."""
    shapes = Counter((len(phase.planes), phase.first.rows, phase.first.columns) for phase in phases)
    return max(shapes, key=lambda shape: (shapes[shape], shape)) if shapes else None
