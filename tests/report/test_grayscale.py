"""Slices look under a presentation state as they look without one."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from service.report.grayscale import grayscale
from service.report.grid import stack
from tests.report.conftest import Change, enhanced, sample
from tests.report.placed import drafted, textured


def transformation(image: Dataset) -> None:
    """The functional groups of an Enhanced image with three frames of different windows and one rescaling."""
    rescale, shared = Dataset(), Dataset()
    rescale.RescaleIntercept, rescale.RescaleSlope = "10", "0.5"
    shared.PixelValueTransformationSequence = [rescale]
    image.SharedFunctionalGroupsSequence = [shared]
    image.PerFrameFunctionalGroupsSequence = []
    for number in range(3):
        window, frame = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = str(100 + number), "50"
        frame.FrameVOILUTSequence = [window]
        image.PerFrameFunctionalGroupsSequence.append(frame)


def of(change: Change, planes: tuple[int, ...] = (2, 4)) -> tuple[object, ...]:
    given = sample(change=change)
    found = grayscale(drafted(given), stack(given.result.reference.phase), planes)
    return found.rescale, found.windows


def test_each_slice_keeps_the_first_of_its_windows() -> None:
    def stating(image: Dataset) -> None:
        image.WindowCenter, image.WindowWidth = [str(100 + image.InstanceNumber), "40"], ["600", "80"]

    assert of(stating) == (None, ((2, (108.0, 600.0)), (4, (106.0, 600.0))))


def test_frames_keep_what_their_functional_groups_say() -> None:
    given = sample(make=enhanced, change=transformation)
    found = grayscale(drafted(given), stack(given.result.reference.phase), (1, 2))

    assert found.rescale == (10.0, 0.5)
    assert found.windows == ((1, (101.0, 50.0)), (2, (102.0, 50.0)))


def test_slices_that_are_rescaled_differently_keep_their_stored_values() -> None:
    def stating(image: Dataset) -> None:
        image.RescaleIntercept, image.RescaleSlope = "0", str(image.InstanceNumber)
        image.WindowCenter, image.WindowWidth = "100", "200"

    assert of(stating) == (None, ())
    assert of(stating, (4,)) == ((0.0, 6.0), ((4, (100.0, 200.0)),))


def test_without_a_window_the_values_of_the_slice_give_one() -> None:
    given = textured(sample())
    ((k, (center, width)),) = grayscale(drafted(given), stack(given.result.reference.phase), (4,)).windows

    assert k == 4
    assert center == pytest.approx(135.0, abs=2.0)
    assert width == pytest.approx(265.0, abs=8.0)


def test_a_window_that_is_none_is_not_taken() -> None:
    def stating(image: Dataset) -> None:
        image.WindowCenter, image.WindowWidth = "100", "0"

    assert of(stating) == (None, ())
