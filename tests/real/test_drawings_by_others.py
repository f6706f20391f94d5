"""Segmentations that other tools wrote, beside what those tools say is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from service.dicom.drawings import read_drawing
from service.dicom.read import read_file
from service.errors import Unusable
from service.regions.region import DrawnMask
from tests.peers import real_data

pytestmark = pytest.mark.real_data

DCMQI = ("liver", "dcmqi", "data", "segmentations")
HIGHDICOM = ("results_by_others", "highdicom", "data", "test_files")


def masks(*parts: str) -> list[DrawnMask]:
    path = real_data(*parts)
    found = read_drawing(read_file(path, str(path)), Path)
    return [drawing for drawing in found if isinstance(drawing, DrawnMask)]


def points(mask: DrawnMask) -> np.ndarray:
    """Positions of the filled voxels, LPS mm, sorted."""
    filled = mask.mask.to_mm(np.argwhere(mask.mask.values > 0.5).astype(float))
    return np.asarray(sorted(map(tuple, np.round(filled, 2))))


def test_the_liver_of_dcmqi_fills_the_same_points_as_the_file_that_it_was_made_from() -> None:
    import SimpleITK

    (liver,) = masks(*DCMQI, "liver.dcm")
    source = SimpleITK.ReadImage(str(real_data(*DCMQI, "liver_seg.nrrd")))
    labels = SimpleITK.GetArrayFromImage(source)
    indices = [tuple(int(n) for n in index[::-1]) for index in np.argwhere(labels > 0)]
    expected = [source.TransformIndexToPhysicalPoint(index) for index in indices]
    assert (liver.label, liver.codes) == ("Liver", ("SRT:T-D0050", "SRT:T-62000"))
    assert len(points(liver)) == len(expected)
    np.testing.assert_allclose(points(liver), np.asarray(sorted(map(tuple, np.round(expected, 2)))), atol=0.02)


def test_segments_that_overlap_keep_their_whole_extent() -> None:
    assert [mask.label for mask in masks(*DCMQI, "partial_overlaps.dcm")] == [
        "GREEN",
        "ORANGE",
        "PURPLE",
        "LIGHT_BLUE",
        "DARK_BLUE",
    ]


@pytest.mark.parametrize("name", ["sparse-labelmap-noppv.dcm", "sparse-labelmap-ppv5.dcm"])
def test_a_label_map_with_a_left_out_frame_has_an_empty_slice_there(name: str) -> None:
    (liver,) = masks(*DCMQI, name)
    assert [bool(part.any()) for part in liver.mask.values] == [True, False, True]
    assert liver.mask.spacing[0] == pytest.approx(2.5)


def test_the_same_mask_as_bits_and_as_fractions_is_the_same() -> None:
    (bits,) = masks(*HIGHDICOM, "seg_image_ct_binary.dcm")
    (whole,) = masks(*HIGHDICOM, "seg_image_ct_binary_fractional.dcm")
    np.testing.assert_array_equal(points(bits), points(whole))
    assert (bits.fractional, whole.fractional) == (False, True)


def test_true_fractions_lie_between_nothing_and_all() -> None:
    (mask,) = masks(*HIGHDICOM, "seg_image_ct_true_fractional.dcm")
    assert len(np.unique(mask.mask.values)) > 2
    assert 0 <= mask.mask.values.min() <= mask.mask.values.max() <= 1


@pytest.mark.parametrize(
    "name",
    [
        "seg_image_cr_binary.dcm",
        "seg_image_sm_control.dcm",
        "seg_image_sm_control_labelmap.dcm",
        "seg_image_sm_dots.dcm",
        "seg_image_sm_dots_tiled_full.dcm",
        "seg_image_sm_numbers.dcm",
    ],
)
def test_segmentations_of_pictures_without_a_place_in_the_patient_are_refused(name: str) -> None:
    with pytest.raises(Unusable, match="not every frame says where"):
        masks(*HIGHDICOM, name)
