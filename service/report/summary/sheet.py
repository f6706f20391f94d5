"""A sheet of paper measured in pixels from its upper left corner, on which text never leaves its box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import get_hinting_flag
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, get_font
from matplotlib.patches import Rectangle

from service.report.pictures.canvas import blank
from service.report.pictures.style import Ink
from service.report.summary.line import Line
from service.report.wording import plain

SIDE = 1024  # pixels
DPI = 100.0  # so that the pictures' 10 points are 14 pixels, as they were made for
LEADING = 1.28  # of the font's size, from line to line
BASELINE = 0.97  # of the font's size, below the top of a line
GLUE, NUMBER_WITH_UNIT = "\u00a0", r"(?<=\d) (?=mm|mL|%)"
ELLIPSIS = "\u2026"
UNKNOWN_LETTER = "\u25a1"  # stands for a letter that the font does not have


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the sheet, pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    def below(self, height: float) -> Box:
        """What is left below the upper `height` pixels."""
        return Box(self.left, self.top + height, self.width, max(self.height - height, 0.0))


@dataclass(frozen=True, slots=True)
class Face:
    """How text is set: its size in points, and whether it is bold."""

    size: float
    bold: bool = False

    @property
    def pitch(self) -> float:
        """From line to line, pixels."""
        return float(round(self.size * DPI / 72.0 * LEADING))

    @property
    def font(self) -> FontProperties:
        """The font, from the files that come with the drawing library: it looks the same on every machine."""
        return FontProperties(fname=_file(bold=self.bold), size=self.size)


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The page that is being written on."""

    figure: Figure
    ink: Ink

    @classmethod
    def empty(cls, ink: Ink) -> Sheet:
        """A sheet with nothing on it."""
        figure = blank(SIDE / DPI, SIDE / DPI, ink)
        figure.set_dpi(DPI)
        return cls(figure, ink)

    def lines(self, text: str, face: Face, width: float, most: int) -> list[str]:
        """The text in lines no wider than `width`, at most `most`; an ellipsis stands where the rest was cut."""
        return list(_broken(text, face, width, most))

    def write(self, text: str, box: Box, face: Face, *, color: str = "", align: str = "left") -> float:
        """Write into the box from its top and give the height that was used, pixels."""
        lines = self.lines(text, face, box.width, int(box.height // face.pitch)) if box.height >= face.pitch else []
        for number, line in enumerate(lines):
            self._line(line, box.below(number * face.pitch), face, color or self.ink.pen, align)
        return len(lines) * face.pitch

    def axes(self, box: Box) -> Axes:
        """Axes that fill the box."""
        return self.figure.add_axes((*self._at(box.left, box.bottom), box.width / SIDE, box.height / SIDE))

    def fill(self, box: Box, color: str, *, edge: str = "none") -> None:
        """A rectangle below everything else."""
        corner = self._at(box.left, box.bottom)
        look: dict[str, Any] = {"facecolor": color, "edgecolor": edge, "linewidth": 0.8, "zorder": -1.0}
        self.figure.add_artist(Rectangle(corner, box.width / SIDE, box.height / SIDE, **look))

    def rule(self, top: float, left: float, right: float) -> None:
        """A horizontal line."""
        self.fill(Box(left, top, right - left, 1.0), self.ink.faint)

    def _line(self, text: str, box: Box, face: Face, color: str, align: str) -> None:
        x = {"left": box.left, "right": box.right, "center": (box.left + box.right) / 2.0}[align]
        place = self._at(x, box.top + BASELINE * face.size * DPI / 72.0)
        look: dict[str, Any] = {"color": color, "ha": align, "va": "baseline", "parse_math": False}
        self.figure.add_artist(Line(*place, text, fontproperties=face.font, transform=self.figure.transFigure, **look))

    @staticmethod
    def _at(x: float, y: float) -> tuple[float, float]:
        """The place as fractions of the figure, which are counted from its lower left corner."""
        return x / SIDE, 1.0 - y / SIDE


def width_of(text: str, face: Face) -> float:
    """How wide a line is at most, pixels: the sum of its letters, without the closer setting of some pairs.

    >>> width_of("margin", Face(9.0)) < width_of("margins", Face(9.0)) < width_of("margins", Face(9.0, bold=True))
    True
    """
    return max(_extents(text, face))


def drawable(text: str) -> str:
    """The text with a mark for each letter that the font cannot draw.

    >>> drawable("Müller " + chr(0x738B)) == "Müller " + UNKNOWN_LETTER
    True
    """
    return "".join(letter if letter == " " or ord(letter) in _letters() else UNKNOWN_LETTER for letter in plain(text))


@lru_cache(maxsize=4096)  # a table is planned in many ways before one is written
def _broken(text: str, face: Face, width: float, most: int) -> tuple[str, ...]:
    """See `Sheet.lines`."""
    lines = _filled(_words(drawable(text)), face, width)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} {ELLIPSIS}"]
    return tuple(_cut(line, face, width) for line in lines)


def _filled(words: Iterator[str], face: Face, width: float) -> list[str]:
    """The words in lines, as many in each as `width` holds; a word that is wider has a line of its own."""
    lines = [next(words, "")]
    raster, vector = _extents(lines[0], face)
    gap = _advance(" ", face)
    for word in words:
        own = _extents(word, face)
        raster, vector = raster + gap[0] + own[0], vector + gap[1] + own[1]
        if max(raster, vector) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
            raster, vector = own
    return lines


def _cut(line: str, face: Face, width: float) -> str:
    """The line, or what fits of it and an ellipsis."""
    if width_of(line, face) <= width:
        return line
    line = line.removesuffix(ELLIPSIS)
    while line and width_of(line.rstrip() + ELLIPSIS, face) > width:
        line = line[:-1]
    return line.rstrip() + ELLIPSIS


def _words(text: str) -> Iterator[str]:
    """What is not parted at the end of a line: words, and a number with its unit."""
    return (word.replace(GLUE, " ") for word in re.sub(NUMBER_WITH_UNIT, GLUE, text).split(" ") if word)


@lru_cache(maxsize=4096)
def _extents(text: str, face: Face) -> tuple[float, float]:
    """The sums of the advances of all letters, pixels."""
    advances = [_advance(letter, face) for letter in text]
    return sum(raster for raster, _ in advances), sum(vector for _, vector in advances)


@cache
def _advance(letter: str, face: Face) -> tuple[float, float]:
    """From a letter to the next, pixels: on the raster, where it is a whole number, and in a document of vectors."""
    font = get_font(_file(bold=face.bold))
    font.set_size(face.size, DPI)
    glyph = font.load_char(ord(letter), get_hinting_flag())  # type: ignore[no-untyped-call]
    return glyph.horiAdvance / 64.0, glyph.linearHoriAdvance / 65536.0


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(_file(bold=False)).get_charmap()) & frozenset(get_font(_file(bold=True)).get_charmap())


def _file(*, bold: bool) -> str:
    return f"{mpl.get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf"
