"""Decide when a study has arrived completely."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Activity:
    """What the store knows about the arrival of one study.

    Attributes:
        study_instance_uid: The study.
        last_received_at: UTC time of the last new instance.
        open_associations: Open associations that carried the study.
        last_released_at: UTC time of the last release of such an association; None when none closed.
        instances: Relevant instances so far.
        sentence: What the study says of itself.
        lacks: The series that a look at what is there has missed, in words; "" where none was missed, or more came since.
    """

    study_instance_uid: str
    last_received_at: datetime
    open_associations: int
    last_released_at: datetime | None
    instances: int
    sentence: str = field(default="", compare=False)
    lacks: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class CompletionRule:
    """How long nothing may come before a study counts as complete, seconds.

    `quiet_s` counts from the last image; `quiet_after_release_s`, the shorter one, from the release of the last association
    that carried the study, because a sender that hangs up has usually sent all it has.
    """

    quiet_s: float = 60.0
    quiet_after_release_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Complete:
    """Nothing more is expected; `sentence` says why."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """More may come: look again at `until` (UTC); `sentence` says why."""

    until: datetime
    sentence: str


def is_complete(activity: Activity, now: datetime, rule: CompletionRule) -> Complete | Waiting:
    """Whether the study has arrived, or until when to wait and why.

    An open association holds the study for the whole quiet time, but no longer: a sender that forgets to hang up must not
    hold it for ever. A late image opens the study again.

    Args:
        activity: What arrived when.
        now: UTC.
        rule: How long to wait.
    """
    quiet_at = activity.last_received_at + timedelta(seconds=rule.quiet_s)
    released_at = _released_at(activity, rule)
    until = quiet_at if released_at is None else min(quiet_at, released_at)
    if now >= until:
        return Complete(f"{_so_far(activity)}, and {_reason(released_at, quiet_at, rule)}.")
    return Waiting(until, f"{_so_far(activity)}. {_expectation(activity, until, released_at, rule)}")


def _released_at(activity: Activity, rule: CompletionRule) -> datetime | None:
    """When the shorter quiet time ends; None while it does not run."""
    if activity.open_associations > 0 or activity.last_released_at is None:
        return None
    last = max(activity.last_received_at, activity.last_released_at)
    return last + timedelta(seconds=rule.quiet_after_release_s)


def _so_far(activity: Activity) -> str:
    return f"{activity.instances} image{'' if activity.instances == 1 else 's'} came"


def _reason(released_at: datetime | None, quiet_at: datetime, rule: CompletionRule) -> str:
    if released_at is not None and released_at <= quiet_at:
        return f"nothing followed within {rule.quiet_after_release_s:g} s of the sender's release"
    return f"nothing followed for {rule.quiet_s:g} s"


def _expectation(activity: Activity, until: datetime, released_at: datetime | None, rule: CompletionRule) -> str:
    clock = f"{until:%H:%M:%S} UTC"
    if released_at is not None:
        return f"The sender has released its association; the study counts as complete at {clock} unless more comes."
    if activity.open_associations > 0:
        one = activity.open_associations == 1
        held = "An association that carried the study is" if one else f"{activity.open_associations} associations are"
        return (
            f"{held} still open; the study counts as complete soon after the release "
            f"or at {clock} ({rule.quiet_s:g} s after the last image)."
        )
    return f"The study counts as complete at {clock} ({rule.quiet_s:g} s after the last image) unless more comes."
