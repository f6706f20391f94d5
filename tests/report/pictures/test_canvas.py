"""PNG without a window, in any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.report.pictures import histogram, narrowest, surface_map
from service.report.pictures.canvas import png
from service.report.pictures.sections import Scene
from service.report.pictures.style import ON_BLACK, ON_WHITE, Ink
from tests.report.pictures.conftest import Drawn
from tests.report.pictures.reading import pixels


def pictures(scene: Drawn, ink: Ink = ON_BLACK) -> list[bytes]:
    """All three, 500 pixels wide."""
    cut = Scene(scene.tumor, scene.zone, None, scene.image)
    figures = (
        surface_map.figure(scene.surface, scene.visibility, scene.minimum(), ink),
        narrowest.figure(scene.surface, cut, scene.surface.place, ink),
        histogram.figure(scene.surface, scene.visibility, scene.minimum(), ink),
    )
    return [png(figure, 500) for figure in figures]


@pytest.mark.parametrize("width", [500, 1024])
def test_size_is_the_wished_one(shifted: Drawn, width: int) -> None:
    shown = pixels(surface_map.figure(shifted.surface, shifted.visibility, shifted.minimum()), width)
    assert shown.shape[1] == width
    assert shown.shape[0] == pytest.approx(width * 4.47 / 6.24, abs=1.5)
    assert 0.1 < shown.mean() < 0.9


@pytest.mark.parametrize(("ink", "corner"), [(ON_BLACK, 0.0), (ON_WHITE, 1.0)])
def test_drawn_on_black_or_white(shifted: Drawn, ink: Ink, corner: float) -> None:
    shown = pixels(histogram.figure(shifted.surface, shifted.visibility, shifted.minimum(), ink))
    assert shown[0, 0] == pytest.approx(corner)
    assert shown.std() > 0.1


def test_threads_draw_the_same_bytes(shifted: Drawn) -> None:
    alone = pictures(shifted)
    with ThreadPoolExecutor(3) as pool:
        for together in pool.map(lambda _: pictures(shifted), range(3)):
            assert together == alone
