"""Reading a picture back: what was drawn where, and the pixels of a PNG."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D

from service.report.pictures.canvas import png


def named(axes: Axes, gid: str) -> list[Artist]:
    """What carries a name in the picture."""
    return axes.findobj(lambda artist: artist.get_gid() == gid)


def line(axes: Axes, gid: str) -> Line2D:
    """The one line of that name."""
    (found,) = named(axes, gid)
    if not isinstance(found, Line2D):
        raise TypeError(f"{gid} is a {type(found).__name__}")
    return found


def positions(drawn: Line2D) -> np.ndarray:
    """The points (n, 2) of a line where the pen is down."""
    points = np.asarray(drawn.get_xydata(), dtype=float)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def texts(axes: Axes) -> list[str]:
    """All that can be read, the title included."""
    return [text.get_text() for text in (*axes.texts, axes.title, axes.xaxis.label)]


def pixels(figure: Figure, width: int = 500) -> np.ndarray:
    """RGB (rows, columns, 3), 0-1, of the picture as shown."""
    return np.asarray(imread(BytesIO(png(figure, width))))[..., :3]
