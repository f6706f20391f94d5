"""The narrowest place in three planes of the patient, as one would look it up on the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patheffects import AbstractPathEffect
from scipy.spatial import cKDTree

from service.codes import MM
from service.regions.fields import field_of
from service.regions.margin_surface import MarginSurface
from service.regions.region import Region
from service.report.pictures.canvas import blank
from service.report.pictures.lettering import write_outlined
from service.report.pictures.planes import VIEWS, View, cut, positions
from service.report.pictures.style import LIVER, ON_BLACK, RING, SMALL, TEXT, THRESHOLD, TUMOR, ZONE, Ink, outline
from service.report.pictures.unrolled import middle
from service.report.wording import shown
from service.volumes.align import resample
from service.volumes.surface import sample
from service.volumes.volume import Matrix, Volume

SMALLEST, LARGEST = 16.0, 32.0  # mm from the middle of a picture to its edge
CONTEXT = 9.0  # mm shown around a tumor of which most is in the picture
WINDOW = (1.0, 99.5)  # percent of the samples shown: a few bright vessels do not darken the rest
ALONG = 0.9  # of its length; a line of which less lies in the plane is dashed
BAR = 10.0  # mm


@dataclass(frozen=True, slots=True)
class Pen:
    """How a line is drawn: its meaning for the reader, color, width in points, dashes, and the filling of its end."""

    meaning: str
    color: str
    width: float
    dashes: Any = "-"
    end: str = "white"

    @property
    def under(self) -> list[AbstractPathEffect]:
        """A dark outline, for bright tissue."""
        return outline("black", self.width + 1.4)


# Dashes, too, tell the lines apart: on a grey monitor vermillion and sky blue are two greys.
PENS = {
    "tumor": Pen("tumor", TUMOR, 2.2),
    "ring": Pen("3 mm around the tumor", RING, 1.6, (0, (1, 1))),
    "zone": Pen("ablation zone", ZONE, 2.0, (0, (7, 1.5))),
    "liver": Pen("liver", LIVER, 1.2, "-."),
}
MARGIN = Pen("margin", "white", 2.2)
LEAVING = Pen("margin, leaving the plane", "white", 2.2, (0, (1.5, 1)), end="black")


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What the planes cut: the regions on one grid, and the image that they are shown on."""

    tumor: Region
    zone: Region
    liver: Region | None
    image: Volume


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """One plane: the samples' offsets from the place in the picture, and what is there.

    `right` (columns,) and `up` (rows,) mm; `image` and each of `levels` (rows, columns), NaN outside the images. A contour
    is where its level is 0.
    `line` (2,): the nearest point of untreated liver, mm in the picture.
    """

    view: View
    right: Matrix
    up: Matrix
    image: Matrix
    levels: dict[str, Matrix]
    line: Matrix


def figure(surface: MarginSurface, scene: Scene, place: tuple[float, float, float], ink: Ink = ON_BLACK) -> Figure:
    """The three planes and their key, two by two."""
    drawn = blank(5.0, 5.0, ink)
    corners = ((0.005, 0.505), (0.505, 0.505), (0.005, 0.005), (0.505, 0.005))
    axes = [drawn.add_axes((*corner, 0.49, 0.49)) for corner in corners]
    narrowest(axes[:3], surface, scene, place)
    key(axes[3], ink, f"Narrowest place: {shown(_margin_at(surface, place), MM)}")
    return drawn


def narrowest(axes: Sequence[Axes], surface: MarginSurface, scene: Scene, place: tuple[float, float, float]) -> None:
    """Draw the axial, coronal and sagittal plane through `place` (LPS mm, on the tumor surface) into three axes.

    Patient's right on the left of the picture. The line goes from `place` to the nearest point of untreated liver, projected
    on the plane; its number is the true distance.
    """
    cuts = list(_cuts(surface, scene, np.array(place)))
    margin = _margin_at(surface, place)
    low, high = _window(cuts)
    for drawn, plane in zip(axes, cuts, strict=True):
        _image(drawn, plane, low, high)
        _contours(drawn, plane)
        _margin(drawn, plane, margin)
        _letters(drawn, plane)
        _bar(drawn)


def key(axes: Axes, ink: Ink = ON_BLACK, title: str = "", columns: int = 1) -> None:
    """Draw what the lines mean, below a title."""
    axes.set_axis_off()
    handles = [_sample_of(pen) for pen in (*PENS.values(), MARGIN, LEAVING)]
    look: dict[str, Any] = {"loc": "center", "fontsize": SMALL, "labelcolor": ink.pen, "frameon": False, "ncols": columns}
    drawn = axes.legend(handles=handles, **look)
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


def _cuts(surface: MarginSurface, scene: Scene, place: Matrix) -> Iterator[_Cut]:
    center, half = _view_of(surface, place)
    fields = {
        name: _field(region, center, half)
        for name, region in (("tumor", scene.tumor), ("zone", scene.zone), ("liver", scene.liver))
        if region is not None
    }
    tree = cKDTree(surface.points)
    nearest = surface.nearest[_index(surface, place)]
    for view in VIEWS:
        plane = cut(view, place, center, half)
        points = positions(plane)
        image = np.asarray(resample(scene.image, plane).values[0], dtype=np.float64)
        levels = {name: sample(field, points.reshape(-1, 3)).reshape(image.shape) for name, field in fields.items()}
        levels["ring"] = _ring(tree, points, levels["tumor"])
        known = {name: np.where(np.isfinite(image), level, np.nan) for name, level in levels.items()}
        offsets = view.flat(points - place)
        yield _Cut(view, offsets[0, :, 0], offsets[:, 0, 1], image, known, view.flat(nearest - place))


