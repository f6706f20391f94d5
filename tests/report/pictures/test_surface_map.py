"""The map says where the margin is narrow and where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.text import Annotation
from scipy.spatial import cKDTree

from service.regions.visibility import Visibility
from service.report.pictures import surface_map
from service.report.pictures.minimum import Minimum
from service.report.pictures.projection import WIDE, directions, on_map, project
from service.report.pictures.style import BANDS
from service.report.pictures.unrolled import unroll
from tests.report.pictures.conftest import Drawn, blinded, drawn
from tests.report.pictures.reading import line, named, pixels, positions, texts
from tests.report.pictures.test_unrolled import opened
from tests.shapes import ball, grid


def drawn_map(scene: Drawn, visibility: Visibility | None = None) -> Axes:
    (axes,) = surface_map.figure(scene.surface, visibility or scene.visibility, scene.minimum()).axes
    return axes


@pytest.mark.parametrize(
    "toward", [(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)]
)
def test_minimum_is_marked_where_the_tumor_was_shifted(toward: tuple[float, float, float]) -> None:
    """Shifted to the patient's left: on the right of the map, and so on for every direction."""
    x, y, z = (4.0 * part for part in toward)
    scene = drawn(ball(6.0, (x, y, z)), ball(13.0), grid(24.0, (2.0, 1.2, 1.2)))
    (place,) = positions(line(drawn_map(scene), "minimum"))
    assert float(directions(place) @ np.array(toward)) > np.cos(np.deg2rad(30.0))


def test_letters_stand_where_the_patient_has_them(shifted: Drawn) -> None:
    places = {text.get_text(): text.xy for text in drawn_map(shifted).texts if isinstance(text, Annotation)}
    ways = {"R": (-1, 0, 0), "L": (1, 0, 0), "A": (0, -1, 0), "H": (0, 0, 1), "F": (0, 0, -1)}
    for letter, way in ways.items():
        assert np.array(places[letter]) == pytest.approx(project(np.array(way, dtype=float)), abs=0.2), letter


def test_bands_are_painted_where_they_are(shifted: Drawn) -> None:
    """3 mm on the left of the patient, 11 on the right: the colors of these pixels."""
    shown = pixels(surface_map.figure(shifted.surface, shifted.visibility, shifted.minimum()), 1000)
    left, right, bottom, top = surface_map.FRAME

    def color(toward: tuple[float, float, float]) -> np.ndarray:
        x, y = project(np.array(toward))
        row, column = (top - y) / (top - bottom) * len(shown), (x - left) / (right - left) * shown.shape[1]
        return np.asarray(shown[int(row), int(column)])

    assert color((-1.0, -0.1, 0.3)) == pytest.approx(to_rgb(BANDS[4]), abs=0.02)
    assert color((-0.3, -1.0, 0.3)) == pytest.approx(to_rgb(BANDS[3]), abs=0.02)
    assert color((1.0, 0.6, -0.5)) == pytest.approx(to_rgb(BANDS[2]), abs=0.02)


def test_all_that_is_not_assessable_is_hatched_and_nothing_else(shifted: Drawn) -> None:
    seen = blinded(shifted.visibility, shifted.surface, (-0.6, -0.6, 0.5))
    hatched = positions(line(drawn_map(shifted, seen), "not assessable"))
    raster = unroll(shifted.surface, seen)
    place = np.stack(np.meshgrid(raster.x, raster.y), axis=-1)
    hidden = raster.hidden & on_map(place)
    near, _ = cKDTree(hatched).query(place[hidden])
    assert np.quantile(near, 0.99) < surface_map.HATCH[0]
    assert near.max() < 2 * surface_map.HATCH[0]
    stray, _ = cKDTree(place[hidden]).query(hatched)
    assert stray.max() < 0.02


def test_without_anything_hidden_nothing_is_hatched(shifted: Drawn) -> None:
    axes = drawn_map(shifted)
    assert not len(positions(line(axes, "not assessable")))
    assert "not assessable\n0 % of surface" in texts(axes)


def test_share_is_of_the_surface(shifted: Drawn) -> None:
    """A cap of 60 degrees is a quarter of a ball."""
    seen = blinded(shifted.visibility, shifted.surface, (0.0, 0.0, 1.0))
    (said,) = [text for text in texts(drawn_map(shifted, seen)) if "not assessable" in text]
    assert float(said.split("\n")[1].split(" ")[0]) == pytest.approx(25.0, abs=2.0)


@pytest.mark.parametrize(("radius", "lines"), [(13.0, 1), (20.0, 0)])
def test_3_mm_line_only_where_the_margin_crosses_it(radius: float, lines: int) -> None:
    scene = drawn(ball(6.0, (5.0, 0.0, 0.0)), ball(radius), grid(30.0, (2.0, 1.5, 1.5)))
    found = named(drawn_map(scene), "3 mm")
    assert len(found) == lines
    for contour in found:
        points = contour.get_paths()[0].vertices  # type: ignore[attr-defined]
        assert np.abs(points[:, 0] - WIDE / 2).mean() < 1.0  # around the patient's left


def test_open_surface_is_said_to_be_blank(shifted: Drawn) -> None:
    surface = opened(shifted.surface)
    (axes,) = surface_map.figure(surface, Visibility(np.ones(len(surface.points), dtype=bool), {}), None).axes
    assert "blank: no\nsurface" in texts(axes)
    assert "blank: no\nsurface" not in texts(drawn_map(shifted))


def test_the_minimum_of_the_report_is_marked_and_not_that_of_what_is_hidden(shifted: Drawn) -> None:
    """A smaller margin where nobody can judge it is no minimum; without any there is no mark."""
    stated = Minimum(10.9, tuple(shifted.surface.points[np.argmin(shifted.surface.points[:, 0])].tolist()))
    (axes,) = surface_map.figure(shifted.surface, shifted.visibility, stated).axes
    assert "10.9 mm" in texts(axes)
    assert positions(line(axes, "minimum"))[0] == pytest.approx(project(np.array([-1.0, 0.0, 0.0])), abs=0.2)
    (axes,) = surface_map.figure(shifted.surface, shifted.visibility, None).axes
    assert not named(axes, "minimum")


@pytest.mark.parametrize("height", [-0.15, 0.0, 0.15])
@pytest.mark.parametrize("turn", range(0, 360, 15))
def test_the_number_of_the_minimum_covers_no_letter(turn: int, height: float) -> None:
    x, y = project(np.array([np.sin(np.deg2rad(turn)), -np.cos(np.deg2rad(turn)), height]))
    across, up = surface_map._beside(float(x), float(y))
    near, far = sorted((x + surface_map.OFFSET * across, x + (surface_map.OFFSET + surface_map.NUMBER[0]) * across))
    for letter_x, letter_y in surface_map.INSIDE.values():
        beside = letter_x < near or letter_x > far
        assert beside or abs(y + surface_map.OFFSET * up - letter_y) >= surface_map.NUMBER[1]
