"""What a person corrects: roles of phases, a point in the ablation zone, the time of the ablation. Kept for every analysis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NaiveDatetime

from service.options import RoleRule
from service.store.index import Index
from service.store.records import StudyDetail
from service.study.model import Role
from service.web.problems import WebProblem

Point = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


class RoleCorrection(BaseModel):
    """What one phase is."""

    model_config = ConfigDict(extra="forbid")

    phase: str = Field(description="`key` of the phase in the answer of the study.", max_length=80)
    role: Role | None = Field(description="What it is; null goes by the evidence again.")


class Correction(BaseModel):
    """What a person says about a study. What is left out stays as it was; null takes back what was said."""

    model_config = ConfigDict(extra="forbid")

    roles: list[RoleCorrection] = Field(default=[], max_length=100, description="Remembered for this scanner and protocol.")
    seeds: list[Point] | None = Field(
        default=None, max_length=20, description="Points in the ablation zone, LPS mm in the frame of reference of the images."
    )
    procedure_at: NaiveDatetime | None = Field(
        default=None, description="When the ablation ended, on the hospital's clock.", examples=["2026-03-01T10:30:00"]
    )


def keep(index: Index, detail: StudyDetail, said: Correction) -> None:
    """Remember it all, or nothing.

    Raises:
        WebProblem: A phase is not one of the study (422).
    """
    at = datetime.now(UTC)
    phases = {phase["key"]: phase for phase in detail.phases}
    unknown = [one.phase for one in said.roles if one.phase not in phases]
    if unknown:
        raise WebProblem(422, "invalid-request", f"The study has no phase {unknown[0]}; see `phases` in its answer.")
    study_uid = detail.summary.study_instance_uid
    index.tell(study_uid, _facts(said), at)
    for one in said.roles:
        rule = _rule(phases[one.phase], one.role)
        (index.keep_rule if one.role else lambda rule, _: index.forget_rule(rule))(rule, at)
    index.event(study_uid, "corrected", _sentence(said), at)


def _facts(said: Correction) -> dict[str, Any]:
    told = said.model_dump(mode="json")
    return {name: told[name] for name in ("seeds", "procedure_at") if name in said.model_fields_set}


def _rule(phase: Mapping[str, Any], role: Role | None) -> RoleRule:
    return RoleRule(role or "", phase["scanner"], phase["protocol"], phase["description"], phase["ordinal"])


def _sentence(said: Correction) -> str:
    """What was said, without who said it: the service knows nobody."""
    parts = [f"a phase is {one.role.value if one.role else 'what the evidence says'}" for one in said.roles]
    parts += ["the ablation zone was pointed at"] if said.seeds else []
    parts += ["the time of the ablation was given"] if said.procedure_at else []
    return f"A person said: {', '.join(parts) or 'nothing more'}."
