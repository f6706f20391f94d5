"""Real pixels in every transfer syntax that the collection holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from service.dicom.pixels import decode_frames, read_dataset
from tests.peers import real_data

pytestmark = pytest.mark.real_data


def stored(path: Path) -> np.ndarray:
    (frame,) = decode_frames(read_dataset(path, pixels=True), [1], path.name)
    return np.asarray(frame)


@pytest.mark.parametrize("name", range(2, 10))
def test_one_image_in_nine_transfer_syntaxes_has_the_same_pixels(name: int) -> None:
    folder = real_data("transfer_syntax", "one_image_nine_syntaxes")
    first, other = stored(folder / "1.dcm"), stored(folder / f"{name}.dcm")
    np.testing.assert_array_equal(first, other)


def test_jpeg_2000_slices_of_a_ct_are_decoded() -> None:
    folder = real_data("liver", "TotalSegmentator", "tests", "reference_files", "example_ct_dicom")
    for path in sorted(folder.iterdir())[:3]:
        assert stored(path).shape == (512, 512)
