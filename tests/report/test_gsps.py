"""The line lies where the margin is smallest, its number is the margin's, and the image under it stays readable."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from pydicom.dataset import Dataset

from service.codes import MM
from service.report import gsps
from service.report.wording import shown
from tests.report.conftest import SHAPE, SPACING, Sample, affine_point, enhanced, sample
from tests.report.placed import drafted, placed


@pytest.fixture(scope="module")
def given() -> Sample:
    return placed(sample())


def made(given: Sample) -> Dataset:
    found = gsps.make(drafted(given))
    assert found is not None
    return found


def notes_of(state: Dataset, layer: str) -> list[Dataset]:
    return [item for item in state.GraphicAnnotationSequence if item.GraphicLayer == layer]


def points(graphic: Dataset) -> np.ndarray:
    """Column and row of each point, (0, 0) in the middle of the first pixel."""
    return np.array(graphic.GraphicData).reshape(-1, 2) - 0.5


def in_space(graphic: Dataset, k: int) -> np.ndarray:
    return np.array([affine_point((k, row, column)) for column, row in points(graphic)])


def plane(state: Dataset) -> int:
    uid = state.GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
    return SHAPE[0] - int(uid.rsplit(".", 1)[1])


def test_the_line_runs_from_the_narrowest_place_to_untreated_liver(given: Sample) -> None:
    state, surface = made(given), given.result.tumors[0].surface
    assert surface is not None
    (note,) = notes_of(state, "MARGIN")

    start, end = in_space(note.GraphicObjectSequence[0], plane(state))

    assert np.linalg.norm(start - surface.place) <= SPACING[0] / 2 + 1e-3
    assert np.linalg.norm(end - surface.nearest[int(np.argmin(surface.margin))]) <= SPACING[0] + 1e-3
    assert f"margin {shown(surface.minimum, MM)}" in note.TextObjectSequence[0].UnformattedTextValue


def test_contours_are_the_surfaces_in_that_slice(given: Sample) -> None:
    state = made(given)
    (note,) = notes_of(state, "CONTOURS")
    names = [item.UnformattedTextValue for item in note.TextObjectSequence]

    tumor, zone = (in_space(graphic, plane(state)) for graphic in note.GraphicObjectSequence)

    assert names == ["PH-1 tumor 1", "Ablation zone"]
    assert np.abs(np.linalg.norm(tumor - affine_point((5, 14, 10)), axis=1) - 6.0).mean() < 0.3
    assert np.abs(np.linalg.norm(zone - affine_point((5, 14, 18)), axis=1) - 12.0).mean() < 0.3
    assert all(np.linalg.norm(a - b) < 3.0 for a, b in pairwise(zone))


def test_a_line_across_slices_says_so(given: Sample) -> None:
    texts = notes_of(made(given), "MARGIN")[0].TextObjectSequence[0].UnformattedTextValue
    surface = given.result.tumors[0].surface
    assert surface is not None
    way = surface.nearest[int(np.argmin(surface.margin))] - surface.place
    normal = affine_point((1, 0, 0)) - affine_point((0, 0, 0))
    flat = np.sqrt(1.0 - (way @ normal / np.linalg.norm(way) / np.linalg.norm(normal)) ** 2)

    assert ("leaves the slice" in texts) == (flat < 0.9)


def test_layers_colors_and_body_part_are_stated(given: Sample) -> None:
    state = made(given)
    used = {item.GraphicLayer for item in state.GraphicAnnotationSequence}

    assert used == {layer.GraphicLayer for layer in state.GraphicLayerSequence}
    assert state.BodyPartExamined == "LIVER"
    assert "for research use" in state.SeriesDescription
    referenced = state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
    assert referenced == state.GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID


def test_window_and_rescaling_of_the_image_are_kept() -> None:
    def stating(image: Dataset) -> None:
        image.WindowCenter, image.WindowWidth = ["300", "40"], ["600", "80"]
        image.RescaleIntercept, image.RescaleSlope = "-5", "2.5"

    state = made(placed(sample(change=stating)))
    window = state.SoftcopyVOILUTSequence[0]

    assert (state.RescaleIntercept, state.RescaleSlope) == (-5, 2.5)
    assert (window.WindowCenter, window.WindowWidth) == (300, 600)


def test_of_an_object_with_many_frames_the_frame_is_named() -> None:
    state = made(placed(sample(make=enhanced)))

    assert all(
        1 <= item.ReferencedImageSequence[0].ReferencedFrameNumber <= SHAPE[0] for item in state.GraphicAnnotationSequence
    )


@pytest.mark.parametrize("tumors", [0, 1])
def test_without_a_measured_margin_there_is_nothing_to_draw(tumors: int) -> None:
    assert gsps.make(drafted(sample(tumors=tumors))) is None
