"""The planes show the patient the right way round, and the line where the margin is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.spines import Spine
from matplotlib.text import Annotation, Text

from service.codes import MM
from service.regions.region import Kind
from service.report.pictures import narrowest
from service.report.pictures.planes import AXIAL, CORONAL, SAGITTAL, VIEWS, View
from service.report.pictures.sections import Scene
from service.report.wording import shown
from service.volumes.volume import Volume
from tests.report.pictures.conftest import Drawn, drawn, feet_first, flipped, oblique
from tests.report.pictures.reading import line, named, pixels, positions, texts
from tests.shapes import ball, grid, region

GRIDS = {
    "head first": grid(26.0, (2.0, 1.2, 1.2)),
    "feet first": feet_first(grid(26.0, (2.0, 1.2, 1.2))),
    "columns from the left": flipped(grid(26.0, (2.0, 1.2, 1.2)), 2),
    "oblique": oblique(grid(26.0, (2.0, 1.2, 1.2))),
}
# A mark near the narrowest place (LPS mm from it), and where the picture must show it (mm right, mm up).
MARKS = [
    (AXIAL, (5.0, -7.0, 0.0), (5.0, 7.0)),
    (CORONAL, (5.0, 0.0, 7.0), (5.0, 7.0)),
    (SAGITTAL, (0.0, -5.0, 7.0), (-5.0, 7.0)),
]


def panels(scene: Drawn, image: Volume | None = None, place: tuple[float, float, float] | None = None) -> list[Axes]:
    """The three planes."""
    cut = Scene(scene.tumor, scene.zone, None, image or scene.image)
    return narrowest.figure(scene.surface, cut, place or scene.surface.place).axes[:3]


def in_patient(points: np.ndarray, view: View, place: tuple[float, float, float]) -> np.ndarray:
    """LPS mm of positions (n, 2) in a picture."""
    return np.asarray(np.array(place) + points @ np.array([view.right, view.up]))


def spot(onto: Volume, at: np.ndarray) -> Volume:
    """An image that is dark but for a blurred spot at `at` (LPS mm)."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in onto.shape), indexing="ij"), axis=-1).astype(np.float64)
    distance = np.linalg.norm(onto.to_mm(index) - at, axis=-1)
    return onto.with_values((100.0 * np.exp(-0.5 * (distance / 1.5) ** 2)).astype(np.float32))


def brightest(axes: Axes) -> np.ndarray:
    """The middle (mm right, mm up) of the bright pixels of the picture as rendered, without lines and letters."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no figure")
    for part in figure.findobj(lambda artist: isinstance(artist, (Text, Line2D, Spine, ContourSet, Legend))):
        part.set_visible(False)
    shown = pixels(figure, round(figure.get_size_inches()[0] * figure.dpi)).mean(axis=2)[::-1]  # rows from the bottom
    box = axes.get_window_extent()
    inside = shown[round(box.y0) + 2 : round(box.y1) - 2, round(box.x0) + 2 : round(box.x1) - 2]
    row, column = np.argwhere(inside > 0.7).mean(axis=0) + 2.5
    return np.asarray(axes.transData.inverted().transform((box.x0 + column, box.y0 + row)))


def contour(axes: Axes, gid: str) -> np.ndarray:
    (found,) = named(axes, gid)
    return np.concatenate([path.vertices for path in found.get_paths()])  # type: ignore[attr-defined]


@pytest.mark.parametrize("onto", GRIDS.values(), ids=GRIDS.keys())
def test_no_plane_is_flipped_however_the_slices_run(onto: Volume) -> None:
    scene = drawn(ball(6.0, (4.0, 0.0, 0.0)), ball(13.0), onto)
    place = scene.surface.place
    for view, mark, seen in MARKS:
        axes = panels(scene, spot(onto, np.array(place) + mark))[VIEWS.index(view)]
        assert brightest(axes) == pytest.approx(seen, abs=0.7), view.name


@pytest.mark.parametrize(("view", "letters"), [(AXIAL, "R L P A"), (CORONAL, "R L F H"), (SAGITTAL, "A P F H")], ids=str)
def test_letters_are_those_of_the_directions(shifted: Drawn, view: View, letters: str) -> None:
    """Patient's right on the left of the picture."""
    ways = {"R": (-1, 0, 0), "L": (1, 0, 0), "A": (0, -1, 0), "P": (0, 1, 0), "F": (0, 0, -1), "H": (0, 0, 1)}
    said = {text.get_text(): text.xy for text in panels(shifted)[VIEWS.index(view)].texts if isinstance(text, Annotation)}
    for letter, expected in zip(letters.split(), ([-1, 0], [1, 0], [0, -1], [0, 1]), strict=True):
        assert view.flat(np.array(ways[letter], dtype=float)).tolist() == expected
        assert said[letter] == pytest.approx(0.5 + 0.5 * np.array(expected))  # fractions of the axes


@pytest.mark.parametrize("onto", [GRIDS["head first"], GRIDS["oblique"]], ids=["straight", "oblique"])
def test_contours_and_ring_lie_where_they_are_in_space(onto: Volume) -> None:
    """Tumor 6 mm, ring 3 mm around it, zone 13 mm: distances from the middles in space, through a plane off the middle."""
    scene = drawn(ball(6.0, (4.0, 0.0, 0.0)), ball(13.0), onto)
    x, y, z = scene.surface.points[np.argmax(scene.surface.points @ np.array([0.8, 0.0, 0.6]))]
    place = (float(x), float(y), float(z))
    for view, axes in zip(VIEWS, panels(scene, place=place), strict=True):
        for gid, middle, radius, worst in (("tumor", 4.0, 6.0, 0.4), ("ring", 4.0, 9.0, 0.4), ("zone", 0.0, 13.0, 0.4)):
            away = np.linalg.norm(in_patient(contour(axes, gid), view, place) - (middle, 0.0, 0.0), axis=1)
            assert np.abs(away - radius).max() < worst, (view.name, gid)


