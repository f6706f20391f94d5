"""The result record: the one thing that every output object, the page and the command line are filled from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from service.features.finding import Finding
from service.regions.region import Region
from service.study.model import Phase, Role
from service.volumes.volume import Volume

if TYPE_CHECKING:  # what serves takes `Software` from here and must not load what measures
    from service.regions.margin_surface import MarginSurface
    from service.regions.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Software:
    """Who measured: name, version, and a hash of every setting that can change a number."""

    name: str
    version: str
    settings_hash: str


@dataclass(frozen=True, slots=True)
class PhaseUse:
    """A phase of the study, the role it was given with the reasons, and whether it was used."""

    phase: Phase
    role: Role
    score: float
    reasons: tuple[str, ...]
    used: bool
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TumorResult:
    """The findings of one tumor, in report order, and what they were measured on (None when not found)."""

    label: str
    tracking_id: str
    tracking_uid: str
    findings: tuple[Finding, ...]
    tumor: Region | None
    zone: Region | None
    surface: MarginSurface | None = None
    visibility: Visibility | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything that one analysis decided.

    `verdict` is one sentence, limits first. `created_at` comes from the job, never from a clock here, so that a repeat
    makes the same objects. `predecessors` are the SOP Instance UIDs of the SRs that this result supersedes;
    `not_followed` says why it does not go on from earlier exams that there are.
    `reference` is the phase on whose grid all masks lie, `image` its volume, for pictures.
    """

    study_instance_uid: str
    content_version: str
    created_at: datetime
    software: Software
    verdict: str
    reference: PhaseUse
    phases: tuple[PhaseUse, ...]
    tumors: tuple[TumorResult, ...]
    liver: Region | None = None
    vessels: Region | None = None
    warnings: tuple[str, ...] = ()
    predecessors: tuple[str, ...] = ()
    not_followed: tuple[str, ...] = ()
    image: Volume | None = None
