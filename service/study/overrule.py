"""What a person said a phase is, for one scanner and protocol: it goes before all evidence, and is remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.options import RoleRule
from service.study.model import Instance, Phase, Role, RoleGuess, Study
from service.study.timeline import times_of


@dataclass(frozen=True, slots=True)
class Understood:
    """What was made of one phase, with all that a rule about its like is made of.

    `ordinal` counts from 1 the phases of a study with the same scanner, protocol and description, in time.
    """

    key: str
    series_instance_uid: str
    series_number: int | None
    apart_by: str
    scanner: str
    protocol: str
    description: str
    ordinal: int
    role: str
    score: float
    reasons: tuple[str, ...]
    told: bool


def understood(study: Study, roles: Mapping[str, RoleGuess]) -> tuple[Understood, ...]:
    """Every phase with its role and its identity, in the order of the study."""
    ordinals = _ordinals(study.phases)
    return tuple(_understood(phase, roles[phase.key], ordinals[phase.key]) for phase in study.phases)


def overruled(study: Study, guesses: Mapping[str, RoleGuess], rules: Iterable[RoleRule]) -> dict[str, RoleGuess]:
    """The guesses, those replaced that a rule is about; the first rule that fits counts."""
    known = tuple(rules)
    return {one.key: _judged(guesses[one.key], one, known) for one in understood(study, guesses)}


def rules_for(study: Study, guesses: Mapping[str, RoleGuess], rules: Iterable[RoleRule]) -> tuple[RoleRule, ...]:
    """The rules that are about a phase of this study."""
    phases = understood(study, guesses)
    return tuple(rule for rule in rules if any(_fits(rule, one) for one in phases))


def scanner_of(instance: Instance) -> str:
    """Manufacturer, model and serial number as one text."""
    made = instance.acquisition
    return " ".join(part for part in (made.manufacturer, made.model, instance.device_serial) if part)


def _judged(guess: RoleGuess, one: Understood, rules: tuple[RoleRule, ...]) -> RoleGuess:
    rule = next((rule for rule in rules if _fits(rule, one)), None)
    if rule is None:
        return guess
    instead = "" if guess.role.value == rule.role else f"; by its making it was {guess.role.replace('_', ' ')}"
    return RoleGuess(Role(rule.role), 1.0, (f"a person said so for this scanner and protocol{instead}",), told=True)


def _fits(rule: RoleRule, one: Understood) -> bool:
    """Whether all that the rule names is so; what it leaves empty it does not ask."""
    texts = ((rule.scanner, one.scanner), (rule.protocol, one.protocol), (rule.description, one.description))
    return rule.ordinal in {0, one.ordinal} and all(not asked or asked.casefold() == found.casefold() for asked, found in texts)


def _ordinals(phases: tuple[Phase, ...]) -> dict[str, int]:
    at = times_of(phases)
    counted: Counter[tuple[str, str, str]] = Counter()
    ordinals: dict[str, int] = {}
    for phase in sorted(phases, key=lambda phase: (at[phase.key] is None, str(at[phase.key]))):
        alike = (scanner_of(phase.first), phase.first.protocol_name, phase.first.series_description)
        counted[alike] += 1
        ordinals[phase.key] = counted[alike]
    return ordinals


def _understood(phase: Phase, guess: RoleGuess, ordinal: int) -> Understood:
    return Understood(
        key=phase.key,
        series_instance_uid=phase.series_instance_uid,
        series_number=phase.first.series_number,
        apart_by=phase.apart_by,
        scanner=scanner_of(phase.first),
        protocol=phase.first.protocol_name,
        description=phase.first.series_description,
        ordinal=ordinal,
        role=guess.role.value,
        score=guess.score,
        reasons=guess.reasons,
        told=guess.told,
    )
