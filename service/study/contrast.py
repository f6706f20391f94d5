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
from service.study.timeline import phase_time
from service.study.weighting import described

TIME, HINT, RANK, AGENT, ASSUMED = 0.40, 0.25, 0.10, 0.40, 0.20  # points; two witnesses beat one hint
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
    """A T1 phase with what orders it: when, whether contrast was given (None: not said), and what its name hints."""

    phase: Phase
    at: datetime | None
    agent: str
    hint: Role | None


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
    timed = sorted((_timed(phase, alone=series[phase.series_instance_uid] == 1) for phase in phases), key=_order)
    boundary = _boundary(timed)
    before, after = timed[: boundary.before], timed[boundary.before :]
    votes: dict[str, list[RoleVote]] = defaultdict(list)
    for item in timed:
        votes[item.phase.key].extend(_hint_votes(item))
    for item in before:
        votes[item.phase.key].extend(_votes_before(item, timed))
    for rank, item in enumerate(after):
        votes[item.phase.key].extend(_votes_after(item, after, rank, told=boundary.told))
    return {key: tuple(found) for key, found in votes.items()}


def _timed(phase: Phase, *, alone: bool) -> Timed:
    """A description that several phases share hints at nothing."""
    return Timed(phase, phase_time(phase), phase.first.acquisition.contrast_agent, _hint(phase) if alone else None)


def _hint(phase: Phase) -> Role | None:
    """The one role that the description speaks of; None where it names several ("pre + art + pv")."""
    words = described(phase)
    found = [role for role, pattern in _HINTS if re.search(pattern, words)]
    if found == [Role.ARTERIAL, Role.DELAYED] and " late art" in words:
        return Role.ARTERIAL
    return found[0] if len(found) == 1 else None


def _order(item: Timed) -> tuple[str, int, str]:
    """By the clock; without one by series number."""
    return item.at.isoformat() if item.at else "", item.phase.first.series_number or 0, item.phase.key


def _boundary(timed: Sequence[Timed]) -> Boundary:
    """Where contrast begins.

    Told by the agent where only some phases name one, else by names; else one phase of three (four, where all name an
    agent) is taken to be before: the weakest evidence, and scored so.
    """
    agents = [bool(item.agent) for item in timed]
    if any(agents) and not all(agents):
        return Boundary(agents.index(True), told=True)
    hints = [item.hint for item in timed]
    enhanced = [hint not in {None, Role.T1_PRE} for hint in hints]
    if any(enhanced):
        return Boundary(enhanced.index(True), told=True)
    if Role.T1_PRE in hints:
        return Boundary(len(hints) - hints[::-1].index(Role.T1_PRE), told=True)
    if all(agents):
        return Boundary(1 if len(timed) >= 4 else 0, told=False)
    return Boundary(2 if len(timed) == 2 else 1, told=False)


def _hint_votes(item: Timed) -> list[RoleVote]:
    if item.hint is None:
        return []
    return [RoleVote(item.hint, HINT, f"its description hints at {item.hint.replace('_', ' ')}")]


def _votes_before(item: Timed, timed: Sequence[Timed]) -> list[RoleVote]:
    agents_elsewhere = any(other.agent for other in timed)
    if agents_elsewhere and not item.agent:
        return [RoleVote(Role.T1_PRE, AGENT, "no contrast agent yet, the later phases name one"), _ranked(Role.T1_PRE, "first")]
    if len(timed) < 3:
        return [RoleVote(Role.T1_PRE, ASSUMED / 2, "nothing speaks of contrast"), _ranked(Role.T1_PRE, "first")]
    said = "the first of the T1 phases; none says when contrast was given"
    return [RoleVote(Role.T1_PRE, ASSUMED, said), _ranked(Role.T1_PRE, "first")]


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
