"""The way of a vessel through the margin, on the plane of the patient in which most of it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from service.regions.margin_surface import MarginSurface
from service.report.pictures.narrowest import around
from service.report.pictures.planes import VIEWS, View
from service.report.pictures.sections import Pen, Scene, draw, sections
from service.study.model import Vector
from service.volumes.volume import Matrix

IN_PLANE = 2.0  # mm from the plane; the path is drawn through where it is nearer, dotted where it is not
# Reddish purple of Okabe and Ito, lightened: it is not taken for a contour.
PATH = Pen("vessel path", "#f07ac0", 2.8)


def vessel(axes: Axes, surface: MarginSurface, scene: Scene, path: Sequence[Vector]) -> View:
    """Draw the path (LPS mm) on the plane through its middle, and give the view that was chosen."""
    points = np.array(path)
    view = view_of(points)
    place = points[len(points) // 2]
    center, half = around(surface, place)
    draw([axes], sections(scene, surface, place, center, half, [view]))
    flat = view.flat(points - place)
    away = np.abs((points - place) @ np.cross(view.right, view.up))
    look: dict[str, Any] = {"color": PATH.color, "path_effects": PATH.under, "scalex": False, "scaley": False}
    axes.plot(*flat.T, linewidth=2.0, linestyle=(0, (1, 1)), **look)[0].set_gid("path")
    near = np.where((away <= IN_PLANE)[:, None], flat, np.nan)
    axes.plot(*near.T, linewidth=PATH.width, **look)[0].set_gid("path in plane")
    axes.plot(*flat[-1], "o", markersize=5, **look)[0].set_gid("end")
    return view


def view_of(points: Matrix) -> View:
    """The plane of the patient that a path (n, 3) leaves least.

    >>> view_of(np.array([[0.0, 0.0, 0.0], [5.0, 4.0, 1.0]])).name
    'axial'
    """
    return min(VIEWS, key=lambda view: float(np.ptp(points @ np.cross(view.right, view.up))))
