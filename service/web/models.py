"""The shapes of the API's answers. Times are UTC in ISO 8601, lengths mm, volumes mL."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.store.records import DeliveryState, State
from service.web.result import ResultRecord

UID = "1.2.826.0.1.3680043.8.498.1"
WAITING = "Waiting until 10:31:05: the last image came 12 s ago."


class Answer(BaseModel):
    """Answers do not change once made; they are read from records with the same names."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Alive(Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"
    version: str = Field(description="Version of the software.", examples=["0.1.0"])


class CheckAnswer(Answer):
    """One thing without which the service does not serve."""

    name: str = Field(description="What was asked.", examples=["disk"])
    ok: bool = Field(description="Whether it is fine.")
    sentence: str = Field(description="What was seen.", examples=["212 GB free; new images are refused below 1 GB."])


class Ready(Answer):
    """All checks passed."""

    status: Literal["ready"] = "ready"
    checks: list[CheckAnswer] = Field(description="Each check with what it saw.")


class Service(Answer):
    """Who serves, and how much."""

    product: str = Field(examples=["Cryomargin"])
    version: str = Field(examples=["0.1.0"])
    settings_hash: str = Field(description="Hash of every setting that can change a number.", examples=["3f9a1c20b7de"])
    listener: str = Field(
        description="AE@host:port of the DICOM listener, empty where none runs.", examples=["CRYOMARGIN@0.0.0.0:11112"]
    )
    studies: dict[str, int] = Field(description="Number of studies in each state.", examples=[{"receiving": 1, "done": 41}])
    notice: str = Field(description="What every output says.")


class Destination(Answer):
    """Where results go, and what waits for it."""

    name: str = Field(examples=["archive"])
    address: str = Field(description="AE@host:port.", examples=["PACS@192.0.2.10:104"])
    down_since: datetime | None = Field(description="Since when nothing goes through, null when it works.", examples=[None])
    next_try_at: datetime | None = Field(description="When it is tried again, null when it works.", examples=[None])
    sentence: str = Field(description="Why nothing goes through, empty when it works.", examples=[""])
    pending: int = Field(description="Objects on their way.", examples=[2])
    unverified: int = Field(description="Objects that it took, whose verification is awaited.", examples=[0])
    failed: int = Field(description="Objects that it refused.", examples=[0])
    last_failure: str = Field(description="What the newest unfinished delivery met, empty when nothing.", examples=[""])


class Destinations(Answer):
    """All destinations, in the order of the configuration."""

    items: list[Destination]


class RejectionLine(Answer):
    """A caller that was turned away."""

    address: str = Field(description="IP address that it called from.", examples=["192.0.2.99"])
    calling_ae: str = Field(description="AE title that it gave for itself.", examples=["MR9"])
    called_ae: str = Field(description="AE title that it called.", examples=["CRYOMARGIN"])
    reason: str = Field(examples=["The calling AE title is not on the list."])
    first_at: datetime
    last_at: datetime
    times: int = Field(description="How often, for this reason.", examples=[3])


class Rejections(Answer):
    """The callers that were turned away last, newest first."""

    items: list[RejectionLine]


class QuarantineLine(Answer):
    """An object that was refused because its header cannot be understood."""

    status: int = Field(description="DICOM status that its sender got.", examples=[0xC000])
    reason: str = Field(examples=["The object ends inside its header."])
    calling_ae: str = Field(examples=["MR1"])
    sop_class_uid: str = Field(description="What the sender said that it is.", examples=["1.2.840.10008.5.1.4.1.1.4"])
    transfer_syntax_uid: str = Field(examples=["1.2.840.10008.1.2.1"])
    size: int = Field(description="Bytes of its file.", examples=[182000])
    file: str = Field(
        description="Its file in the folder `quarantine` of the store, empty when it was not kept.",
        examples=["0f8fad5bd9cb469fa16570867728950e.dcm"],
    )
    first_at: datetime
    last_at: datetime
    times: int = Field(description="How often the same bytes came.", examples=[1])


class Quarantine(Answer):
    """The objects that were refused last, newest first."""

    items: list[QuarantineLine]


