"""The page says what the report says, where there is room for it, and tells nobody's name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from service.features import margin
from service.features.finding import Finding, Reason, Status
from service.report.pictures.style import ON_WHITE
from service.report.record import findings_table, to_record
from service.report.summary.page import identified, page, pages, pixels
from service.report.summary.panels import NOT_AT_HAND
from service.report.summary.sheet import UNKNOWN_LETTER
from service.report.verdict import NOTHING, verdict
from service.report.wording import RESEARCH_USE
from tests.report.conftest import Sample, sample, without_regions
from tests.report.measured import seen, surface_of
from tests.report.pictures.reading import named
from tests.report.summary.conftest import LONG, draft_of, many, with_findings
from tests.report.summary.reading import boxes, outside, overlapping, said

NAMES = {
    "latin": "Müller^Jörg^^Dr.",
    "cyrillic": "Люксембург^Анна",
    "greek": "Διονυσιος",
    "arabic": "قباني^لنزار",
    "ideographs": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "ideographs alone": "王^小東",
    "none": "",
    "long": "Featherstonehaugh-Cholmondeley-Wriothesley^Maximiliana Theodora",
    "mathematics": "$x_1$^\\alpha",
}


def first_page(given: Sample, who: str = "none") -> Figure:
    return page(draft_of(given, who), 0)


def named_patient(name: str, number: str = "ID-4711") -> Sample:
    def change(image: object) -> None:
        image.PatientName, image.PatientID = name, number  # type: ignore[attr-defined]

    return sample(change=change)


def assert_readable(figure: Figure) -> None:
    assert outside(figure) == []
    assert overlapping(figure) == []


def test_page_is_1024_pixels_square_and_the_same_each_time(plain: Sample) -> None:
    first, second = (pixels(first_page(plain)) for _ in range(2))
    assert first.shape == (1024, 1024, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert first[0, 0].tolist() == [0, 0, 0]
    assert pixels(page(draft_of(plain), 0, ON_WHITE))[0, 0].tolist() == [255, 255, 255]


def test_verdict_and_limits_come_first_and_the_condition_of_use_last(plain: Sample) -> None:
    heights = {text: box.y0 for text, box in boxes(first_page(plain))}
    tops = sorted(heights, key=lambda text: -heights[text])
    sentence = verdict(plain.result.tumors[:1])
    assert sentence in tops[2:4]
    assert tops.index(sentence) < tops.index("Limits: The procedure time is unknown.") < tops.index("Finding")
    assert tops[-1] == RESEARCH_USE


def test_every_finding_says_what_the_table_of_the_record_says(plain: Sample) -> None:
    words = said(first_page(plain))
    for row in findings_table(to_record(plain.result)):
        assert row.title in words
        assert row.answer in words
        assert row.interval in words
        for part in row.remark.split():
            assert part in words


def test_provenance_names_software_series_and_contours(plain: Sample) -> None:
    words = said(first_page(plain))
    for fact in (
        "Cryomargin 0.1.0, settings feedc0de",
        "2024-03-06 09:08",
        "Exam of 2024-03-05",
        "portal venous (reference): 5 'T1 fat sat 5'",
        "tumor drawn: SEG segment 1 'Tumor'",
        "ablation zone classical 1",
        "liver not found",
    ):
        assert fact in words
    assert "T1 fat sat 1" not in words, "the localizer was not used"


def test_each_tumor_has_its_page_with_every_picture(drawn: Sample) -> None:
    figures = list(pages(draft_of(drawn)))
    assert len(figures) == 2
    for number, figure in enumerate(figures, start=1):
        assert_readable(figure)
        assert f"({number} of 2)" in said(figure)
        assert f"tumor {number}: minimum ablation margin" in said(figure)
        pictures = [{gid for gid in ("tumor", "ring", "margin", "path", "3 mm", "minimum", "threshold") if named(axes, gid)}
                    for axes in figure.axes]  # fmt: skip
        assert sum({"ring", "margin"} <= picture for picture in pictures) == 3
        assert sum({"tumor", "path"} <= picture for picture in pictures) == 1
        assert sum("minimum" in picture for picture in pictures) == 2


def test_paper_is_as_readable(drawn: Sample) -> None:
    assert_readable(page(draft_of(drawn), 0, ON_WHITE))


@pytest.mark.parametrize("count", [1, 12, 22, 40])
@pytest.mark.parametrize("sentence", ["No.", LONG], ids=["short", "long"])
def test_nothing_overlaps_however_much_there_is_to_say(plain: Sample, count: int, sentence: str) -> None:
    given = with_findings(plain, many(count, sentence))
    given = Sample(replace(given.result, warnings=tuple(f"{n}: {sentence}" for n in range(count))), given.sources)
    figure = first_page(given)
    assert_readable(figure)
    words = said(figure)
    told = sum(f"Finding {number} of the" in words for number in range(count))
    assert told == count or f"{count - told} more findings in the Structured Report." in words
    assert told >= min(count, 12)


def test_a_verdict_without_end_is_cut(plain: Sample) -> None:
    findings = (replace(many(2)[1], name=margin.NAME, reason=Reason("long", LONG * 5)),)
    figure = first_page(with_findings(plain, findings))
    assert_readable(figure)
    assert "\u2026" in said(figure)


def test_a_shared_reason_is_told_once_below_the_table(plain: Sample) -> None:
    sentence = "There is no portal-venous phase."
    findings = tuple(replace(one, reason=Reason("same", sentence)) for one in many(9) if one.reason is not None)
    words = said(first_page(with_findings(plain, findings)))
    assert words.count(sentence) == 1
    assert words.count("not assessable: see [1]") == words.count("not attempted: see [1]") == 3


def test_without_tumors_the_page_says_so(none: Sample) -> None:
    (figure,) = pages(draft_of(Sample(replace(none.result, verdict=""), none.sources)))
    assert_readable(figure)
    assert NOTHING in said(figure)


def test_without_contours_the_reason_stands_in_the_place_of_each_picture(plain: Sample) -> None:
    sentence = "No tumor is known in this ablation zone."
    finding = Finding(
        margin.NAME, margin.TITLE, margin.CODE, margin.METHOD, Status.NOT_ASSESSABLE, reason=Reason("no", sentence)
    )
    figure = first_page(with_findings(without_regions(plain), (finding,)))
    assert_readable(figure)
    assert said(figure).replace("\n", " ").count("not assessable. No tumor is known") == 3
    assert not figure.axes


def test_without_the_image_the_margin_is_drawn_and_the_planes_are_not(drawn: Sample) -> None:
    figure = first_page(Sample(replace(drawn.result, image=None), drawn.sources))
    assert_readable(figure)
    assert NOT_AT_HAND in said(figure)
    assert len(figure.axes) == 2


def test_a_margin_that_nobody_can_judge_has_no_number(drawn: Sample) -> None:
    """The whole surface is hatched; no picture states a minimum that the report does not state."""
    hidden = seen(drawn, np.zeros(len(surface_of(drawn).points), dtype=bool))
    first, *others = hidden.result.tumors
    reason = Reason("margin.not_visible", "No part of the margin can be seen.")
    finding = Finding(margin.NAME, margin.TITLE, margin.CODE, margin.METHOD, Status.NOT_ASSESSABLE, reason=reason)
    changed = replace(first, findings=(finding, *first.findings[1:]))
    figure = first_page(Sample(replace(hidden.result, tumors=(changed, *others)), hidden.sources))
    assert_readable(figure)
    assert "No part of the margin can be seen." in said(figure)
    assert not any(named(axes, "minimum") or named(axes, "margin") for axes in figure.axes)
    assert "100 % of surface" in said(figure)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_patient_stands_on_the_page_only_where_the_site_wants_it(name: str) -> None:
    given = named_patient(name)
    by_default, by_id, by_name = (first_page(given, who) for who in ("none", "id", "name"))
    assert "ID-4711" not in said(by_default)
    assert "Patient ID ID-4711" in said(by_id)
    assert "ID-4711" in said(by_name)
    for part in name.split("=", maxsplit=1)[0].split("^")[:2]:
        assert part not in said(by_default) or not part
        assert part not in said(by_id) or not part
    for figure in (by_default, by_id, by_name):
        assert_readable(figure)


def test_a_name_is_written_as_people_write_it() -> None:
    words = {key: said(first_page(named_patient(name), "name")) for key, name in NAMES.items()}
    assert "ID ID-4711, Müller, Jörg" in words["latin"]
    assert "Люксембург, Анна" in words["cyrillic"]
    assert "Yamada, Tarou" in words["ideographs"]
    assert "ID ID-4711, name unknown" in words["none"]
    assert f"ID ID-4711, {UNKNOWN_LETTER}, {2 * UNKNOWN_LETTER}" in words["ideographs alone"]
    assert "$x_1$" in words["mathematics"]


@pytest.mark.parametrize(("who", "expected"), [("none", False), ("id", True), ("name", True)])
def test_who_is_named_is_known(who: str, expected: bool) -> None:  # noqa: FBT001
    draft = draft_of(named_patient("Müller^Jörg"), who)
    assert identified(draft, pages(draft)) is expected


def test_a_name_in_a_label_is_noticed() -> None:
    """What a reader wrote into a contour's label is on the page; then it is not without identification."""
    given = named_patient("Müller^Jörg")
    first = replace(given.result.tumors[0], tracking_id="lesion of mr. MÜLLER")
    draft = draft_of(Sample(replace(given.result, tumors=(first,)), given.sources))
    assert identified(draft, pages(draft))


def test_drawing_leaves_no_global_state() -> None:
    program = "import sys, service.report.compose; print('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
