"""How much of the tumor surface has which margin, and how sure the minimum is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from service.regions.margin_surface import MarginSurface
from service.regions.visibility import Visibility
from service.report.pictures.canvas import blank
from service.report.pictures.hatching import hatch
from service.report.pictures.lettering import write
from service.report.pictures.minimum import Minimum
from service.report.pictures.style import BANDS, ON_BLACK, SMALL, TEXT, THRESHOLD, Ink, band, outline
from service.volumes.volume import Matrix

FARTHEST = 25.0  # mm; wider margins share the last bar
FINE, COARSE = 0.5, 1.0  # mm; widths of a bar, both of which meet the edges of all bands
LONG = 16.0  # mm from the lowest to the highest margin: more is drawn in coarse bars


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """`edges` (n + 1,) mm; the surface in each bar, cm2: `assessable` (n,) and `hidden` (n,).

    A bar holds what is above its lower edge up to and with its upper edge. `cut` says that the last one also holds all beyond.
    """

    edges: Matrix
    assessable: Matrix
    hidden: Matrix
    cut: bool


def figure(surface: MarginSurface, visibility: Visibility, minimum: Minimum | None, ink: Ink = ON_BLACK) -> Figure:
    """The histogram alone, below the minimum in words."""
    drawn = blank(5.0, 3.3, ink)
    axes = drawn.add_axes((0.13, 0.15, 0.84, 0.71))
    histogram(axes, surface, visibility, minimum, ink)
    title = "" if minimum is None else f"Minimum {minimum.said}"
    axes.set_title(title, pad=18.0, color=ink.pen, fontsize=TEXT, fontweight="bold")
    return drawn


def histogram(axes: Axes, surface: MarginSurface, visibility: Visibility, minimum: Minimum | None, ink: Ink = ON_BLACK) -> None:
    """Draw the surface (cm2) over its margin (mm), the 3 mm line, and the minimum with its interval where there is one."""
    bars = counted(surface, visibility)
    _limits(axes, bars, _ends(minimum))
    axes.bar(bars.edges[:-1], bars.assessable, **_look(bars, ink)).set_label("assessable")
    _hidden(axes, bars, ink)
    _threshold(axes, ink)
    if minimum is not None:
        _minimum(axes, minimum, ink)
    _scales(axes, bars, ink)


def counted(surface: MarginSurface, visibility: Visibility) -> Bars:
    """The surface in bars of the margin."""
    cut = bool(surface.margin.max() > FARTHEST)
    margin = np.minimum(surface.margin, FARTHEST)
    width = FINE if np.ptp(margin) <= LONG else COARSE
    first, last = np.ceil(margin.min() / width) - 1.0, np.ceil(margin.max() / width)
    # Half-open to the left, as the bands are: exactly 3 mm is not more than 3 mm.
    number = (np.ceil(margin / width) - 1.0 - first).astype(np.int64)
    count = int(last - first)
    seen, hidden = (
        np.bincount(number, np.where(part, surface.areas, 0.0) / 100.0, minlength=count).astype(np.float64)
        for part in (visibility.assessable, ~visibility.assessable)
    )
    return Bars(np.arange(first, last + 1.0) * width, seen, hidden, cut)


def _hidden(axes: Axes, bars: Bars, ink: Ink) -> None:
    """The part that is not assessable on top of the other, hatched as on the map."""
    axes.bar(bars.edges[:-1], bars.hidden, bottom=bars.assessable, **_look(bars, ink)).set_label("not assessable")

    def where(positions: Matrix) -> NDArray[np.bool_]:
        number = np.searchsorted(bars.edges, positions[..., 0], side="right") - 1
        known = (number >= 0) & (number < len(bars.hidden))
        number = np.clip(number, 0, len(bars.hidden) - 1)
        foot = bars.assessable[number]
        return np.asarray(known & (positions[..., 1] > foot) & (positions[..., 1] < foot + bars.hidden[number]))

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    hatch(axes, where, (left, right, bottom, top), ((right - left) / 50.0, (top - bottom) / 30.0))


def _look(bars: Bars, ink: Ink) -> dict[str, Any]:
    colors = [BANDS[number] for number in band(bars.edges[1:])]
    return {
        "width": bars.edges[1] - bars.edges[0],
        "align": "edge",
        "color": colors,
        "edgecolor": ink.pen,
        "linewidth": 0.6,
        "zorder": 2,
    }


def _ends(minimum: Minimum | None) -> list[float]:
    """What there is of the minimum's interval, mm; an open end has no place on the axis."""
    ends = minimum.interval if minimum is not None else None
    return [end for end in ends or () if np.isfinite(end)]


def _limits(axes: Axes, bars: Bars, ends: Sequence[float]) -> None:
    """Room for all bars, zero, the threshold and the interval (as far as it ends), and for text beside the bars."""
    ends = [min(max(end, -FARTHEST), FARTHEST) for end in ends]
    axes.set_xlim(min(bars.edges[0], 0.0, *ends) - 0.5, max(bars.edges[-1], THRESHOLD, *ends) + 0.5)
    axes.set_ylim(0.0, 1.3 * float((bars.assessable + bars.hidden).max()))


def _minimum(axes: Axes, minimum: Minimum, ink: Ink) -> None:
    if _ends(minimum):
        low, high = np.clip(minimum.interval or (), *axes.get_xlim())
        axes.axvspan(low, high, facecolor=ink.faint, alpha=0.55, linewidth=0, zorder=1).set_gid("interval")
    axes.axvline(minimum.value, linewidth=1.6, **_line(ink)).set_gid("minimum")


def _threshold(axes: Axes, ink: Ink) -> None:
    """The line, and its number above the bars, where no other text is."""
    axes.axvline(THRESHOLD, linewidth=1.8, linestyle=(0, (4, 2)), **_line(ink)).set_gid("threshold")
    place = (THRESHOLD, axes.get_ylim()[1])
    write(axes, "3 mm", place, (0, 2), va="bottom", fontweight="bold", color=ink.pen)


def _line(ink: Ink) -> dict[str, Any]:
    return {"color": ink.pen, "zorder": 4, "path_effects": outline(ink.paper)}


def _scales(axes: Axes, bars: Bars, ink: Ink) -> None:
    axes.set_facecolor(ink.paper)
    axes.tick_params(colors=ink.pen, labelsize=SMALL)
    axes.spines[["left", "bottom"]].set_color(ink.pen)
    axes.spines[["top", "right"]].set_visible(False)
    beyond = f"; {FARTHEST:.0f} and more in the last bar" if bars.cut else ""
    axes.set_xlabel(f"margin, mm{beyond}", color=ink.pen, fontsize=TEXT)
    if bars.hidden.any():
        said = "hatched: not assessable"
        write(axes, said, (1, 1), (0, -2), xycoords="axes fraction", ha="right", va="top", fontsize=SMALL, color=ink.pen)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("tumor surface, cm\u00b2", color=ink.pen, fontsize=TEXT)
