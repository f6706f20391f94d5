"""The finding: a value or a reason, never a default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from service.codes import Code
from service.study.model import Vector


class Status(StrEnum):
    """Whether there is an answer."""

    MEASURED = "measured"
    NOT_ASSESSABLE = "not_assessable"
    NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a finding has no value or no certain category: a stable code and a sentence for people."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    A measured finding has `value` with `unit`, or `category`, or both; any other has a `reason` and neither. `interval` is
    the 95 % interval of `value`. `place` is where it was found, `path` the way of what was found (LPS mm). `inputs` are the
    keys of the phases used (`Phase.key`). `note` is printed with the value wherever it appears.
    """

    name: str
    title: str
    code: Code
    method: str
    status: Status
    value: float | None = None
    unit: Code | None = None
    category: Code | None = None
    interval: tuple[float, float] | None = None
    reason: Reason | None = None
    note: str = ""
    place: Vector | None = None
    contours: str = ""
    inputs: tuple[str, ...] = ()
    source: str = ""
    path: tuple[Vector, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a finding that says both or neither: this is the rule that a reader relies on."""
        answered = self.value is not None or self.category is not None
        if answered != (self.status is Status.MEASURED):
            raise ValueError(f"{self.name}: a finding is either measured, with a value, or has a reason")
        if not answered and self.reason is None:
            raise ValueError(f"{self.name}: a finding without a value needs its reason")
        if self.value is not None and (self.unit is None or self.value != self.value):
            raise ValueError(f"{self.name}: a value needs a unit and must be a number")
