"""Reading a page back: all texts, and the boxes that they fill."""

from __future__ import annotations

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from service.report.summary.page import pixels
from service.report.summary.sheet import SIDE

TOUCHING = 1.5  # pixels by which boxes may overlap: they are a little larger than the letters in them


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that can be seen, with its box in pixels from the lower left corner."""
    pixels(figure)
    return [(text.get_text(), text.get_window_extent()) for text in _texts(figure)]


def said(figure: Figure) -> str:
    """All words of the page."""
    return " ".join(text.get_text() for text in _texts(figure))


def outside(figure: Figure) -> list[str]:
    """Texts that leave the page."""
    return [text for text, box in boxes(figure) if min(box.x0, box.y0) < 0 or max(box.x1, box.y1) > SIDE]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts of which one covers a part of the other."""
    shrunk = [(text, box.padded(-TOUCHING)) for text, box in boxes(figure)]
    return [(one, other) for (one, a), (other, b) in combinations(shrunk, 2) if a.overlaps(b)]


def _texts(figure: Figure) -> list[Text]:
    """The texts that are drawn: of the numbers at an axis, those within its limits."""
    axes = [one for one in figure.axes if one.axison]
    drawn = {id(tick.label1) for one in axes for axis in (one.xaxis, one.yaxis) for tick in axis._update_ticks()}  # type: ignore[union-attr]
    numbers = {
        id(label)
        for one in figure.axes
        for axis in (one.xaxis, one.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    texts = (text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible() and text.get_text().strip())
    return [text for text in texts if id(text) in drawn or id(text) not in numbers]
