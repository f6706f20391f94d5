"""What a radiologist sees of the results in OHIF, looked at on the screen.

Where things must lie is taken from the recipe of the phantom and the geometry of the images, never from the results.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from service.jobs.expected import EXACT_MM
from service.jobs.trials import TUMOR, dynamic
from service.options import OUTPUTS
from service.phantom.bodies import Ball
from service.study.model import Vector
from tests.journey.waiting import eventually
from tests.viewers.browser import Picture
from tests.viewers.conftest import Objects
from tests.viewers.viewer import Viewer

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]

VERMILLION, SKY_BLUE = (213, 94, 0), (86, 180, 233)  # the tumor and the zone: Okabe and Ito's, which the manual promises
GREEN = (0, 255, 0)  # in which OHIF draws lines of reports
NEAR_MM = 5.0
MR_SERIES = 4


@pytest.fixture
def opened(viewer: Viewer, objects: Objects) -> Viewer:
    """The viewer with the study that has results, just opened: what was shown before can keep OHIF from showing the next."""
    viewer.open(objects.study_uid)
    return viewer


@pytest.fixture(scope="module")
def center() -> Vector:
    """The middle of the phantom's tumor, LPS mm."""
    (ball,) = dynamic().patient.recipe.lesion.tumor
    assert isinstance(ball, Ball)
    return ball.center


def colored(picture: Picture, color: tuple[int, int, int]) -> NDArray[np.float64]:
    """The pixels of very nearly one colour, (n, 2) as x, y."""
    close = np.abs(picture.astype(int) - color).max(axis=-1) <= 12
    return np.argwhere(close)[:, ::-1].astype(np.float64)


def warm(picture: Picture) -> NDArray[np.float64]:
    """The pixels in which red outweighs blue, as where vermillion is drawn over something else, (n, 2) as x, y."""
    return np.argwhere(redness(picture) > 60)[:, ::-1].astype(np.float64)


def redness(picture: Picture) -> NDArray[np.int_]:
    """Red less blue of each pixel: none in gray."""
    return np.subtract(picture[..., 0], picture[..., 2], dtype=np.int_)


def until(viewer: Viewer, seen: Callable[[Picture], bool]) -> Picture:
    """The picture at rest, as soon as something is seen in it."""
    return eventually(viewer.still, seen, 60)


def test_without_results_nothing_of_them_is_seen(viewer: Viewer, objects: Objects, unanalysed: str, center: Vector) -> None:
    """What the tests below look for is not there by itself."""
    viewer.open(unanalysed)
    picture = viewer.go_to(center)

    assert sum("VIBE" in text for text in viewer.series()) == MR_SERIES
    for role in OUTPUTS:
        with pytest.raises(AssertionError, match="is not among"):
            viewer.show(objects.series(role))
    assert len(warm(picture)) == len(colored(picture, SKY_BLUE)) == len(colored(picture, GREEN)) == 0
    assert viewer.texts() == []


def test_a_study_opens_with_its_images_and_lists_the_results(opened: Viewer, objects: Objects, center: Vector) -> None:
    picture = opened.go_to(center)
    x, y = (round(value) for value in opened.place(center))

    listed = opened.series()
    assert sum("VIBE" in text for text in listed) == MR_SERIES
    assert all(any(objects.series(role) in text for text in listed) for role in OUTPUTS), listed
    assert picture[y, x, 0] + 10 < picture[y, 2 * x, 0], "the ablated part is darker than the rest of the liver"
    assert not redness(picture[y - 20 : y + 20, x - 20 : x + 20]).any()


def test_contours_lie_on_the_tumor_in_their_colors(opened: Viewer, objects: Objects, center: Vector) -> None:
    opened.show(objects.series("seg"))
    until(opened, lambda picture: len(colored(picture, SKY_BLUE)) > 100)
    opened.go_to(center)
    picture = until(opened, lambda picture: len(warm(picture)) > 100)
    (x, y), scale = opened.place(center), opened.pixels_a_mm(center)
    low, high = warm(picture).min(axis=0), warm(picture).max(axis=0)

    assert np.linalg.norm((low + high) / 2 - (x, y)) < 1.5 * scale
    assert (high - low) / scale == pytest.approx([2 * TUMOR] * 2, abs=2.5)
    assert redness(picture)[round(y), round(x)] > 15, "vermillion lies on the tumor"
    beside = round(1.2 * TUMOR * scale)
    assert redness(picture)[round(y) - beside, round(x) + beside] < -30, "blue lies on the zone around it"
    colors = opened.segment_colors()
    assert (colors["Tumor 1"], colors["Ablation zone: Tumor 1"]) == (VERMILLION, SKY_BLUE)


def test_the_second_report_draws_the_narrowest_place_with_its_number(opened: Viewer, objects: Objects) -> None:
    narrowest = dynamic().patient.truth.margin
    opened.show(objects.series("sr_places"))
    picture = until(opened, lambda picture: len(colored(picture, GREEN)) > 0)
    (x, y), scale = opened.place(narrowest.place), opened.pixels_a_mm(narrowest.place)
    away = np.linalg.norm(colored(picture, GREEN) - (x, y), axis=1) / scale

    assert np.sum(away < NEAR_MM) > 10, "the line begins at the narrowest place"
    assert abs(opened.height() - narrowest.place[2]) < NEAR_MM, "OHIF goes to its slice"
    number = minimum(objects)
    assert number == pytest.approx(narrowest.value, abs=EXACT_MM)
    assert any(f"Minimum ablation margin: {number:.2f} mm" in text for text in opened.texts()), opened.texts()
    assert max(opened.ends_of_texts()) < picture.shape[1], "no text runs out of the picture"


def test_the_summary_is_shown_as_it_was_drawn(opened: Viewer, objects: Objects) -> None:
    page = objects.by_role["summary"].pixel_array
    assert likeness(middle(opened.image()), page) < 0.3

    opened.show(objects.series("summary"))

    until(opened, lambda picture: likeness(middle(picture), page) > 0.9)


def minimum(objects: Objects) -> float:
    """The minimum margin that the second report tells, mm."""
    items = list(objects.by_role["sr_places"].ContentSequence)
    for item in items:
        items.extend(item.get("ContentSequence", ()))
    values = [
        float(item.MeasuredValueSequence[0].NumericValue)
        for item in items
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeMeaning == "Minimum ablation margin"
    ]
    return values[0]


def middle(picture: Picture) -> Picture:
    """The largest square in the middle, where a square image is shown."""
    height, width, _ = picture.shape
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return picture[top : top + side, left : left + side]


def likeness(shown: Picture, drawn: Picture) -> float:
    """The correlation of two square pictures, coarse enough not to ask how letters were interpolated: 1 is the same."""
    first, second = (coarse(picture).ravel() for picture in (shown, drawn))
    return float(np.corrcoef(first, second)[0, 1])


def coarse(picture: Picture, cells: int = 48) -> NDArray[np.float64]:
    """The mean brightness of `cells` x `cells` parts."""
    gray = picture.mean(axis=-1)
    rows = np.array([part.mean(axis=0) for part in np.array_split(gray, cells, axis=0)])
    return np.array([part.mean(axis=1) for part in np.array_split(rows, cells, axis=1)]).T
