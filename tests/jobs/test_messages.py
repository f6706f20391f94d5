"""What worker and analysis process say to each other survives the way as JSON, with what people said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from service.jobs.messages import ANSWER, REQUEST, Answer, Request
from service.options import AnalysisOptions, Earlier, EarlierExam, ExamRule, Identity, RoleRule
from service.study.identity import Compared, Doubt
from service.study.overrule import Understood

PHASE = Understood(
    "1.2#1", "1.2", 4, "temporal position 1", "SIEMENS Sola 1", "liver", "vibe", 1, "t1_pre", 0.9, ("said",), told=True
)

EXAM = EarlierExam("1.2.4", "abc", ("2.25.1",), Identity("a", "", "b", "c"))


def test_a_request_comes_back_as_it_was() -> None:
    options = AnalysisOptions(
        segmenters=("drawn", "network", "classical"),
        roles=(RoleRule("arterial", "SIEMENS Sola 1", "liver", "vibe", 2),),
        exams=(ExamRule("followup", "mr liver*"),),
        network="/somewhere",
        seeds=((1.0, -2.5, 3.0),),
        procedure_at=datetime(2026, 2, 28, 10, 0),  # noqa: DTZ001 - hospital time
    )
    earlier = Earlier(("1.2.3",), (EXAM,))
    request = Request((Path("a"),), "0123", datetime(2026, 3, 1, tzinfo=UTC), earlier, options)
    assert REQUEST.validate_json(REQUEST.dump_json(request)) == request


def test_an_answer_without_a_result_still_says_how_series_were_understood() -> None:
    compared = Compared(Identity("a", "", "b", "c"), EXAM, (Doubt("1.2.5", "It may be of another person."),))
    answer = Answer(code="exam.not_postablation_liver", sentence="No.", phases=(PHASE,), compared=compared)
    assert ANSWER.validate_json(ANSWER.dump_json(answer)) == answer
