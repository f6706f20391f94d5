from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from service.options import ExamRule
from service.study.assemble import assemble
from service.study.model import Study
from service.study.timeline import ExamClass, acquired_at, classify_exam, exam_of, phase_time
from tests.study.records import START, series, with_frames

PROCEDURE = datetime.fromisoformat("2024-03-01T09:00:00")


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (-24.0, ExamClass.BASELINE),
        (0.0, ExamClass.PERIPROCEDURAL),
        (11.9, ExamClass.PERIPROCEDURAL),
        (12.0, ExamClass.POSTABLATION_24H),
        (24.0, ExamClass.POSTABLATION_24H),
        (72.0, ExamClass.POSTABLATION_24H),
        (72.1, ExamClass.FOLLOWUP),
        (2000.0, ExamClass.FOLLOWUP),
    ],
)
def test_the_24_hour_exam_lies_12_to_72_hours_after_the_procedure(hours: float, expected: ExamClass) -> None:
    interval = classify_exam(PROCEDURE + timedelta(hours=hours), PROCEDURE)
    assert interval.exam_class is expected
    assert interval.hours == pytest.approx(hours)


def test_the_sentence_says_the_distance() -> None:
    assert (
        classify_exam(PROCEDURE + timedelta(hours=25), PROCEDURE).sentence == "25 hours after the ablation: the 24-hour exam."
    )
    assert classify_exam(PROCEDURE - timedelta(days=30), PROCEDURE).sentence.startswith("30 days before the ablation")


def test_without_the_procedure_or_the_acquisition_the_interval_is_unknown() -> None:
    for interval in (classify_exam(START, None), classify_exam(None, PROCEDURE)):
        assert (interval.exam_class, interval.hours) == (ExamClass.UNKNOWN, None)
        assert "unknown" in interval.sentence


def test_the_exam_begins_with_its_first_image() -> None:
    study = assemble([*series("1.5", seconds=60), *series("1.4", seconds=300)])
    assert acquired_at(study) == START + timedelta(seconds=60)
    assert [phase_time(phase) for phase in study.phases] == [START + timedelta(seconds=300), START + timedelta(seconds=60)]


def test_where_no_image_says_when_the_study_time_counts() -> None:
    study = assemble(with_frames(series("1.4", study_at=START), acquired_at=None))
    assert acquired_at(study) == START
    assert acquired_at(assemble(with_frames(series("1.4"), acquired_at=None))) is None


RULES = (
    ExamRule("periprocedural", "MR guided cryo*"),
    ExamRule("postablation_24h", "*liver 24h*"),
    ExamRule("followup", "*[late]"),
)


def described(*descriptions: str) -> Study:
    """A study whose series have these study descriptions."""
    return assemble(
        [one for number, said in enumerate(descriptions, 4) for one in series(f"1.{number}", study_description=said)]
    )


@pytest.mark.parametrize(
    ("descriptions", "expected"),
    [
        (("MR LIVER 24H post ablation",), ExamClass.POSTABLATION_24H),
        (("mr guided cryoablation, liver 24h",), ExamClass.PERIPROCEDURAL),
        (("MR liver [late]",), ExamClass.FOLLOWUP),
        (("MR liver l",), ExamClass.UNKNOWN),
        (("MR liver",), ExamClass.UNKNOWN),
        (("",), ExamClass.UNKNOWN),
        (("MR liver 24h", "MR liver"), ExamClass.UNKNOWN),
    ],
)
def test_without_a_time_the_first_rule_that_fits_all_images_counts(descriptions: tuple[str, ...], expected: ExamClass) -> None:
    """A study of which a part has another description may be two exams: nothing is guessed."""
    interval = exam_of(described(*descriptions), None, RULES)
    assert (interval.exam_class, interval.hours) == (expected, None)
    assert "nterval to the ablation unknown" in interval.sentence


def test_a_rule_says_that_it_is_one_and_keeps_the_margin_from_an_exam_too_early() -> None:
    interval = exam_of(described("MR guided cryoablation"), None, RULES)
    assert interval.too_early
    assert interval.sentence.startswith("Interval to the ablation unknown; by its study description and a rule")
    assert "within 12 hours" in interval.sentence


def test_the_time_of_the_ablation_goes_before_a_rule() -> None:
    interval = exam_of(described("MR liver 24h"), START - timedelta(hours=3), RULES)
    assert interval.exam_class is ExamClass.PERIPROCEDURAL
    assert interval.hours == pytest.approx(3.0)
