"""What the index takes and gives: frozen records, free of SQL. All times are UTC and aware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from service.store.header import HeaderLike
from service.store.orders import Action


class State(StrEnum):
    """Where a study, or one version of its content, stands."""

    RECEIVING = "receiving"
    HELD = "held"
    QUEUED = "queued"
    ANALYSING = "analysing"
    DELIVERING = "delivering"
    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED = frozenset({State.DONE, State.NOTHING_TO_DO, State.CANCELLED, State.FAILED})
AT_WORK = frozenset({State.QUEUED, State.ANALYSING, State.DELIVERING})


class Begin(StrEnum):
    """The stage at which the next job of a version begins: what lies before it was done."""

    ANALYSE = "analyse"
    DELIVER = "deliver"


class Added(StrEnum):
    """What became of a received instance."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


class DeliveryState(StrEnum):
    """Where one object stands on its way to one destination."""

    PENDING = "pending"
    SENT = "sent"
    VERIFIED = "verified"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Kept:
    """Content that is durable on disk: the key it is found by, its SHA-256 (hex) and its size in bytes."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Received:
    """An instance whose content is already durable, about to become a row."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    series_number: int | None
    series_description: str
    patient_id: str
    key: str
    sha256: str
    size: int
    calling_ae: str
    association_id: str
    received_at: datetime
    relevant: bool = True
    reason_ignored: str = ""


def received(header: HeaderLike, kept: Kept, received_at: datetime, calling_ae: str = "", association_id: str = "") -> Received:
    """The row of an instance: what its header says and how it came."""
    return Received(
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        modality=header.modality,
        series_number=header.series_number,
        series_description=header.series_description,
        patient_id=header.patient_id,
        key=kept.key,
        sha256=kept.sha256,
        size=kept.size,
        calling_ae=calling_ae,
        association_id=association_id,
        received_at=received_at,
        relevant=not header.reason_ignored,
        reason_ignored=header.reason_ignored,
    )


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """An instance as the index knows it; `used` when the analysis may read it."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    series_number: int | None
    series_description: str
    key: str
    sha256: str
    size: int
    received_at: datetime
    used: bool
    conflict: bool
    reason_ignored: str


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a study: what was there when it counted as complete, and how far its analysis came.

    `ordinal` counts the versions of a study from 1, `attempt` its jobs from 1: what an older one says counts for nothing.
    `percent` is 0-100; `owner` is the worker that took it, "" before. `refusal` is why it has no result, where an object was
    made that says so; `prior_study_uid` the earlier exam that it goes on from.
    """

    study_instance_uid: str
    content_version: str
    ordinal: int
    attempt: int
    closed_at: datetime
    state: State
    sentence: str = ""
    stage: str = ""
    percent: int = 0
    owner: str = ""
    begin: Begin = Begin.ANALYSE
    refusal: str = ""
    prior_study_uid: str = ""

    @property
    def job_id(self) -> str:
        """The name of the job that does this attempt."""
        return f"{self.study_instance_uid}/{self.content_version}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class MadeObject:
    """An object that the analysis made and that rests in the files under `key`; `size` in bytes."""

    role: str
    sop_class_uid: str
    sop_instance_uid: str
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One made object on its way to one destination; `status` is the one (DICOM or HTTP) of the last attempt.

    `next_try_at` is when it is due: to be sent, or to be asked for; None: nothing is left to do. `planned_at` is when its way
    began, `sent_at` when the destination took it. `transaction_uid` names the storage commitment that was asked for.
    """

    study_instance_uid: str
    content_version: str
    role: str
    sop_class_uid: str
    sop_instance_uid: str
    key: str
    destination: str
    state: DeliveryState
    attempts: int
    status: int | None
    detail: str
    updated_at: datetime | None
    planned_at: datetime | None
    next_try_at: datetime | None
    sent_at: datetime | None
    transaction_uid: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a study: one word and one sentence."""

    at: datetime
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class StudySummary:
    """One line of the list of studies. Counts are of instances; `percent` is 0-100."""

    study_instance_uid: str
    patient_id: str
    state: State
    sentence: str
    stage: str
    percent: int
    content_version: str
    attempt: int
    series: int
    instances: int
    ignored: int
    conflicts: int
    first_received_at: datetime
    last_received_at: datetime
    held: bool
    urgent: bool


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """One series as received; `instances` are used, `ignored` are not, for `reason_ignored`."""

    series_instance_uid: str
    number: int | None
    description: str
    modality: str
    sop_class_uid: str
    instances: int
    ignored: int
    conflicts: int
    reason_ignored: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """An instance that came again with other content: kept under `key`, but the first one is used."""

    sop_instance_uid: str
    key: str
    sha256: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class StudyDetail:
    """Everything known about one study; `output` is the end of what its last analysis wrote.

    `outputs` and `result` belong to the newest version that has a result.
    """

    summary: StudySummary
    series: tuple[SeriesSummary, ...]
    conflicts: tuple[Conflict, ...]
    versions: tuple[Version, ...]
    events: tuple[Event, ...]
    result_version: str
    result: Mapping[str, Any] | None
    outputs: tuple[MadeObject, ...]
    deliveries: tuple[Delivery, ...]
    actions: tuple[Action, ...]
    output: str
    phases: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A caller that was turned away, `times` times for the same `reason` (one sentence)."""

    address: str
    calling_ae: str
    called_ae: str
    reason: str
    first_at: datetime
    last_at: datetime
    times: int = 1


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An object that was refused with `status` because its header cannot be understood, `times` times.

    `file` names its data set in the quarantine; empty when it was not kept. The class is what the sender said.
    """

    sha256: str
    status: int
    reason: str
    calling_ae: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size: int
    file: str
    first_at: datetime
    last_at: datetime
    times: int = 1


@dataclass(frozen=True, slots=True)
class Counts:
    """The whole index in a few numbers; `bytes_received` is the size of all instances."""

    studies: Mapping[State, int]
    deliveries: Mapping[DeliveryState, int]
    instances: int
    ignored: int
    conflicts: int
    bytes_received: int
    open_associations: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What the start-up comparison of files and rows found; all entries are keys.

    `added`: files without a row, now with one. `duplicates`: such files that were removed because the same content is
    already there. `lost`: rows whose file is gone. `unreadable`: files without a row whose header cannot be read, and
    files that came back with other content.
    `orphans`: objects of our own that no row names any more, removed. `returned`: files that were gone and are there again.
    """

    added: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
