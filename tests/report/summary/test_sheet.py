"""Text stays in its box, on the raster and on paper."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from service.report.pictures.style import ON_BLACK
from service.report.summary.sheet import ELLIPSIS, UNKNOWN_LETTER, Box, Face, Sheet, drawable, width_of
from tests.report.summary.reading import boxes

SENTENCE = "Tumor 1: minimum ablation margin 2.2 mm (95 % interval 2.04 to 2.4 mm): <= 3 mm; WAVE AVATAR iiiillll 2.25.1197."
FACES = [Face(size, bold) for size in (8.0, 8.5, 9.0, 9.5, 10.0, 11.0, 12.5, 14.0) for bold in (False, True)]


@pytest.mark.parametrize("face", FACES, ids=str)
def test_no_line_is_wider_than_it_was_measured(face: Face) -> None:
    figure = Sheet.empty(ON_BLACK).figure
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    for text in (SENTENCE, *SENTENCE.split()):
        drawn = renderer.get_text_width_height_descent(text, face.font, ismath=False)[0]
        assert drawn <= width_of(text, face) + 0.5 <= 1.2 * drawn + 4.0


@pytest.mark.parametrize("width", [40.0, 120.0, 333.0, 900.0])
def test_lines_hold_all_words_in_order(width: float) -> None:
    sheet, face = Sheet.empty(ON_BLACK), Face(9.0)
    lines = sheet.lines(SENTENCE, face, width, 99)
    assert all(width_of(line, face) <= width for line in lines)
    if width > 100.0:
        assert " ".join(lines) == SENTENCE


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    sheet, face = Sheet.empty(ON_BLACK), Face(9.0)
    (line,) = sheet.lines(SENTENCE, face, 200.0, 1)
    assert line.endswith(ELLIPSIS)
    assert SENTENCE.startswith(line.removesuffix(ELLIPSIS).strip())
    (line,) = sheet.lines("1.2.826.0.1.3680043.8.498." * 5, face, 100.0, 3)
    assert line.endswith(ELLIPSIS)
    assert sheet.lines("", face, 100.0, 3) == [""]


def test_writing_uses_the_box_and_says_how_much_of_it() -> None:
    sheet, face, box = Sheet.empty(ON_BLACK), Face(9.0), Box(100.0, 200.0, 300.0, 40.0)
    assert sheet.write(SENTENCE * 3, box, face) == 2 * face.pitch
    assert sheet.write(SENTENCE, Box(100.0, 300.0, 300.0, 5.0), face) == 0.0
    found = boxes(sheet.figure)
    assert len(found) == 2
    for _, drawn in found:
        assert box.left - 1.0 <= drawn.x0 < drawn.x1 <= box.right + 1.0
        assert 1024.0 - box.bottom - 1.0 <= drawn.y0 < drawn.y1 <= 1024.0 - box.top + 1.0


def test_letters_that_no_font_has_are_marked() -> None:
    assert drawable("Łódź, αβγ, Люкс, قباني, 3 \u2264 x, cm\u00b2") == "Łódź, αβγ, Люкс, قباني, 3 <= x, cm\u00b2"
    assert drawable("王\n$x$") == f"{UNKNOWN_LETTER} $x$"


def test_a_number_is_not_parted_from_its_unit() -> None:
    sheet, face = Sheet.empty(ON_BLACK), Face(9.0)
    for width in range(60, 700, 20):
        for line in sheet.lines(SENTENCE, face, float(width), 99)[:-1]:
            assert not line[-1].isdigit() or not SENTENCE.split(line)[1].startswith((" mm", " %"))
