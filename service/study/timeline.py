"""When an exam took place relative to the ablation. The 24-hour exam is the one that the measurements are defined on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from service.options import ExamRule
from service.study.model import Phase, Study

EARLIEST_H, LATEST_H = 12.0, 72.0  # quality gate Q3


class ExamClass(StrEnum):
    """What an exam is, by its distance from the procedure."""

    BASELINE = "baseline"
    PERIPROCEDURAL = "periprocedural"  # the ice ball is about 1 cm larger than the zone: never taken for the 24-hour exam
    POSTABLATION_24H = "postablation_24h"
    FOLLOWUP = "followup"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Interval:
    """The class of an exam, the hours from procedure to exam (None when unknown), and a sentence that says it."""

    exam_class: ExamClass
    hours: float | None
    sentence: str

    @property
    def too_early(self) -> bool:
        """Whether no margin can be read: before the ablation there is no zone, soon after it the ice is larger than that."""
        return self.exam_class in {ExamClass.BASELINE, ExamClass.PERIPROCEDURAL}


def classify_exam(acquired_at: datetime | None, procedure_at: datetime | None) -> Interval:
    """What the exam is. Both times on the same clock (hospital time, as DICOM writes it).

    >>> classify_exam(datetime(2024, 1, 2, 9), datetime(2024, 1, 1, 9)).exam_class.value
    'postablation_24h'
    >>> classify_exam(datetime(2024, 1, 2, 9), None).sentence
    'Interval to the ablation unknown: the time of the procedure is not known.'
    """
    if procedure_at is None:
        return Interval(ExamClass.UNKNOWN, None, "Interval to the ablation unknown: the time of the procedure is not known.")
    if acquired_at is None:
        return Interval(ExamClass.UNKNOWN, None, "Interval to the ablation unknown: the images do not say when they were made.")
    hours = (acquired_at - procedure_at).total_seconds() / 3600
    exam_class = _exam_class(hours)
    return Interval(exam_class, hours, f"{_distance(hours)}: {_MEANING[exam_class]}.")


def exam_of(study: Study, procedure_at: datetime | None, rules: Sequence[ExamRule] = ()) -> Interval:
    """What the exam is: by the time of the procedure, else by a rule about its description.

    Where the time is known it counts, whatever a rule says: it is about this patient.
    """
    timed = classify_exam(acquired_at(study), procedure_at)
    if timed.exam_class is not ExamClass.UNKNOWN:
        return timed
    rule = rule_for(study, rules)
    if rule is None:
        return timed
    exam_class = ExamClass(rule.exam)
    by = "by its study description and a rule of this installation"
    return Interval(exam_class, None, f"Interval to the ablation unknown; {by}: {_MEANING[exam_class]}.")


def rule_for(study: Study, rules: Sequence[ExamRule]) -> ExamRule | None:
    """The first rule whose form all images of the study have in their study description."""
    said = {image.study_description.casefold() for series in study.series for image in series.instances}
    return next((rule for rule in rules if said and all(_has_form(one, rule.description) for one in said)), None)


def acquired_at(study: Study) -> datetime | None:
    """When the first image of the study was made; the study time where no image says."""
    times = [time for phase in study.phases if (time := phase_time(phase)) is not None]
    started = [instance.study_at for series in study.series for instance in series.instances if instance.study_at is not None]
    return min(times or started, default=None)


def times_of(phases: Sequence[Phase]) -> dict[str, datetime | None]:
    """When each phase was made, by `Phase.key`.

    Where all phases of a series carry the clock of its start (Philips, classic MR), their offsets from it are added.
    """
    at = {phase.key: phase_time(phase) for phase in phases}
    for phase in phases:
        series = [other for other in phases if other.series_instance_uid == phase.series_instance_uid]
        offsets = {other.key: offset for other in series if (offset := _offset(other)) is not None}
        started = phase_time(phase)
        one_clock = len(series) > 1 and {phase_time(other) for other in series} == {started}
        if started is not None and one_clock and len(set(offsets.values())) == len(series):
            at[phase.key] = started + timedelta(seconds=offsets[phase.key])
    return at


def _offset(phase: Phase) -> float | None:
    """Seconds from the start of the series; a dynamic series of Philips counts them as trigger time."""
    frame = phase.planes[0].frame
    return frame.trigger_time / 1000 if frame.offset_s is None and frame.trigger_time is not None else frame.offset_s


def phase_time(phase: Phase) -> datetime | None:
    """When the first plane of the phase was made."""
    return min((plane.frame.acquired_at for plane in phase.planes if plane.frame.acquired_at is not None), default=None)


def _has_form(description: str, form: str) -> bool:
    """Whether the (folded) description is of this form: "*" any text, "?" one character, all else as it stands."""
    return fnmatchcase(description, form.casefold().replace("[", "[[]"))


_MEANING = {
    ExamClass.BASELINE: "an exam before the ablation",
    ExamClass.PERIPROCEDURAL: f"within {EARLIEST_H:g} hours, when the frozen zone is larger than it stays",
    ExamClass.POSTABLATION_24H: "the 24-hour exam",
    ExamClass.FOLLOWUP: "a follow-up exam",
}


def _exam_class(hours: float) -> ExamClass:
    if hours < 0:
        return ExamClass.BASELINE
    if hours < EARLIEST_H:
        return ExamClass.PERIPROCEDURAL
    return ExamClass.POSTABLATION_24H if hours <= LATEST_H else ExamClass.FOLLOWUP


def _distance(hours: float) -> str:
    shown = f"{abs(hours):.0f} hours" if abs(hours) <= LATEST_H else f"{abs(hours) / 24:.0f} days"
    return f"{shown} {'before' if hours < 0 else 'after'} the ablation"
