"""Whether what a rule asks for has come, so that an analysis can wait for a reader's contours, or for a late series."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.study.complete import CompletionRule

RECEIVING = "Receiving images."

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a study must hold before it is analysed: one modality of each of `groups`, a series of one of each of `roles`.

    It waits for that until `longest_s` after its last image. No group asks for nothing.
    """

    groups: Groups = ()
    longest_s: float = 86400.0
    roles: Groups = ()


@dataclass(frozen=True, slots=True)
class When:
    """When a study is analysed: after its images have come, and what else it must hold."""

    quiet: CompletionRule = field(default_factory=CompletionRule)
    required: Requirement = field(default_factory=Requirement)


def missing(requirement: Requirement, modalities: Collection[str]) -> str:
    """What has not come, in words; "" when everything has.

    >>> missing(Requirement((("SEG", "RTSTRUCT"), ("PR",))), {"MR"})
    'SEG or RTSTRUCT, and PR'
    >>> missing(Requirement((("SEG", "RTSTRUCT"),)), {"MR", "RTSTRUCT"})
    ''
    """
    here = {modality.upper() for modality in modalities}
    return ", and ".join(" or ".join(group) for group in requirement.groups if here.isdisjoint(group))


def missing_roles(groups: Groups, roles: Collection[str]) -> str:
    """The groups of which no series has come, in words; "" when one of each has.

    >>> missing_roles((("portal_venous", "delayed"), ("t1_pre",)), {"arterial"})
    'a portal venous or delayed series, and a t1 pre series'
    """
    absent = (" or ".join(group).replace("_", " ") for group in groups if set(group).isdisjoint(roles))
    return ", and ".join(f"a{'n' if words[0] in 'aio' else ''} {words} series" for words in absent)


def waits(requirement: Requirement, absent: str, last_received_at: datetime, now: datetime) -> str:
    """Why a study whose images have come goes on waiting; "" when it does not, or has waited for long enough."""
    until = last_received_at + timedelta(seconds=requirement.longest_s)
    if not absent or now >= until:
        return ""
    return f"Waiting for {absent}, until {until:%Y-%m-%d %H:%M} UTC at the latest; then it is analysed without."


def without(requirement: Requirement, absent: str) -> str:
    """What the history says of a study that did not get what it waited for; "" when it did."""
    return (
        f"{absent[:1].upper()}{absent[1:]} did not come within {requirement.longest_s:g} s: it is analysed without."
        if absent
        else ""
    )
