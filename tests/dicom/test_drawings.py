from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from service.codes import DEVICE_UID
from service.dicom.drawings import read_drawing, read_drawings, read_structures
from service.dicom.read import Unreadable, read_file
from service.dicom.segments import read_segments
from service.errors import Unusable
from service.regions.region import DrawnMask
from tests.dicom.datasets import contour, plane, record, saved, segmentation, shared, structure_set

SQUARE = [0.0, 0.0, 5.0, 10.0, 0.0, 5.0, 10.0, 10.0, 5.0, 0.0, 10.0, 5.0]


def blobs(count: int, seed: int = 1) -> NDArray[np.bool_]:
    """Frames of 16 x 16 with one random pixel block each."""
    rng = np.random.default_rng(seed)
    frames = np.zeros((count, 16, 16), dtype=bool)
    for frame in frames:
        row, column = rng.integers(4, 9, 2)
        frame[row : row + 3, column : column + 4] = True
    return frames


def filled(mask: DrawnMask) -> dict[tuple[float, float, float], float]:
    """LPS position of every voxel with anything in it, and how much."""
    indices = np.argwhere(mask.mask.values > 0)
    points = mask.mask.to_mm(indices.astype(float))
    return {tuple(np.round(p, 3)): float(mask.mask.values[tuple(i)]) for i, p in zip(indices, points, strict=True)}


def expected(frame: NDArray[Any], z: float) -> dict[tuple[float, float, float], float]:
    """The same from the frame and its position: first pixel at (-10, -20, z), pixels 1.5 down by 1.2 across."""
    return {(round(-10 + 1.2 * i, 3), round(-20 + 1.5 * j, 3), z): float(frame[j, i]) for j, i in np.argwhere(frame > 0)}


def test_binary_frames_in_any_order_with_empty_ones_left_out_lie_where_they_were_drawn() -> None:
    frames = blobs(4)
    places = [(12.0, 1), (0.0, 1), (0.0, 2), (3.0, 1)]
    tumor, zone = read_segments(segmentation(frames, places))
    assert filled(tumor) == expected(frames[0], 12.0) | expected(frames[1], 0.0) | expected(frames[3], 3.0)
    assert filled(zone) == expected(frames[2], 0.0)
    assert tumor.mask.spacing == pytest.approx((3.0, 1.5, 1.2))
    assert (tumor.mask.frame_of_reference_uid, tumor.source_uid, tumor.number) == ("1.9", "1.2.3.4", 1)
    assert (tumor.label, tumor.codes) == ("Tumor", ("SCT:49755003", "SCT:108369006", "SCT:10200004"))
    assert not tumor.fractional


def test_a_left_out_frame_leaves_an_empty_slice_not_a_shorter_grid() -> None:
    tumor, _ = read_segments(segmentation(blobs(3), [(0.0, 1), (3.0, 1), (12.0, 1)]))
    assert [bool(part.any()) for part in tumor.mask.values] == [True, True, False, False, True]


@pytest.mark.parametrize("stated", [None, 0.0, 99.0])
def test_without_a_usable_slice_distance_the_smallest_step_counts(stated: float | None) -> None:
    places = [(0.0, 1), (4.5, 1), (6.0, 1)]
    dataset = segmentation(blobs(3), places, SharedFunctionalGroupsSequence=shared(stated))
    tumor, _ = read_segments(dataset)
    assert tumor.mask.spacing[0] == pytest.approx(1.5)
    assert len(tumor.mask.values) == 5


def test_slices_thinner_than_their_distance_get_no_empty_slices_between() -> None:
    thin = shared(None)
    thin.PixelMeasuresSequence[0].SliceThickness = 1.5
    tumor, _ = read_segments(segmentation(blobs(3), [(0.0, 1), (3.0, 1), (6.0, 1)], SharedFunctionalGroupsSequence=thin))
    assert all(part.any() for part in tumor.mask.values)


def test_one_frame_is_a_mask_of_one_slice() -> None:
    (frame,) = blobs(1)
    tumor, zone = read_segments(segmentation(frame[None], [(7.0, 1)]))
    assert filled(tumor) == expected(frame, 7.0)
    assert not zone.mask.values.any(), "a segment that nobody filled is empty"


def test_fractions_are_of_the_stated_maximum() -> None:
    frames = (blobs(2) * np.array([50, 200]).reshape(2, 1, 1)).astype(np.uint8)
    tumor, _ = read_segments(segmentation(frames, [(0.0, 1), (3.0, 1)], "FRACTIONAL", MaximumFractionalValue=200))
    assert tumor.fractional
    assert set(filled(tumor).values()) == {0.25, 1.0}


def test_a_label_map_holds_one_segment_for_each_number() -> None:
    labels = np.zeros((2, 16, 16), dtype=np.uint8)
    labels[0, 5, 5:7], labels[1, 6, 6] = 1, 2
    tumor, zone = read_segments(segmentation(labels, [(0.0, 0), (3.0, 0)], "LABELMAP"))
    assert filled(tumor) == expected(labels[0] == 1, 0.0)
    assert filled(zone) == expected(labels[1] == 2, 3.0)


