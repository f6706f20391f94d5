"""The path of a vessel lies where it is in the patient, on the plane that holds most of it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from service.report.pictures.canvas import blank, whole
from service.report.pictures.planes import AXIAL, CORONAL, SAGITTAL, View
from service.report.pictures.sections import Scene
from service.report.pictures.vessel import IN_PLANE, vessel, view_of
from service.study.model import Vector
from tests.report.pictures.conftest import Drawn
from tests.report.pictures.reading import line, named, positions, texts

STRAIGHT: tuple[Vector, ...] = ((16.0, 1.0, 2.0), (14.0, 0.5, 2.0), (12.0, 0.0, 2.0), (10.0, 0.0, 2.0))


def drawn_path(scene: Drawn, path: tuple[Vector, ...]) -> tuple[Axes, View]:
    axes = whole(blank(2.4, 2.4))
    return axes, vessel(axes, scene.surface, Scene(scene.tumor, scene.zone, None, scene.image), path)


def test_path_is_drawn_from_its_middle_and_ends_in_a_dot(shifted: Drawn) -> None:
    axes, view = drawn_path(shifted, STRAIGHT)
    assert view is AXIAL
    assert "axial" in texts(axes)
    expected = view.flat(np.array(STRAIGHT) - np.array(STRAIGHT[2]))
    assert positions(line(axes, "path")) == pytest.approx(expected)
    assert positions(line(axes, "path in plane")) == pytest.approx(expected)
    assert positions(line(axes, "end"))[0] == pytest.approx(expected[-1])
    assert named(axes, "tumor")
    assert named(axes, "zone")


def test_what_leaves_the_plane_is_only_dotted(shifted: Drawn) -> None:
    away = (*STRAIGHT, (8.0, 0.0, 2.5 + IN_PLANE))
    axes, view = drawn_path(shifted, away)
    assert view.flat(np.array(away)).shape == (5, 2)
    assert len(positions(line(axes, "path"))) == 5
    assert len(positions(line(axes, "path in plane"))) < 5 or view is not AXIAL


@pytest.mark.parametrize(("along", "expected"), [((1, 1, 0), AXIAL), ((1, 0, 1), CORONAL), ((0, 1, 1), SAGITTAL)])
def test_the_plane_is_the_one_that_the_path_leaves_least(along: tuple[int, int, int], expected: View) -> None:
    assert view_of(np.outer(np.arange(5.0), along)) is expected


def test_a_path_of_one_point_is_a_dot(shifted: Drawn) -> None:
    axes, _ = drawn_path(shifted, STRAIGHT[:1])
    assert positions(line(axes, "end")) == pytest.approx(np.zeros((1, 2)))
