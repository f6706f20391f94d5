"""The narrowest place in three planes of the patient, as one would look it up on the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from service.codes import MM
from service.regions.margin_surface import MarginSurface
from service.report.pictures.canvas import blank
from service.report.pictures.lettering import write_outlined
from service.report.pictures.sections import PENS, Pen, Scene, draw, sections
from service.report.pictures.style import ON_BLACK, SMALL, TEXT, Ink, outline
from service.report.pictures.unrolled import middle
from service.report.wording import shown
from service.study.model import Vector
from service.volumes.volume import Matrix

SMALLEST, LARGEST = 16.0, 32.0  # mm from the middle of a picture to its edge
CONTEXT = 9.0  # mm shown around a tumor of which most is in the picture
AWAY, LETTER = 14.0, 7.0  # points: from the line to its number, and what a letter of it takes
ALONG = 0.9  # of its length; a line of which less lies in the plane is dashed
MARGIN = Pen("margin", "white", 2.2)
LEAVING = Pen("margin, leaving the plane", "white", 2.2, (0, (1.5, 1)), end="black")


def figure(surface: MarginSurface, scene: Scene, place: Vector, ink: Ink = ON_BLACK) -> Figure:
    """The three planes and their key, two by two."""
    drawn = blank(5.0, 5.0, ink)
    corners = ((0.005, 0.505), (0.505, 0.505), (0.005, 0.005), (0.505, 0.005))
    axes = [drawn.add_axes((*corner, 0.49, 0.49)) for corner in corners]
    narrowest(axes[:3], surface, scene, place)
    key(axes[3], ink, f"Narrowest place: {shown(_margin_at(surface, place), MM)}")
    return drawn


def narrowest(axes: Sequence[Axes], surface: MarginSurface, scene: Scene, place: Vector) -> None:
    """Draw the axial, coronal and sagittal plane through `place` (LPS mm, on the tumor surface) into three axes.

    Patient's right on the left of the picture. The line goes from `place` to the nearest point of untreated liver, projected
    on the plane; its number is the true distance.
    """
    start = np.array(place)
    center, half = around(surface, start)
    cuts = sections(scene, surface, start, center, half)
    draw(axes, cuts)
    way = surface.nearest[_index(surface, start)] - start
    for drawn, plane in zip(axes, cuts, strict=True):
        _margin(drawn, plane.view.flat(way), _margin_at(surface, place))


def key(axes: Axes, ink: Ink = ON_BLACK, title: str = "", *, columns: int = 1, more: Sequence[Pen] = ()) -> None:
    """Draw what the lines mean, and those of `more` pictures, below a title."""
    axes.set_axis_off()
    handles = [_sample_of(pen) for pen in (*PENS.values(), MARGIN, LEAVING, *more)]
    look: dict[str, Any] = {"loc": "center", "fontsize": SMALL, "labelcolor": ink.pen, "frameon": False, "columnspacing": 1.2}
    drawn = axes.legend(handles=handles, ncols=columns, **look)
    drawn.set_title(title, FontProperties(size=TEXT, weight="bold"))
    drawn.get_title().set_color(ink.pen)


def _sample_of(pen: Pen) -> Line2D:
    marker = "o" if pen in (MARGIN, LEAVING) else ""
    look: dict[str, Any] = {
        "marker": marker,
        "markersize": 4,
        "markerfacecolor": pen.end,
        "path_effects": pen.under,
        "label": pen.meaning,
    }
    return Line2D([], [], color=pen.color, linewidth=pen.width, linestyle=pen.dashes, **look)


def around(surface: MarginSurface, place: Matrix) -> tuple[Matrix, float]:
    """Middle (3,) of the pictures, halfway into the tumor, and how far they reach to each side, mm."""
    radius = float(np.sqrt(surface.areas.sum() / (4.0 * np.pi)))
    return (place + middle(surface)) / 2.0, float(np.clip(0.9 * radius + CONTEXT, SMALLEST, LARGEST))


def _margin_at(surface: MarginSurface, place: Vector) -> float:
    return float(surface.margin[_index(surface, np.array(place))])


def _index(surface: MarginSurface, place: Matrix) -> int:
    return int(np.argmin(np.linalg.norm(surface.points - place, axis=1)))


def _margin(axes: Axes, way: Matrix, margin: float) -> None:
    """The line from the place at (0, 0) to the nearest untreated liver, and its true length."""
    right, up = way
    within = float(np.hypot(right, up))
    pen = MARGIN if within >= ALONG * abs(margin) else LEAVING
    look: dict[str, Any] = {"color": pen.color, "path_effects": outline("black", 4.2), "scalex": False, "scaley": False}
    axes.plot([0, right], [0, up], linewidth=pen.width, linestyle=pen.dashes, **look)[0].set_gid("margin")
    axes.plot(0, 0, "o", markersize=4, **look)
    axes.plot(right, up, "o", markersize=4, markerfacecolor=pen.end, **look)
    across, ha = _beside(axes, way, len(shown(margin, MM)) * LETTER)
    write_outlined(axes, shown(margin, MM), (right / 2, up / 2), (AWAY * across[0], AWAY * across[1]), ha=ha, fontweight="bold")


def _beside(axes: Axes, way: Matrix, wide: float) -> tuple[Matrix, str]:
    """In which direction (2,) from the middle of the line its number stands, and how it is aligned.

    Across the line toward the middle of the picture if there is room for its width (points), else where there is.
    """
    right, up = way
    within = float(np.hypot(right, up))
    across = np.array([-up, right]) / within if within > 1e-6 else np.array([0.0, 1.0])
    toward = np.array([np.mean(axes.get_xlim()), np.mean(axes.get_ylim())])
    across = across if float(across @ toward) > 0 else -across
    ways = [across, -across, *(np.array(way) for way in ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)))]
    sides = [(way, "left" if way[0] > 0 else "right") for way in ways]
    return next((side for side in sides if _is_free(axes, (right / 2, up / 2), *side, wide)), sides[0])


def _is_free(axes: Axes, middle: tuple[float, float], across: Matrix, ha: str, wide: float) -> bool:
    """Whether a number there lies within the picture and on no letter."""
    point = 72.0 / axes.figure.dpi
    box = axes.get_window_extent()
    x, y = (axes.transData.transform(middle) - (box.x0, box.y0)) * point + AWAY * across
    left = x if ha == "left" else x - wide
    number = (left, left + wide, y - LETTER, y + LETTER)
    inside = number[0] >= 0 and number[1] <= box.width * point and number[2] >= 0 and number[3] <= box.height * point
    return inside and not any(_meet(number, taken) for taken in _taken(box.width * point, box.height * point))


def _taken(wide: float, high: float) -> Iterator[tuple[float, float, float, float]]:
    """Where letters, the name of the view and the scale bar stand: left, right, bottom, top, points from the lower left."""
    edge = LETTER + 6.0
    yield from ((0.0, edge, high / 2 - LETTER, high / 2 + LETTER), (wide - edge, wide, high / 2 - LETTER, high / 2 + LETTER))
    yield from (
        (wide / 2 - LETTER, wide / 2 + LETTER, 0.0, 2 * edge),
        (wide / 2 - LETTER, wide / 2 + LETTER, high - edge, high),
    )
    yield from ((0.0, 7 * LETTER, high - 2 * edge, high), (0.0, 8 * LETTER, 0.0, 2 * edge))


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
