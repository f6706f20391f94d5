"""Sections through the patient: the image, the contours, and which way is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect
from scipy.spatial import cKDTree

from service.regions.fields import field_of
from service.regions.margin_surface import MarginSurface
from service.regions.region import Region
from service.report.pictures.lettering import write_outlined
from service.report.pictures.planes import VIEWS, View, cut, positions
from service.report.pictures.style import LIVER, RING, SMALL, THRESHOLD, TUMOR, ZONE, outline
from service.volumes.resampling import resample
from service.volumes.surface import sample
from service.volumes.volume import Matrix, Volume

WINDOW = (1.0, 99.5)  # percent of the samples shown: a few bright vessels do not darken the rest
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


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What the planes cut: the regions on one grid, and the image that they are shown on."""

    tumor: Region
    zone: Region
    liver: Region | None
    image: Volume


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One plane: the samples' offsets from the place that it was cut through, and what is there.

    `right` (columns,) and `up` (rows,) mm; `image` and each of `levels` (rows, columns), NaN outside the images. A contour
    is where its level is 0.
    """

    view: View
    right: Matrix
    up: Matrix
    image: Matrix
    levels: dict[str, Matrix]


def sections(
    scene: Scene, surface: MarginSurface, place: Matrix, center: Matrix, half: float, views: Sequence[View] = VIEWS
) -> list[Section]:
    """The planes of `views` through `place`, `half` mm to each side of `center` (both LPS mm)."""
    regions = {"tumor": scene.tumor, "zone": scene.zone, "liver": scene.liver}
    fields = {name: _field(region, center, half) for name, region in regions.items() if region is not None}
    tree = cKDTree(surface.points)
    return [_section(scene.image, fields, tree, place, cut(view, place, center, half), view) for view in views]


def draw(axes: Sequence[Axes], cuts: Sequence[Section]) -> None:
    """Draw sections, all in one window of gray, with contours, letters and a scale bar."""
    low, high = _window(cuts)
    for drawn, plane in zip(axes, cuts, strict=True):
        _image(drawn, plane, low, high)
        _contours(drawn, plane)
        _letters(drawn, plane.view)
        _bar(drawn)


def _section(image: Volume, fields: Mapping[str, Volume], tree: cKDTree, place: Matrix, plane: Volume, view: View) -> Section:
    points = positions(plane)
    seen = np.asarray(resample(image, plane).values[0], dtype=np.float64)
    levels = {name: sample(field, points.reshape(-1, 3)).reshape(seen.shape) for name, field in fields.items()}
    levels["ring"] = _ring(tree, points, levels["tumor"])
    known = {name: np.where(np.isfinite(seen), level, np.nan) for name, level in levels.items()}
    offsets = view.flat(points - place)
    return Section(view, offsets[0, :, 0], offsets[:, 0, 1], seen, known)


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


def _window(cuts: Sequence[Section]) -> tuple[float, float]:
    """The signals shown black and white, the same in all planes."""
    shown_samples = np.concatenate([plane.image[np.isfinite(plane.image)] for plane in cuts])
    if not shown_samples.size:
        return 0.0, 1.0
    low, high = np.percentile(shown_samples, WINDOW)
    return float(low), float(max(high, low + 1e-6))


def _image(axes: Axes, plane: Section, low: float, high: float) -> None:
    edges = (plane.right[0], plane.right[-1], plane.up[0], plane.up[-1])
    axes.set_facecolor("black")
    axes.set(xticks=[], yticks=[])
    axes.imshow(plane.image, cmap="gray", vmin=low, vmax=high, origin="lower", extent=edges, interpolation="bilinear")
    for spine in axes.spines.values():
        spine.set_color("#606060")


def _contours(axes: Axes, plane: Section) -> None:
    for name, level in plane.levels.items():
        if not np.nanmin(level, initial=1.0) < 0.0 < np.nanmax(level, initial=-1.0):
            continue
        pen = PENS[name]
        look: dict[str, Any] = {"colors": pen.color, "linewidths": pen.width, "linestyles": [pen.dashes]}
        lines = axes.contour(plane.right, plane.up, level, levels=[0.0], **look)
        lines.set_path_effects(pen.under)
        lines.set_gid(name)


def _letters(axes: Axes, view: View) -> None:
    left, right, bottom, top = view.letters
    edges: dict[str, Any] = {"xycoords": "axes fraction"}
    write_outlined(axes, left, (0, 0.5), (4, 0), ha="left", **edges)
    write_outlined(axes, right, (1, 0.5), (-4, 0), ha="right", **edges)
    write_outlined(axes, bottom, (0.5, 0), (0, 4), va="bottom", **edges)
    write_outlined(axes, top, (0.5, 1), (0, -4), va="top", **edges)
    write_outlined(axes, view.name, (0, 1), (4, -4), ha="left", va="top", **edges)


def _bar(axes: Axes) -> None:
    """A scale bar in the lower left corner."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = left + 0.04 * (right - left), bottom + 0.05 * (top - bottom)
    (line,) = axes.plot([x, x + BAR], [y, y], color="white", linewidth=3, solid_capstyle="butt", scalex=False, scaley=False)
    line.set_path_effects(outline("black", 5.0))
    line.set_gid("scale")
    write_outlined(axes, f"{BAR:.0f} mm", (x, y), (0, 3), fontsize=SMALL, ha="left", va="bottom")
