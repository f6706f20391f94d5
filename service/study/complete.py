"""Decide when a study has arrived completely."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """What the store knows about the arrival of one study.

    Attributes:
        study_instance_uid: The study.
        last_received_at: UTC time of the last new instance.
        open_associations: Open associations that carried the study.
        last_released_at: UTC time of the last release of such an association; None when none closed.
        instances: Relevant instances so far.
    """

    study_instance_uid: str
    last_received_at: datetime
    open_associations: int
    last_released_at: datetime | None
    instances: int
