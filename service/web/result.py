"""The shape of the result record in the API's answers: what `report.record.to_record` makes.

Lengths are mm, volumes mL, positions LPS mm; null where there is no answer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of the record; members that a later version adds are passed on."""

    model_config = ConfigDict(frozen=True, extra="allow")


class CodeRecord(Part):
    """A coded entry (DICOM PS3.3 section 8)."""

    value: str = Field(examples=["373066001"])
    scheme: str = Field(examples=["SCT"])
    meaning: str = Field(examples=["Yes"])


class ReasonRecord(Part):
    """Why there is no answer, or no certain one."""

    code: str = Field(examples=["phase.portal_venous_missing"])
    sentence: str = Field(examples=["No portal-venous phase was found, so vessels cannot be judged."])


class FindingRecord(Part):
    """One measurement: a value or a category, or the reason why there is neither."""

    name: str = Field(examples=["minimum_ablation_margin"])
    title: str = Field(examples=["Minimum ablation margin"])
    code: CodeRecord
    status: Literal["measured", "not_assessable", "not_attempted"]
    value: float | None = Field(examples=[2.4])
    unit: CodeRecord | None
    interval: tuple[float | None, float | None] | None = Field(
        description="95 % interval; an open end is null.", examples=[[1.9, 2.9]]
    )
    category: CodeRecord | None
    answer: str = Field(description="Value and category for people.", examples=["2.4 mm"])
    interval_shown: str = Field(description="The interval for people.", examples=["1.9 to 2.9 mm"])
    reason: ReasonRecord | None
    note: str = Field(description="To be shown with the answer wherever it appears.")
    place: tuple[float, float, float] | None = Field(description="Where it was found, LPS mm.", examples=[[12.5, -40.0, 88.2]])
    contours: str = Field(description="Where the contours came from.", examples=["drawn"])
    method: str
    source: str = Field(description="The paper or standard of the definition.")
    inputs: list[str] = Field(description="Keys of the phases used.")


class TumorRecord(Part):
    """One tumor with its findings, in report order."""

    label: str = Field(description="Its number in the report.", examples=["1"])
    tracking_id: str = Field(examples=["Tumor 1"])
    tracking_uid: str
    contours: dict[str, str | None] = Field(description="Where each region came from, null where it was not found.")
    findings: list[FindingRecord]


class PhaseRecord(Part):
    """One phase of the study, the role it was given, and why."""

    key: str
    series_instance_uid: str
    series_number: int | None
    description: str = Field(examples=["T1 VIBE portal venous"])
    instances: int = Field(examples=[72])
    role: str = Field(examples=["portal_venous"])
    score: float = Field(description="How sure the role is, 0-1.", examples=[0.94])
    reasons: list[str]
    used: bool
    reference: bool = Field(description="Whether the masks lie on its grid.")
    note: str


class SoftwareRecord(Part):
    """Who measured."""

    name: str = Field(examples=["Cryomargin"])
    version: str = Field(examples=["0.1.0"])
    settings_hash: str = Field(description="Hash of every setting that can change a number.")


class ResultRecord(Part):
    """Everything that one analysis decided."""

    format: int = Field(examples=[1])
    study_instance_uid: str
    content_version: str
    created_at: datetime
    software: SoftwareRecord
    verdict: str = Field(description="One sentence, limits first.")
    research_use: str
    warnings: list[str]
    predecessors: list[str] = Field(description="SOP Instance UIDs of the reports that this one supersedes.")
    contours: dict[str, str | None]
    phases: list[PhaseRecord]
    tumors: list[TumorRecord]