def _view_of(surface: MarginSurface, place: Matrix) -> tuple[Matrix, float]:
    """Middle (3,) of the pictures, halfway into the tumor, and how far they reach to each side, mm."""
    radius = float(np.sqrt(surface.areas.sum() / (4.0 * np.pi)))
    return (place + middle(surface)) / 2.0, float(np.clip(0.9 * radius + CONTEXT, SMALLEST, LARGEST))


def _field(region: Region, center: Matrix, half: float) -> Volume:
    """The field of the part of a region that is shown, as the margin was measured on it."""
    mask = region.mask
    corners = np.stack(np.meshgrid(*[(-half, half)] * 3), axis=-1).reshape(-1, 3) + center
    index = mask.to_index(corners)
    low, high = np.floor(index.min(axis=0)).astype(int) - 3, np.ceil(index.max(axis=0)).astype(int) + 4
    part = region.crop((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    return field_of(part)


def _ring(tree: cKDTree, points: Matrix, tumor: Matrix) -> Matrix:
    """A level that is 0 where the distance in space from the tumor is that of the threshold."""
    distance, _ = tree.query(points, distance_upper_bound=2.0 * THRESHOLD)
    outside = np.where(tumor > 0, 0.0, np.minimum(distance, 2.0 * THRESHOLD))
    return np.asarray(THRESHOLD - outside)


def _margin_at(surface: MarginSurface, place: tuple[float, float, float]) -> float:
    return float(surface.margin[_index(surface, np.array(place))])


def _index(surface: MarginSurface, place: Matrix) -> int:
    return int(np.argmin(np.linalg.norm(surface.points - place, axis=1)))


def _window(cuts: Sequence[_Cut]) -> tuple[float, float]:
    """The signals shown black and white, the same in all planes."""
    shown_samples = np.concatenate([plane.image[np.isfinite(plane.image)] for plane in cuts])
    if not shown_samples.size:
        return 0.0, 1.0
    low, high = np.percentile(shown_samples, WINDOW)
    return float(low), float(max(high, low + 1e-6))


def _image(axes: Axes, plane: _Cut, low: float, high: float) -> None:
    edges = (plane.right[0], plane.right[-1], plane.up[0], plane.up[-1])
    axes.set_facecolor("black")
    axes.set(xticks=[], yticks=[])
    axes.imshow(plane.image, cmap="gray", vmin=low, vmax=high, origin="lower", extent=edges, interpolation="bilinear")
    for spine in axes.spines.values():
        spine.set_color("#606060")


def _contours(axes: Axes, plane: _Cut) -> None:
    for name, level in plane.levels.items():
        if not np.nanmin(level, initial=1.0) < 0.0 < np.nanmax(level, initial=-1.0):
            continue
        pen = PENS[name]
        look: dict[str, Any] = {"colors": pen.color, "linewidths": pen.width, "linestyles": [pen.dashes]}
        lines = axes.contour(plane.right, plane.up, level, levels=[0.0], **look)
        lines.set_path_effects(pen.under)
        lines.set_gid(name)


def _margin(axes: Axes, plane: _Cut, margin: float) -> None:
    """The line from the place at (0, 0) to the nearest untreated liver, and its true length."""
    right, up = plane.line
    within = float(np.hypot(right, up))
    pen = MARGIN if within >= ALONG * abs(margin) else LEAVING
    look: dict[str, Any] = {"color": pen.color, "path_effects": outline("black", 4.2), "scalex": False, "scaley": False}
    axes.plot([0, right], [0, up], linewidth=pen.width, linestyle=pen.dashes, **look)[0].set_gid("margin")
    axes.plot(0, 0, "o", markersize=4, **look)
    axes.plot(right, up, "o", markersize=4, markerfacecolor=pen.end, **look)
    across = _beside(plane, axes)
    ha = "left" if across[0] > 0 else "right"
    write_outlined(axes, shown(margin, MM), (right / 2, up / 2), (14 * across[0], 14 * across[1]), ha=ha, fontweight="bold")


def _beside(plane: _Cut, axes: Axes) -> Matrix:
    """The direction (2,) across the line that leads toward the middle of the picture, where there is room for its number."""
    right, up = plane.line
    within = float(np.hypot(right, up))
    across = np.array([-up, right]) / within if within > 1e-6 else np.array([0.0, 1.0])
    toward = np.array([np.mean(axes.get_xlim()), np.mean(axes.get_ylim())])
    return across if float(across @ toward) > 0 else -across


def _letters(axes: Axes, plane: _Cut) -> None:
    left, right, bottom, top = plane.view.letters
    edges: dict[str, Any] = {"xycoords": "axes fraction"}
    write_outlined(axes, left, (0, 0.5), (4, 0), ha="left", **edges)
    write_outlined(axes, right, (1, 0.5), (-4, 0), ha="right", **edges)
    write_outlined(axes, bottom, (0.5, 0), (0, 4), va="bottom", **edges)
    write_outlined(axes, top, (0.5, 1), (0, -4), va="top", **edges)
    write_outlined(axes, plane.view.name, (0, 1), (4, -4), ha="left", va="top", **edges)


def _bar(axes: Axes) -> None:
    """A scale bar in the lower left corner."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = left + 0.04 * (right - left), bottom + 0.05 * (top - bottom)
    (line,) = axes.plot([x, x + BAR], [y, y], color="white", linewidth=3, solid_capstyle="butt", scalex=False, scaley=False)
    line.set_path_effects(outline("black", 5.0))
    line.set_gid("scale")
    write_outlined(axes, f"{BAR:.0f} mm", (x, y), (0, 3), fontsize=SMALL, ha="left", va="bottom")