class StudyCounts(Answer):
    """How much of a study there is."""

    series: int = Field(examples=[5])
    instances: int = Field(description="Instances that take part in the analysis.", examples=[360])
    ignored: int = Field(description="Instances that take no part.", examples=[0])
    conflicts: int = Field(description="Instances that came again with other content.", examples=[0])


class StudyLine(Answer):
    """One study in the list."""

    study_instance_uid: str = Field(examples=[UID])
    state: State = Field(description="Where the study stands.", examples=["receiving"])
    sentence: str = Field(description="Why it is waiting, or what was decided.", examples=[WAITING])
    stage: str = Field(description="What the analysis does now, empty when it does not run.", examples=["register"])
    percent: int = Field(description="Progress of the analysis, 0-100.", examples=[40])
    content_version: str = Field(description="Name of the newest closed content, empty before.", examples=["5d41402abc4b"])
    attempt: int = Field(description="Analyses of that content, from 1.", examples=[1])
    counts: StudyCounts
    first_received_at: datetime = Field(description="When its first instance came.")
    last_received_at: datetime = Field(description="When its newest instance came.")
    held: bool = Field(description="Whether a person holds it.", examples=[False])
    urgent: bool = Field(description="Whether it goes before all that are not.", examples=[False])


class Studies(Answer):
    """One page of the list, newest first."""

    items: list[StudyLine]
    total: int = Field(description="Studies in all, with this filter.", examples=[42])
    limit: int = Field(examples=[50])
    offset: int = Field(examples=[0])
    next: str | None = Field(description="Path of the next page.", examples=["/api/v1/studies?limit=50&offset=50"])
    previous: str | None = Field(description="Path of the page before.", examples=[None])


class SeriesLine(Answer):
    """One received series."""

    series_instance_uid: str
    sop_class_uid: str
    number: int | None = Field(examples=[5])
    description: str = Field(examples=["T1 VIBE portal venous"])
    modality: str = Field(examples=["MR"])
    instances: int = Field(description="Instances that take part in the analysis.", examples=[72])
    ignored: int = Field(description="Instances that take no part.", examples=[0])
    reason_ignored: str = Field(description="Why not, empty when all take part.", examples=[""])
    conflicts: int = Field(description="Instances that came again with other content.", examples=[0])


class PhaseLine(Answer):
    """One volume of a series, and what it was taken for."""

    key: str = Field(description="Names the phase in a correction.")
    series_instance_uid: str
    series_number: int | None = Field(examples=[5])
    apart_by: str = Field(description="What told it from the rest of its series.", examples=["temporal position 2"])
    scanner: str = Field(examples=["SIEMENS Sola 12345"])
    protocol: str = Field(examples=["t1_vibe_fs_tra_bh"])
    description: str = Field(examples=["t1_vibe_fs_tra_bh"])
    ordinal: int = Field(description="Counts the phases of the same scanner, protocol and description.", examples=[2])
    role: str = Field(examples=["arterial"])
    score: float = Field(description="How sure, 0-1; a role needs 0.5.", examples=[0.95])
    reasons: list[str] = Field(description="What it rests on.")
    told: bool = Field(description="Whether a person said so.")


class RoleLine(Answer):
    """What people said about the phases of one scanner and protocol."""

    scanner: str
    protocol: str
    description: str
    ordinal: int
    role: str


class Roles(Answer):
    """Everything that is remembered."""

    items: list[RoleLine]


class ConflictLine(Answer):
    """An instance that came again with other content; the first one is used, the other one kept."""

    sop_instance_uid: str
    sha256: str = Field(description="Of the content that is not used.")
    received_at: datetime


class EventLine(Answer):
    """Something that happened to the study."""

    at: datetime
    word: str = Field(description="One word for machines.", examples=["complete"])
    sentence: str = Field(description="The same for people.", examples=["360 instances in 5 series; nothing came for 60 s."])


class ErrorLine(Answer):
    """Something that went wrong: an analysis that failed, or an object that a destination did not take."""

    at: datetime | None
    where: str = Field(description="`analysis`, or the name of the destination.", examples=["archive"])
    sentence: str = Field(examples=["SR: refused with status 0xA700 (out of resources)."])


