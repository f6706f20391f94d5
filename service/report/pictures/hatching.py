"""Hatching that shows on dark and light grounds alike: light lines in a dark outline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from service.report.pictures.style import outline
from service.volumes.volume import Matrix

SAMPLES = 800  # along each line

Where = Callable[[Matrix], NDArray[np.bool_]]


def hatch(axes: Axes, where: Where, box: tuple[float, float, float, float], pitch: tuple[float, float]) -> Line2D:
    """Diagonal lines in those places of `box` (left, right, bottom, top; data units) that `where` accepts.

    `pitch`: the distance of the lines along x and along y, data units; their ratio is the slope. `where` takes positions
    (..., 2) and says of each whether it is hatched.
    """
    left, right, bottom, top = box
    across, up = pitch
    rise = np.append(np.linspace(0.0, (top - bottom) / up, SAMPLES), np.nan)  # the NaN lifts the pen between two lines
    starts = np.arange(left - across * (top - bottom) / up, right, across)
    points = np.stack(np.broadcast_arrays(starts[:, None] + across * rise, bottom + up * rise), axis=-1)
    inside = (points[..., 0] >= left) & (points[..., 0] <= right) & np.isfinite(rise)
    shown = inside & where(np.nan_to_num(points))
    # One NaN after each piece is enough: the library would look through thousands of them for the first number, one by one.
    kept = shown | np.roll(shown, 1, axis=1)
    drawn = np.where(shown[kept][:, None], points[kept], np.nan)
    (line,) = axes.plot(drawn[:, 0], drawn[:, 1], color="white", linewidth=0.9, scalex=False, scaley=False, zorder=3)
    line.set_path_effects(outline("black", 2.4))
    line.set_solid_capstyle("butt")  # round ends would reach beyond what is hatched
    line.set_gid("not assessable")
    return line
