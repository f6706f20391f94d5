"""What must come of a phantom of the self-test, and everything in which a record falls short of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.features import margin
from service.jobs.truth import ENHANCEMENT, MARGIN, VESSEL, VOLUMES, Verdict, compare
from service.phantom.truth import Truth
from service.study.model import Role, Vector

EXACT_MM = 0.8  # the largest margin error that drawn masks may have
PLACE_MM = 5.0  # a margin is flat about its narrowest place; a flip or a wrong slice order moves it by 10 mm and more
PERCENT = 10.0  # points of enhancement that noise cannot explain; two phases differ by 35 and more
SIDES = (("right", "left"), ("front", "back"), ("feet", "head"))  # lower and higher coordinate along LPS x, y and z


@dataclass(frozen=True, slots=True)
class Expected:
    """The right answers for one phantom.

    `guards` says what the phantom is there for. `roles` are by series number; `percent` is the enhancement of the tumor in
    each phase after contrast, %.
    """

    name: str
    guards: str
    truth: Truth
    roles: Mapping[int, Role]
    percent: Mapping[Role, float]


def shortfalls(record: Mapping[str, Any], expected: Expected) -> tuple[str, ...]:
    """Every fact that the record misses, measured beside truth; empty when it meets all."""
    return (
        *_roles(record, expected.roles),
        *_tumors(record),
        *_answers(record, expected.truth),
        *_margin(_finding(record, MARGIN), expected.truth),
        *_enhancement(record, expected.percent),
    )


def _roles(record: Mapping[str, Any], roles: Mapping[int, Role]) -> Iterator[str]:
    given = {phase["series_number"]: phase for phase in record["phases"]}
    for number, role in roles.items():
        phase = given.get(number)
        if phase is None:
            yield f"series {number} ({_words(role)}) is missing"
        elif phase["role"] != role:
            yield f"series {number} is taken for {_words(phase['role'])}, it is {_words(role)}"
        elif not phase["used"]:
            yield f"series {number} ({_words(role)}) was not used: {phase['note'] or 'no reason given'}"


def _tumors(record: Mapping[str, Any]) -> Iterator[str]:
    if len(record["tumors"]) != 1:
        yield f"{len(record['tumors'])} tumors were found, it has 1"


def _answers(record: Mapping[str, Any], truth: Truth) -> Iterator[str]:
    """The main answers must be right; whether no vessel bridges may stay open in a margin as thin as the voxels."""
    open_is_right = not truth.vessel.bridges and truth.minimum_margin <= margin.THRESHOLD
    named = {row.name: row for row in compare(record, truth)}
    for name in (MARGIN, VESSEL, *VOLUMES):
        row = named.get(name)
        if row is None:
            yield f"{_words(name)} was not answered"
        elif row.verdict is Verdict.WRONG or (row.verdict is Verdict.ABSTAINED and not (name == VESSEL and open_is_right)):
            yield f"{row.title}: {row.measured}, truth {row.truth}"


def _margin(finding: Mapping[str, Any] | None, truth: Truth) -> Iterator[str]:
    """The number, and the place to which every flip of images or contours shows."""
    if finding is None or finding["value"] is None:
        return
    error = finding["value"] - truth.minimum_margin
    if not abs(error) <= EXACT_MM:
        yield f"the margin is {abs(error):.1f} mm too {'large' if error > 0 else 'small'}"
    if finding["place"] is None:
        yield "the narrowest place was not given"
    elif not _apart(finding["place"], truth.margin.place) <= PLACE_MM:
        yield f"the narrowest place is {_where(finding['place'], truth.margin.place)}"


def _enhancement(record: Mapping[str, Any], percent: Mapping[Role, float]) -> Iterator[str]:
    for role, right in percent.items():
        finding = _finding(record, f"{ENHANCEMENT}_{role}")
        value = None if finding is None else finding["value"]
        if value is None:
            yield f"tumor enhancement, {_words(role)}, was not measured, truth {right:.0f} %"
        elif not abs(value - right) <= PERCENT:
            yield f"tumor enhancement, {_words(role)}, is {value:.0f} %, truth {right:.0f} %"


def _finding(record: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    findings = (finding for tumor in record["tumors"][:1] for finding in tumor["findings"])
    return next((finding for finding in findings if finding["name"] == name), None)


def _apart(place: Vector, truth: Vector) -> float:
    return float(np.linalg.norm(np.subtract(place, truth)))


def _where(place: Vector, truth: Vector) -> str:
    """How far off, and to which sides.

    >>> _where((30.0, 0.0, 0.0), (0.0, 0.0, 9.0))
    '31 mm off (30 mm to the left, 9 mm to the feet)'
    """
    off = np.subtract(place, truth)
    sides = (
        f"{abs(part):.0f} mm to the {names[int(part > 0)]}" for part, names in zip(off, SIDES, strict=True) if abs(part) >= 1
    )
    return f"{_apart(place, truth):.0f} mm off ({', '.join(sides)})"


def _words(name: str) -> str:
    return str(name).replace("_", " ")