class ActionLine(Answer):
    """Something that a person did."""

    at: datetime
    who: str = Field(description="The user that the proxy named, else `local`.", examples=["m.shyn"])
    what: str = Field(examples=["hold"])
    subject: str = Field(description="A study, or the name of a queue or worker.", examples=[UID, "queue analysis"])
    before: str = Field(examples=["queued"])
    after: str = Field(examples=["held"])


class Actions(Answer):
    """What people did, newest first."""

    items: list[ActionLine]


class WorkerLine(Answer):
    """One worker."""

    name: str = Field(examples=["worker-1"])
    host: str = Field(examples=["node-3"])
    release: str = Field(description="Version of its software.", examples=["0.1.0"])
    parallel: int = Field(description="Analyses that it runs at once.", examples=[2])
    jobs: int = Field(description="Studies that it took and did not end.", examples=[1])
    started_at: datetime
    seen_at: datetime = Field(description="When it last showed that it lives.")
    left: bool = Field(description="Whether it stopped in an orderly way.")
    draining: bool = Field(description="Whether it takes nothing more.")


class Workers(Answer):
    """Who works, and which queues are paused."""

    items: list[WorkerLine]
    paused: list[str] = Field(description="Queues that take nothing more.", examples=[["analysis"]])


class VersionLine(Answer):
    """One closed content of the study; a late image makes the next one."""

    content_version: str = Field(examples=["5d41402abc4b"])
    ordinal: int = Field(description="Versions of the study, from 1.", examples=[1])
    attempt: int = Field(description="Analyses of this version, from 1.", examples=[1])
    closed_at: datetime
    state: State
    sentence: str
    prior_study_uid: str = Field(description="The earlier exam of the patient that it goes on from, empty when none is known.")


class DeliveryLine(Answer):
    """One object on its way to one destination."""

    destination: str = Field(examples=["archive"])
    state: DeliveryState = Field(examples=["verified"])
    status: int | None = Field(description="DICOM status that the destination gave last.", examples=[0])
    detail: str = Field(examples=["found again by C-FIND"])
    attempts: int = Field(examples=[1])
    updated_at: datetime | None
    next_try_at: datetime | None = Field(description="When it is sent or asked for next, null when nothing is left to do.")


class Output(Answer):
    """One DICOM object that was made."""

    role: str = Field(examples=["sr"])
    sop_class_uid: str
    sop_instance_uid: str
    content_version: str = Field(description="The content that it was measured on.", examples=["5d41402abc4b"])
    size: int | None = Field(description="Bytes; null for an object that a newer one superseded.", examples=[24576])
    deliveries: list[DeliveryLine]


class Study(StudyLine):
    """One study with all that is known of it."""

    patient_id: str | None = Field(description="Only when the configuration says so.", examples=[None])
    series: list[SeriesLine]
    phases: list[PhaseLine] = Field(description="How the series were understood, of the newest version that was analysed.")
    versions: list[VersionLine] = Field(description="Oldest first.")
    events: list[EventLine] = Field(description="The timeline, oldest first.")
    result_version: str = Field(description="The content that `result` was measured on, empty when there is none.")
    result: ResultRecord | None
    outputs: list[Output] = Field(description="Those of the newest result first.")
    conflicts: list[ConflictLine]
    errors: list[ErrorLine] = Field(description="What stands in the way now.")
    actions: list[ActionLine] = Field(description="What people did to it, newest first.")
    output: str = Field(description="End of what the process of the last analysis wrote; may hold values of image headers.")
    possible: list[str] = Field(description="What people may order now.", examples=[["hold", "cancel", "urgent"]])


class Ordered(Answer):
    """An order that was carried out, with its line in the audit; `state` is that of the study now, "" for others."""

    action: ActionLine
    state: str = Field(examples=["held"])


class Replayed(Answer):
    """The study will be analysed again."""

    study_instance_uid: str = Field(examples=[UID])
    job_id: str = Field(examples=[f"{UID}/5d41402abc4b/2"])
