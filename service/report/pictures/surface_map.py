"""The map of the margin over the whole tumor surface, for one look: where is it narrow, and where is nothing known."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from numpy.typing import NDArray

from service.codes import MM
from service.regions.margin_surface import MarginSurface
from service.regions.visibility import Visibility
from service.report.pictures.canvas import blank, whole
from service.report.pictures.hatching import hatch
from service.report.pictures.lettering import write, write_outlined
from service.report.pictures.minimum import Minimum
from service.report.pictures.projection import HIGH, WIDE, on_map, project
from service.report.pictures.style import BANDS, EDGES, ON_BLACK, SMALL, THRESHOLD, Ink, outline
from service.report.pictures.unrolled import Unrolled, middle, pixel_of, unroll
from service.report.wording import shown
from service.volumes.volume import Matrix

FRAME = (-3.12, 3.12, -2.42, 2.05)  # left, right, bottom, top of the axes, map units
BEYOND = 1e4  # mm; wider than any margin
HATCH = (0.13, 0.13)  # map units between lines
KEY = (-2.72, -2.02, 0.56, 0.2)  # left, bottom, width and height of the first box of the colour bar
OFFSET, NUMBER, LETTER = 0.28, (1.3, 0.28), 0.12  # map units: of the number, its size, half a letter; in a small map
INSIDE = {"A": (0.0, 0.0), "R": (-WIDE / 2.0, 0.0), "L": (WIDE / 2.0, 0.0)}
AROUND = {"H": (0.0, HIGH + 0.14), "F": (0.0, -HIGH - 0.15), "P": (-WIDE - 0.15, 0.0), " P": (WIDE + 0.13, 0.0)}


def figure(surface: MarginSurface, visibility: Visibility, minimum: Minimum | None, ink: Ink = ON_BLACK) -> Figure:
    """The map alone."""
    left, right, bottom, top = FRAME
    drawn = blank(5.0, 5.0 * (top - bottom) / (right - left), ink)
    surface_map(whole(drawn), surface, visibility, minimum, ink)
    return drawn


def surface_map(
    axes: Axes, surface: MarginSurface, visibility: Visibility, minimum: Minimum | None, ink: Ink = ON_BLACK
) -> None:
    """Draw the margin in every direction from the tumor's middle, seen from the front and unrolled.

    Bands of the margin as colours, the 3 mm line, what is not assessable hatched, the minimum marked
    where it is known.
    """
    axes.set(xlim=FRAME[:2], ylim=FRAME[2:], aspect="equal")
    axes.set_axis_off()
    raster = unroll(surface, visibility)
    _bands(axes, raster, ink)
    _not_assessable(axes, raster)
    _directions(axes, ink)
    if minimum is not None:
        _minimum(axes, surface, minimum)
    _key(axes, _hidden_share(surface, visibility), ink)
    said = "Margin in all directions from the tumor center"
    write(axes, said, (0.0, FRAME[3] - 0.08), va="top", color=ink.pen)
    if raster.incomplete:
        write(axes, "blank: no\nsurface", (WIDE, HIGH), ha="right", fontsize=SMALL, color=ink.pen)


def _bands(axes: Axes, raster: Unrolled, ink: Ink) -> None:
    edge = Ellipse((0.0, 0.0), 2 * WIDE, 2 * HIGH, facecolor=ink.paper, edgecolor=ink.pen, linewidth=1.2)
    axes.add_patch(edge)
    margin = np.ma.masked_invalid(raster.margin)
    levels = [-BEYOND, *EDGES, BEYOND]
    axes.contourf(raster.x, raster.y, margin, levels=levels, colors=BANDS, zorder=2).set_clip_path(edge)
    if margin.min() < THRESHOLD < margin.max():
        line = axes.contour(raster.x, raster.y, margin, levels=[THRESHOLD], colors="black", linewidths=1.8, zorder=4)
        line.set_clip_path(edge)
        line.set_gid("3 mm")


def _not_assessable(axes: Axes, raster: Unrolled) -> None:
    def where(positions: Matrix) -> NDArray[np.bool_]:
        column, row = np.moveaxis(pixel_of(positions), -1, 0)
        return np.asarray(on_map(positions) & raster.hidden[row, column])

    hatch(axes, where, (-WIDE, WIDE, -HIGH, HIGH), HATCH)


def _directions(axes: Axes, ink: Ink) -> None:
    """The circles between the six main directions, and their letters."""
    turn = np.linspace(-np.pi / 2.0, np.pi / 2.0, 100)
    for x in (-WIDE / 2.0, 0.0, WIDE / 2.0):
        axes.plot(x * np.cos(turn), HIGH * np.sin(turn), color="black", linewidth=0.6, alpha=0.5, zorder=4)
    axes.plot([-WIDE, WIDE], [0.0, 0.0], color="black", linewidth=0.6, alpha=0.5, zorder=4)
    for letter, place in INSIDE.items():
        write_outlined(axes, letter, place, fontweight="bold", zorder=5)
    for letter, place in AROUND.items():
        write(axes, letter.strip(), place, fontweight="bold", color=ink.pen)


def _minimum(axes: Axes, surface: MarginSurface, minimum: Minimum) -> None:
    ray = np.array(minimum.place) - middle(surface)
    x, y = project(ray if np.linalg.norm(ray) > 1e-9 else np.array([0.0, -1.0, 0.0]))
    (marker,) = axes.plot(
        x, y, "o", markersize=11, markerfacecolor="none", markeredgecolor="white", markeredgewidth=2, zorder=6
    )
    marker.set_path_effects(outline("black", 4.0))
    marker.set_gid("minimum")
    across, up = _beside(float(x), float(y))
    look = {"ha": "left" if across > 0 else "right", "fontweight": "bold"}
    write_outlined(axes, shown(minimum.value, MM), (x, y), (12.0 * across, 13.0 * up), **look)


def _beside(x: float, y: float) -> tuple[float, float]:
    """On which side (right, up; each 1 or -1) of the minimum its number stands: toward the middle, and on no letter."""
    inward, level = 1.0 if x < 0 else -1.0, 1.0 if y < 0 else -1.0
    sides = [(inward, level), (inward, -level), (-inward, level), (-inward, -level)]
    return next((side for side in sides if not any(_covers(x, y, side, letter) for letter in INSIDE.values())), sides[0])


def _covers(x: float, y: float, side: tuple[float, float], letter: tuple[float, float]) -> bool:
    """Whether a number on that side of the minimum would cover a letter."""
    across, up = side
    start, middle = x + OFFSET * across, y + OFFSET * up
    near, far = sorted((start, start + across * NUMBER[0]))
    return near - LETTER < letter[0] < far + LETTER and abs(letter[1] - middle) < NUMBER[1]


def _key(axes: Axes, hidden: float, ink: Ink) -> None:
    left, bottom, width, height = KEY
    for number, color in enumerate(BANDS):
        place = (left + number * width, bottom)
        axes.add_patch(Rectangle(place, width, height, facecolor=color, edgecolor=ink.pen, linewidth=0.8))
    for number, edge in enumerate(EDGES, start=1):
        unit = " mm" if edge == EDGES[-1] else ""
        write(axes, f"{edge:.0f}{unit}", (left + number * width, bottom), (0, -3), va="top", fontsize=SMALL, color=ink.pen)
    line = left + (EDGES.index(THRESHOLD) + 1) * width
    axes.plot([line, line], [bottom, bottom + height], color="black", linewidth=2.2, solid_capstyle="butt", zorder=2)
    box = (left + 5 * width + 0.3, left + 6 * width + 0.3, bottom, bottom + height)
    axes.add_patch(Rectangle((box[0], bottom), width, height, facecolor=ink.faint, edgecolor=ink.pen, linewidth=0.8))
    hatch(axes, lambda positions: np.ones(positions.shape[:-1], dtype=bool), box, HATCH).set_gid("key")
    text = f"not assessable\n{100 * hidden:.0f} % of surface"
    write(axes, text, (box[1], bottom + height), (5, 2), ha="left", va="top", fontsize=SMALL, color=ink.pen)


def _hidden_share(surface: MarginSurface, visibility: Visibility) -> float:
    return float(surface.areas[~visibility.assessable].sum() / surface.areas.sum())
