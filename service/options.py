"""What an analysis may be told, apart from its study: light, so that a process that only starts analyses loads no engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

OUTPUTS = ("seg", "sr", "sr_places", "summary")  # what is made unless the configuration says otherwise


@dataclass(frozen=True, slots=True)
class RoleRule:
    """What a person says a phase is: `role` for every phase that has all of what is not empty here.

    `ordinal` counts from 1 the phases of a study with the same scanner, protocol and description; 0 means each of them.
    """

    role: str
    scanner: str = ""
    protocol: str = ""
    description: str = ""
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class ExamRule:
    """What an exam is where its study description has this form: `exam` is the value of an `ExamClass`, "*" any text."""

    exam: str
    description: str


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """What can change a number, and which objects are made.

    `labels`: (code or word, kind of region) pairs that go before the built-in table. `outputs`: the roles of the objects, in
    any order; `patient_on_page`: what identifies the patient on pages and pictures ("none", "id" or "name"). `roles`: what
    people said about phases, `exams`: what exams are by their description; the first that fits counts. `network`: the folder
    of a network, "" for none. `seeds`: points in the ablation zone (LPS mm) and `procedure_at`: the
    time of the ablation (hospital time), both said by a person about this study.
    """

    segmenters: tuple[str, ...] = ("drawn", "classical")
    labels: tuple[tuple[str, str], ...] = ()
    outputs: tuple[str, ...] = OUTPUTS
    patient_on_page: str = "none"
    roles: tuple[RoleRule, ...] = ()
    exams: tuple[ExamRule, ...] = ()
    network: str = ""
    seeds: tuple[tuple[float, float, float], ...] = ()
    procedure_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an exam is of, as digests that are only good to be compared; "" where the exam does not say."""

    patient_id: str = ""
    issuer: str = ""
    birth_date: str = ""
    sex: str = ""


@dataclass(frozen=True, slots=True)
class EarlierExam:
    """An exam with a result under the same patient ID: its study and content, and the tracking UIDs of its tumors.

    Whether it is of the same person is decided by the analysis.
    """

    study_instance_uid: str
    content_version: str
    tumors: tuple[str, ...]
    identity: Identity = field(default_factory=Identity)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known from before this analysis.

    `predecessors` are the SOP Instance UIDs of the reports that its result supersedes, `exams` those that it may go on from,
    the newest first.
    """

    predecessors: tuple[str, ...] = ()
    exams: tuple[EarlierExam, ...] = ()
