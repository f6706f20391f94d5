from __future__ import annotations

from collections.abc import Callable

import pytest

from service.jobs import selftest
from service.jobs.messages import Answer
from service.jobs.process import Ended, Limits
from service.jobs.selftest import MET, PASSED, said_of, self_test
from service.options import AnalysisOptions

pytestmark = pytest.mark.timeout(240)


def test_the_product_meets_its_phantoms_and_says_which_one_it_measures() -> None:
    heard: list[str] = []
    test = self_test(AnalysisOptions(), Limits(), lambda phantom, _percent: heard.append(phantom))
    assert (test.passed, test.sentence) == (True, PASSED)
    assert heard == ["corner", "dynamic", "oblique"]


def test_what_was_missed_is_said_with_what_to_do() -> None:
    missed = Answer(code="self_test.missed", sentence="phantom 'corner' (slice order): the margin is 2.0 mm too large")
    said = said_of(Ended(missed, "", 0, 0.0), "oblique")
    assert said.startswith("The self-test missed phantom 'corner' (slice order): the margin is 2.0 mm too large. ")
    assert "cryomargin doctor" in said


@pytest.mark.parametrize(("reached", "where"), [("dynamic", "at phantom 'dynamic'"), ("", "before the first phantom")])
def test_a_process_that_dies_names_the_phantom_it_died_at(reached: str, where: str) -> None:
    said = said_of(Ended(None, "The analysis was ended by signal SIGSEGV.", 0, 0.0), reached)
    assert said.startswith(f"The self-test broke off {where}: The analysis was ended by signal SIGSEGV. ")


def test_only_the_word_of_success_is_success() -> None:
    assert said_of(Ended(Answer(code=MET), "", 0, 0.0), "oblique") == ""
    assert said_of(Ended(Answer({"tumors": []}), "", 0, 0.0), "oblique") != ""


def test_a_self_test_that_breaks_off_has_not_passed() -> None:
    """Out of time before the process could say anything."""
    test = self_test(AnalysisOptions(), Limits(timeout_s=0.01))
    assert not test.passed
    assert "took longer than 0.01 s" in test.sentence


def test_the_phantom_that_was_begun_last_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(_request: object, _folder: object, _limits: object, progress: Callable[[str, int], None], *_rest: object) -> Ended:
        progress("corner", 0)
        progress("dynamic", 33)
        return Ended(None, "It crashed.", 0, 0.0)

    monkeypatch.setattr(selftest, "run_analysis", dies)
    assert "at phantom 'dynamic': It crashed." in self_test(AnalysisOptions(), Limits()).sentence
