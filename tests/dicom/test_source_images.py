"""Which images a drawing was drawn on: per frame or contour where that is said, else what the object says of all."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from service.dicom.drawings import read_structures
from service.dicom.segments import read_segments
from tests.dicom.datasets import contour, record, segmentation, structure_set

SQUARE = [0.0, 0.0, 5.0, 10.0, 0.0, 5.0, 10.0, 10.0, 5.0, 0.0, 10.0, 5.0]


def image(uid: str, *frames: int) -> Dataset:
    """A reference to an image, or to some of its frames."""
    return record(ReferencedSOPInstanceUID=uid, **({"ReferencedFrameNumber": list(frames)} if frames else {}))


def series(uid: str, keyword: str, *images: Dataset) -> Dataset:
    return record(SeriesInstanceUID=uid, **({keyword: list(images)} if images else {}))


def derived(*images: Dataset) -> Dataset:
    return record(SourceImageSequence=list(images))


def two_segments() -> Dataset:
    """A SEG with a frame of the tumor and one of the zone."""
    frames = np.zeros((2, 8, 8), dtype=bool)
    frames[:, 3:5, 3:5] = True
    return segmentation(frames, [(0.0, 1), (3.0, 2)])


def test_a_segment_names_the_images_of_its_own_frames() -> None:
    dataset = two_segments()
    tumor, zone = dataset.PerFrameFunctionalGroupsSequence
    tumor.DerivationImageSequence, zone.DerivationImageSequence = [derived(image("1.1"))], [derived(image("1.2", 4, 5))]
    dataset.ReferencedSeriesSequence = [series("1", "ReferencedInstanceSequence", image("1.1"), image("1.2"))]
    assert [drawn.images for drawn in read_segments(dataset)] == [{("1.1", 0)}, {("1.2", 4), ("1.2", 5)}]


def test_without_that_the_images_of_the_whole_object_or_its_series_count() -> None:
    dataset = two_segments()
    dataset.ReferencedSeriesSequence = [
        series("1", "ReferencedInstanceSequence", image("1.1"), image("1.2")),
        series("2", "ReferencedInstanceSequence"),
    ]
    assert {drawn.images for drawn in read_segments(dataset)} == {frozenset({("1.1", 0), ("1.2", 0), ("2", 0)})}


def test_who_names_no_image_has_none() -> None:
    assert [drawn.images for drawn in read_segments(two_segments())] == [frozenset(), frozenset()]
    assert read_structures(structure_set([contour(SQUARE)]))[0].images == frozenset()


def test_a_structure_names_the_images_of_its_contours_else_those_of_the_set() -> None:
    dataset = structure_set([contour(SQUARE)])
    study = record(RTReferencedSeriesSequence=[series("1", "ContourImageSequence", image("1.1"), image("1.2"))])
    dataset.ReferencedFrameOfReferenceSequence = [record(RTReferencedStudySequence=[study])]
    assert read_structures(dataset)[0].images == {("1.1", 0), ("1.2", 0)}
    dataset.ROIContourSequence[0].ContourSequence[0].ContourImageSequence = [image("1.2")]
    assert read_structures(dataset)[0].images == {("1.2", 0)}
