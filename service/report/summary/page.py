"""The page as a figure: what it says first is what a reader needs first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from service.report.draft import Draft
from service.report.pictures.style import ON_BLACK, Ink
from service.report.summary import texts
from service.report.summary.panels import histogram_panel, map_panel, place_panel, vessel_panel
from service.report.summary.sheet import Box, Face, Sheet
from service.report.summary.table import findings_table, soft
from service.report.wording import RESEARCH_USE

LEFT, WIDTH = 14.0, 996.0
TITLE = Box(LEFT, 6.0, 440.0, 20.0)
WHO = Box(LEFT + TITLE.width + 10.0, 7.0, WIDTH - TITLE.width - 10.0, 18.0)
HEAD = Box(LEFT, 31.0, WIDTH, 112.0)  # verdict and limits
LEAST_LIMITS = 17.0  # pixels of it that the verdict leaves
FINDINGS = Box(LEFT, HEAD.bottom, 604.0, 478.0)
PICTURES = Box(630.0, HEAD.bottom, 380.0, 478.0)
MAP_HEIGHT = 272.0
PLANES = tuple(Box(LEFT + 252.0 * number, 629.0, 240.0, 256.0) for number in range(3))
VESSEL = Box(LEFT + 252.0 * 3, 629.0, 240.0, 256.0)
KEY = Box(LEFT, 887.0, WIDTH, 20.0)
PROVENANCE = Box(LEFT, 915.0, WIDTH, 80.0)
RESEARCH = Box(LEFT, 1000.0, WIDTH, 20.0)

TOP, LARGE, FINE = Face(11.0, bold=True), Face(10.5, bold=True), Face(8.5)
SMALL = Face(9.5)
VERDICTS = (14.0, 12.5, 11.0, 10.0)  # points


def pages(draft: Draft, ink: Ink = ON_BLACK) -> Iterator[Figure]:
    """One page for each tumor, and one that says so where there is none."""
    for index in range(max(len(draft.result.tumors), 1)):
        yield page(draft, index, ink)


def page(draft: Draft, index: int, ink: Ink = ON_BLACK) -> Figure:
    """The page of one tumor."""
    sheet = Sheet.empty(ink)
    result = draft.result
    tumor = result.tumors[index] if result.tumors else None
    used = _head(sheet, draft, index) - HEAD.height
    findings_table(sheet, tumor.findings if tumor is not None else (), FINDINGS.below(used))
    right = PICTURES.below(used)
    map_panel(sheet, tumor, Box(right.left, right.top, right.width, MAP_HEIGHT))
    histogram_panel(sheet, tumor, right.below(MAP_HEIGHT + 4.0))
    place_panel(sheet, result, tumor, PLANES, KEY)
    vessel_panel(sheet, result, tumor, VESSEL)
    _foot(sheet, draft, index)
    return sheet.figure


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """The page as RGB, (rows, columns, 3)."""
    figure.canvas.draw()
    return np.ascontiguousarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])  # type: ignore[attr-defined]


def identified(draft: Draft, figures: Iterable[Figure]) -> bool:
    """Whether pages name the patient, be it because a label or a series description does."""
    said = " ".join(text.get_text() for figure in figures for text in figure.findobj(Text))
    return any(identifier.search(said) for identifier in texts.identifiers(draft))


def _head(sheet: Sheet, draft: Draft, index: int) -> float:
    """Title, verdict and limits; gives the height that the last two take, pixels."""
    who = "; ".join(text for text in (texts.patient(draft), texts.exam(draft)) if text)
    sheet.write(texts.title(draft, index), TITLE, TOP)
    sheet.write(who, WHO, SMALL, align="right")
    sheet.rule(HEAD.top - 4.0, LEFT, LEFT + WIDTH)
    said = texts.answer(draft, index)
    room = Box(HEAD.left, HEAD.top, HEAD.width, HEAD.height - LEAST_LIMITS)
    used = sheet.write(said, room, _largest(sheet, said, room)) + 2.0
    return used + sheet.write(texts.limits(draft), HEAD.below(used), SMALL) + 6.0


def _largest(sheet: Sheet, said: str, room: Box) -> Face:
    """The largest face in which the verdict finds room, three lines at most as long as that does."""
    for size in VERDICTS:
        face = Face(size, bold=True)
        if len(sheet.lines(said, face, room.width, 99)) * face.pitch <= room.height:
            return face
    return Face(VERDICTS[-1], bold=True)


def _foot(sheet: Sheet, draft: Draft, index: int) -> None:
    sheet.rule(PROVENANCE.top - 4.0, LEFT, LEFT + WIDTH)
    left = PROVENANCE
    for paragraph in texts.provenance(draft, index):
        part = Box(left.left, left.top, left.width, min(left.height, 2 * FINE.pitch))
        left = left.below(sheet.write(paragraph, part, FINE, color=soft(sheet.ink)))
    sheet.write(RESEARCH_USE, RESEARCH, LARGE)
