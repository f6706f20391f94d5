"""Figures without a window, and what they look like as PNG."""

from __future__ import annotations

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from service.report.pictures.style import ON_BLACK, Ink


def blank(width: float, height: float, ink: Ink = ON_BLACK) -> Figure:
    """An empty figure, inches. It belongs to no global list, so that any thread may draw it and forget it."""
    figure = Figure(figsize=(width, height), facecolor=ink.paper)
    FigureCanvasAgg(figure)
    return figure


def whole(figure: Figure) -> Axes:
    """Axes that fill the figure."""
    return figure.add_axes((0.0, 0.0, 1.0, 1.0))


def png(figure: Figure, width: int = 1000) -> bytes:
    """The figure as PNG, `width` pixels wide; the same figure gives the same bytes."""
    buffer = BytesIO()
    dpi = width / float(figure.get_size_inches()[0])
    figure.savefig(buffer, format="png", dpi=dpi, facecolor=figure.get_facecolor(), metadata={"Software": None})
    return buffer.getvalue()
