"""A job: one attempt to analyse one version of a study's content, and the steps that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """`attempt` counts from 1 and rises whenever a version is begun anew: by a person, or because its worker is gone."""

    study_instance_uid: str
    content_version: str
    attempt: int = 1

    @property
    def id(self) -> str:
        """The same job has the same id for ever: that is what makes submitting it twice harmless.

        >>> Job("1.2.3", "abc", 2).id
        '1.2.3/abc/2'
        """
        return f"{self.study_instance_uid}/{self.content_version}/{self.attempt}"

    @property
    def key(self) -> tuple[str, str, int]:
        """Study, content and attempt, as the index takes them."""
        return self.study_instance_uid, self.content_version, self.attempt


class Interrupted(BaseException):
    """The service stops: the job is left as it is and goes on at the next start.

    Not an `Exception`, so that nothing on the way takes it for a failure of the job.
    """


class Unwanted(Exception):
    """Somebody cancelled the job, or began its version anew: what it does counts for nothing, and its analysis is killed."""


class After(StrEnum):
    """What an analysis leaves to do."""

    DELIVER = "deliver"
    NOTHING = "nothing"
    AGAIN = "again"
    LATER = "later"


class Work(Protocol):
    """The steps of a job, as the engine sees them. Each may be repeated after a crash."""

    def analyse(self, job: Job, tries_left: int) -> After:
        """Analyse and keep the result."""

    def plan(self, job: Job) -> bool:
        """Fill the outbox; False when there is nothing to send any more."""

    def give_up(self, job: Job, sentence: str) -> None:
        """Show the job as failed."""
