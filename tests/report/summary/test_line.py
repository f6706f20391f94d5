"""A line is set where the drawing library would write it, in the same letters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from service.report.pictures.canvas import blank
from service.report.pictures.style import ON_BLACK, ON_WHITE, Ink
from service.report.summary.line import Line
from service.report.summary.page import pixels
from service.report.summary.sheet import Face

TEXTS = ("Minimum ablation margin (gap), 2.3 mm", "AVAVA Type fj", "Люксембург", "قباني لنزار", "$x_1$ ...", "A", " ")


def drawn(kind: type[Text], text: str, face: Face, align: str, ink: Ink = ON_BLACK) -> np.ndarray:
    """A figure of 500 x 40 pixels with one text whose baseline is 15 pixels above the lower edge, (row, column, RGB)."""
    figure: Figure = blank(5.0, 0.4, ink)
    figure.set_dpi(100.0)
    place = (0.02 if align == "left" else 0.98, 15.0 / 40.0)
    look: dict[str, Any] = {"color": ink.pen, "ha": align, "va": "baseline", "parse_math": False}
    figure.add_artist(kind(*place, text, fontproperties=face.font, transform=figure.transFigure, **look))
    return pixels(figure).astype(float)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("face", [Face(9.0), Face(14.0, bold=True)], ids=["small", "large"])
def test_it_looks_as_the_library_writes_it(text: str, face: Face) -> None:
    """From a place on a whole pixel it is the same; toward one it lies up to half a pixel beside, as it begins between two."""
    own, other = drawn(Line, text, face, "left"), drawn(Text, text, face, "left")
    assert np.array_equal(own, other)
    assert (own.max() > 200) == bool(text.strip())
    own, other = drawn(Line, text, face, "right"), drawn(Text, text, face, "right")
    assert np.abs(own - other).mean() <= 0.3 * other.mean()


def test_it_has_the_color_of_the_ink() -> None:
    on_black, on_white = (drawn(Line, TEXTS[0], Face(9.0), "left", ink) for ink in (ON_BLACK, ON_WHITE))
    assert np.abs(255.0 - on_black - on_white).max() <= 2.0
