from __future__ import annotations

import pytest

from service.jobs import selftest
from service.jobs.messages import Answer
from service.jobs.process import Ended, Limits
from service.jobs.selftest import self_test
from service.options import AnalysisOptions

pytestmark = pytest.mark.timeout(120)


def test_the_product_meets_its_phantom() -> None:
    test = self_test(AnalysisOptions(), Limits())
    assert (test.passed, test.sentence) == (True, "The self-test phantom was met.")


def finding(name: str, category: str, value: float | None = None) -> dict[str, object]:
    """A finding as it stands in a record."""
    return {"name": name, "title": name, "answer": category, "category": {"value": category}, "value": value}


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (Ended(None, "It crashed.", 0, 0.0), "gave no result: It crashed."),
        (Ended(Answer(code="c", sentence="Not a liver."), "", 0, 0.0), "gave no result: Not a liver."),
        (Ended(Answer({"tumors": []}), "", 0, 0.0), "the margin is inf mm off"),
        (
            Ended(Answer({"tumors": [{"findings": [finding("minimum_ablation_margin", "MARGINLE3", 0.5)]}]}), "", 0, 0.0),
            "the margin is 1.7 mm off",
        ),
        (
            Ended(Answer({"tumors": [{"findings": [finding("minimum_ablation_margin", "MARGINGT3", 2.2)]}]}), "", 0, 0.0),
            "minimum_ablation_margin: MARGINGT3, truth 2.2 mm",
        ),
    ],
)
def test_what_is_missed_is_said(monkeypatch: pytest.MonkeyPatch, ended: Ended, said: str) -> None:
    monkeypatch.setattr(selftest, "run_analysis", lambda *_arguments: ended)
    test = self_test(AnalysisOptions(), Limits())
    assert not test.passed
    assert said in test.sentence