def test_our_own_masks_are_known() -> None:
    assert read_segments(segmentation(blobs(1), [(0.0, 1)], DeviceUID=DEVICE_UID))[0].by_us
    assert not read_segments(segmentation(blobs(1), [(0.0, 1)], DeviceUID="1.5"))[0].by_us


def test_a_mask_is_cut_to_what_it_fills_so_that_many_fit_into_memory() -> None:
    frames = np.zeros((1, 256, 256), dtype=bool)
    frames[0, 100, 100] = True
    tumor, _ = read_segments(segmentation(frames, [(0.0, 1)]))
    assert tumor.mask.values.size < 100
    assert filled(tumor) == expected(frames[0], 0.0)


def tilted(dataset: Dataset) -> None:
    own = dataset.PerFrameFunctionalGroupsSequence[1]
    own.PlaneOrientationSequence = [record(ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 0.8, 0.6])]


def shifted(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence[1].update(plane(1.3))


def aside(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient = [-9.0, -20.0, 3.0]


def unplaced(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence


def far_away(dataset: Dataset) -> None:
    dataset.PerFrameFunctionalGroupsSequence[1].update(plane(3e7))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (tilted, "orientation"),
        (aside, "off the grid"),
        (unplaced, "not every frame"),
        (far_away, "reach over"),
    ],
)
def test_a_segmentation_off_any_grid_is_refused(break_it: Any, words: str) -> None:
    dataset = segmentation(blobs(3), [(0.0, 1), (3.0, 1), (6.0, 1)])
    break_it(dataset)
    with pytest.raises(Unusable, match=words) as fault:
        read_segments(dataset)
    assert fault.value.code == "drawing.geometry"


def test_frames_between_the_slices_are_refused() -> None:
    dataset = segmentation(blobs(3), [(0.0, 1), (3.0, 1), (6.0, 1)])
    shifted(dataset)
    with pytest.raises(Unusable, match="off the grid"):
        read_segments(dataset)


def test_a_structure_is_its_closed_polygons() -> None:
    line = contour(SQUARE, "OPEN_PLANAR")
    dataset = structure_set([contour(SQUARE), line, contour(SQUARE)], RTROIInterpretedType="GTV")
    (roi,) = read_structures(dataset)
    assert (roi.number, roi.label, roi.codes, roi.frame_of_reference_uid) == (7, "Ablation zone", ("DCM-RT:GTV",), "1.9")
    assert list(roi.polygons) == [((0, 0, 5), (10, 0, 5), (10, 10, 5), (0, 10, 5))] * 2


def test_a_structure_of_points_only_encloses_nothing() -> None:
    assert read_structures(structure_set([contour(SQUARE[:3], "POINT")])) == ()


def test_a_contour_that_is_no_list_of_points_is_refused() -> None:
    with pytest.raises(Unusable, match="three points"):
        read_structures(structure_set([contour(SQUARE[:-1])]))


def test_one_broken_drawing_does_not_hide_the_others(tmp_path: Path) -> None:
    broken = segmentation(blobs(2), [(0.0, 1), (3.0, 1)])
    unplaced(broken)
    paths = [
        saved(broken, tmp_path / "broken.dcm"),
        saved(segmentation(blobs(1), [(0.0, 1)]), tmp_path / "seg.dcm"),
        saved(structure_set([contour(SQUARE)]), tmp_path / "rt.dcm"),
    ]
    instances = [read_file(path, str(path)) for path in paths]
    refused: list[Unreadable] = []
    drawings = read_drawings(instances, Path, refused.append)
    assert [drawing.label for drawing in drawings] == ["Tumor", "Zone", "Ablation zone"]
    assert [(item.content, "not every frame" in item.reason) for item in refused] == [(str(paths[0]), True)]
    with pytest.raises(Unusable):
        read_drawing(instances[0], Path)


def test_a_segmentation_without_pixels_is_refused(tmp_path: Path) -> None:
    dataset = segmentation(blobs(1), [(0.0, 1)])
    del dataset.PixelData
    path = saved(dataset, tmp_path / "seg.dcm")
    with pytest.raises(Unusable, match="cannot be decoded"):
        read_drawing(read_file(path, str(path)), Path)


def test_frames_that_begin_within_a_byte_are_read() -> None:
    """13 x 11 pixels are 143 bits: the second frame begins with the last bit of a byte."""
    frames = np.random.default_rng(3).random((3, 13, 11)) < 0.4
    tumor, _ = read_segments(segmentation(frames, [(0.0, 1), (3.0, 1), (6.0, 1)]))
    assert filled(tumor) == expected(frames[0], 0.0) | expected(frames[1], 3.0) | expected(frames[2], 6.0)