def test_line_leads_to_the_nearest_point_with_the_true_length(shifted: Drawn) -> None:
    surface = shifted.surface
    number = int(np.argmin(surface.margin))
    for view, axes in zip(VIEWS, panels(shifted), strict=True):
        start, end = positions(line(axes, "margin"))
        assert start == pytest.approx(0.0)
        assert end == pytest.approx(view.flat(surface.nearest[number] - surface.points[number]))
        assert shown(surface.minimum, MM) in texts(axes)


def test_line_that_leaves_the_plane_is_dashed(shifted: Drawn) -> None:
    """The margin runs to the patient's left: along axial and coronal planes, across sagittal ones."""
    place = shifted.surface.points[np.argmax(shifted.surface.points[:, 0])]
    styles = [line(axes, "margin").get_linestyle() for axes in panels(shifted, place=tuple(place.tolist()))]
    assert styles == ["-", "-", "--"]


def test_place_and_not_the_minimum_is_shown(shifted: Drawn) -> None:
    right = shifted.surface.points[np.argmin(shifted.surface.points[:, 0])]
    margin = shifted.surface.margin[np.argmin(shifted.surface.points[:, 0])]
    assert margin > 10.0
    assert f"{margin:.1f} mm" in texts(panels(shifted, place=tuple(right.tolist()))[0])


def test_scale_bar_is_as_long_as_it_says(shifted: Drawn) -> None:
    for axes in panels(shifted):
        start, end = positions(line(axes, "scale"))
        assert end - start == pytest.approx((10.0, 0.0))
        assert "10 mm" in texts(axes)
        assert axes.get_aspect() == 1.0


def test_liver_is_drawn_where_it_is_known() -> None:
    onto = GRIDS["head first"]
    scene = drawn(ball(6.0), ball(13.0), onto)
    liver = region(Kind.LIVER, lambda points: points[..., 0] < 10.0, onto)
    cut = Scene(scene.tumor, scene.zone, liver, scene.image)
    axial = narrowest.figure(scene.surface, cut, (6.0, 0.0, 0.0)).axes[0]
    assert contour(axial, "liver")[:, 0] == pytest.approx(4.0, abs=0.3)
    assert not named(panels(scene)[0], "liver")


def test_nothing_is_drawn_beyond_the_images() -> None:
    """The liver's mask ends with the images; its contour must not run on as if it were known."""
    onto = grid(12.0, (2.0, 1.2, 1.2))
    scene = drawn(ball(5.0), ball(9.0), onto)
    edge = float(np.abs(onto.to_mm(np.zeros(3))).min()) + 1.0
    for view, axes in zip(VIEWS, panels(scene), strict=True):
        shown = np.asarray(axes.images[0].get_array(), dtype=float)
        assert np.isnan(shown).any()
        for gid in ("tumor", "zone", "ring"):
            for found in named(axes, gid):
                points = np.concatenate([path.vertices for path in found.get_paths()])  # type: ignore[attr-defined]
                assert np.abs(in_patient(points, view, scene.surface.place)).max() <= edge


def test_few_bright_voxels_do_not_darken_the_rest(shifted: Drawn) -> None:
    values = np.where(shifted.zone.mask.values > 0.5, 60.0, 190.0).astype(np.float32)
    values[shifted.image.shape[0] // 2, 18, 18] = 1e5
    image = panels(shifted, shifted.image.with_values(values))[0].images[0]
    assert image.get_clim()[1] < 1000.0


@pytest.mark.parametrize("value", [0.0, 100.0, np.nan])
def test_image_without_contrast_is_drawn_all_the_same(shifted: Drawn, value: float) -> None:
    image = shifted.image.with_values(np.full(shifted.image.shape, value, np.float32))
    cut = Scene(replace(shifted.tumor, binary=True), shifted.zone, None, image)
    assert pixels(narrowest.figure(shifted.surface, cut, shifted.surface.place)).shape == (500, 500, 3)


@pytest.mark.parametrize("turn", range(0, 360, 45))
def test_the_number_of_the_margin_stands_in_the_picture_and_on_no_letter(turn: int) -> None:
    """The line leads in every direction; on a page the pictures are half as large as alone."""
    toward = np.array([np.sin(np.deg2rad(turn)), 0.5 * np.cos(np.deg2rad(turn)), np.cos(np.deg2rad(turn))])
    x, y, z = 4.0 * toward / np.linalg.norm(toward)
    scene = drawn(ball(6.0, (float(x), float(y), float(z))), ball(13.0), GRIDS["head first"])
    for axes in panels(scene):
        figure = axes.get_figure(root=True)
        assert figure is not None
        figure.draw_without_rendering()
        number, *others = sorted(axes.texts, key=lambda text: " mm" not in text.get_text() or text.get_text() == "10 mm")
        box = number.get_window_extent().padded(-2.0)
        frame = axes.get_window_extent()
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1
        assert [text.get_text() for text in others if text.get_window_extent().padded(-2.0).overlaps(box)] == []
