"""No output says more than was measured."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from service.codes import Code
from service.report import vocabulary
from service.report.compose import compose
from service.report.record import findings_table, to_record
from service.report.segments import plan
from service.report.wording import FORBIDDEN, RESEARCH_USE, clip, plain
from tests.report.conftest import MEASUREMENTS, NOTE, Sample

REPORT = Path(vocabulary.__file__).parent


def values(dataset: Dataset) -> str:
    """Every value of a data set, also of nested ones, a line each."""
    return "\n".join(str(element.value) for element in dataset.iterall() if element.VR not in {"SQ", "OB"})


def all_text(given: Sample) -> str:
    objects = [values(made.dataset) for made in compose(given.result, given.sources, MEASUREMENTS)]
    return "\n".join([*objects, json.dumps(to_record(given.result))]).lower()


@pytest.mark.parametrize("kind", ["one", "two", "none", "multiframe"])
@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_output_holds_a_word_that_claims_too_much(kind: str, word: str, request: pytest.FixtureRequest) -> None:
    assert word not in all_text(request.getfixturevalue(kind))


def test_no_sentence_of_this_package_holds_such_a_word() -> None:
    """Also in what no sample happens to print: every text in the source but the list itself."""
    for path in REPORT.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in FORBIDDEN:
                assert not any(word in node.value.lower() for word in FORBIDDEN), (path.name, node.value)


def test_every_output_says_what_it_may_be_used_for(one: Sample) -> None:
    seg, report = (values(made.dataset) for made in compose(one.result, one.sources, MEASUREMENTS))

    assert RESEARCH_USE in seg
    assert RESEARCH_USE in report
    assert to_record(one.result)["research_use"] == RESEARCH_USE
    assert RESEARCH_USE == "For research use. Not for primary diagnosis; verify on the source images."


def test_a_note_stands_wherever_its_finding_stands(two: Sample) -> None:
    report = compose(two.result, two.sources, MEASUREMENTS)[-1].dataset
    groups = [
        item for part in report.ContentSequence for item in part.get("ContentSequence", ()) if "ContentTemplateSequence" in item
    ]

    assert len(groups) == 2
    for group in groups:
        assert NOTE in values(group)
    assert [row.remark for row in findings_table(to_record(two.result)) if "enhancement" in row.title] == [NOTE] * 2


def test_our_own_codes_fit_their_element() -> None:
    for code in vars(vocabulary).values():
        if isinstance(code, Code):
            assert len(code.value) <= 16
            assert len(code.meaning) <= 64


def test_texts_from_outside_are_made_harmless(two: Sample) -> None:
    assert plain("a\x1b[31mb\nc") == "a [31mb c"
    assert clip("a\\b" * 40, 64) == ("a/b" * 40)[:64]
    assert all(len(segment.label) <= 64 for segment in plan(two.result).all)


def test_long_labels_are_cut_to_what_the_element_holds(one: Sample) -> None:
    dataset: Dataset = compose(one.result, one.sources, MEASUREMENTS)[0].dataset

    for segment in dataset.SegmentSequence:
        assert len(segment.SegmentLabel) <= 64
        assert len(segment.SegmentAlgorithmName) <= 64
