"""What a person said goes before the evidence: for the phases that the rule is about, and for no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.options import RoleRule
from service.study.assemble import assemble
from service.study.model import Instance, Role, Study
from service.study.overrule import rules_for, understood
from service.study.roles import assign_roles
from tests.study.records import VIBE, series

SCANNER = "SIEMENS Sola 4711"


def study(*, serial: str = "4711", names: tuple[str, ...] = ("vibe",) * 4) -> Study:
    """Four T1 phases in time, by one scanner and protocol."""
    made = replace(VIBE, manufacturer="SIEMENS", model="Sola")
    stacks: list[Instance] = []
    for n, name in enumerate(names):
        stacks += series(
            f"1.{n + 1}", seconds=60 * n, acquisition=made, device_serial=serial, protocol_name="liver", series_description=name
        )
    return assemble(stacks)


def roles(of: Study, *rules: RoleRule) -> list[str]:
    return [guess.role.value for guess in assign_roles(of, rules).values()]


EVIDENCE = ["t1_pre", "arterial", "portal_venous", "delayed"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RoleRule("delayed", SCANNER, "liver", "vibe", 3), ["t1_pre", "arterial", "delayed", "delayed"]),
        (RoleRule("other", protocol="LIVER"), ["other"] * 4),
        (RoleRule("other", scanner="GE", protocol="liver"), EVIDENCE),
        (RoleRule("other", protocol="live"), EVIDENCE),
        (RoleRule("other", description="vibe", ordinal=5), EVIDENCE),
    ],
)
def test_a_rule_is_about_what_it_names(rule: RoleRule, expected: list[str]) -> None:
    assert roles(study()) == EVIDENCE
    assert roles(study(), rule) == expected


def test_the_first_rule_that_fits_counts_and_says_what_the_evidence_said() -> None:
    rules = (RoleRule("t2", description="vibe", ordinal=1), RoleRule("adc", description="vibe"))
    guesses = list(assign_roles(study(), rules).values())
    assert [guess.role for guess in guesses] == [Role.T2, Role.ADC, Role.ADC, Role.ADC]
    assert all(guess.told and guess.score == 1 for guess in guesses)
    assert "by its making it was t1 pre" in guesses[0].reasons[0]


def test_a_phase_is_known_by_its_place_in_time_among_its_like() -> None:
    """Series numbers and UIDs change from patient to patient, this does not."""
    of = study(names=("vibe", "vibe", "dixon", "vibe"))
    found = understood(of, assign_roles(of))
    assert [(one.scanner, one.protocol, one.description, one.ordinal) for one in found] == [
        (SCANNER, "liver", "vibe", 1),
        (SCANNER, "liver", "vibe", 2),
        (SCANNER, "liver", "dixon", 1),
        (SCANNER, "liver", "vibe", 3),
    ]


def test_rules_about_other_scanners_are_told_apart() -> None:
    """A result must not change its name because somebody corrected another scanner."""
    of = study()
    own, other = RoleRule("t2", SCANNER, "liver", "vibe", 1), RoleRule("t2", "GE", "liver", "vibe", 1)
    assert rules_for(of, assign_roles(of), (own, other)) == (own,)
