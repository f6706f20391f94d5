from __future__ import annotations

from service.jobs.expected import Expected
from service.jobs.messages import Answer
from service.jobs.rehearse import MISSED, judged, verdict
from service.jobs.selftest import MET
from service.phantom.truth import Margin, Truth
from service.phantom.vessels import VesselCategory, VesselTruth

PLACE = (0.0, 0.0, 0.0)
TRUTH = Truth(Margin(2.0, PLACE, PLACE), 1.0, 10.0, 0.0, None, VesselTruth(VesselCategory.NONE), 0.0)
EXPECTED = Expected("corner", "slice order", TRUTH, {}, {})


def test_a_study_that_is_refused_is_missed_with_its_sentence() -> None:
    said = judged(Answer(code="c", sentence="No series can be used."), EXPECTED)
    assert said == "phantom 'corner' (slice order) gave no result: No series can be used."


def test_everything_missed_stands_in_one_sentence_with_the_name_of_the_phantom() -> None:
    said = judged(Answer({"phases": [], "tumors": []}), EXPECTED)
    assert said.startswith("phantom 'corner' (slice order): 0 tumors were found, it has 1; minimum ablation margin was not")


def test_one_phantom_missed_is_enough() -> None:
    assert verdict(["", "", ""]) == Answer(code=MET)
    assert verdict(["", "phantom 'b': off.", "phantom 'c': off"]) == Answer(
        code=MISSED, sentence="phantom 'b': off. phantom 'c': off"
    )
