from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from service.dicom.read import read_instances, read_planes
from service.errors import Unusable
from service.study.assemble import assemble
from service.study.model import Phase
from service.volumes.build import build_volume
from tests.dicom.datasets import AXIAL, ENHANCED, header, plane, record, saved, shared, with_pixels

STORED = np.arange(20, dtype=np.int16).reshape(1, 4, 5) - 5


def image(index: int, stored: Any = STORED, **more: Any) -> Dataset:
    dataset = header(
        **{
            "InstanceNumber": index + 1,
            "SeriesNumber": 4,
            "ImagePositionPatient": [-10.0, -20.0, 3.0 * index],
            "ImageOrientationPatient": AXIAL,
            "PixelSpacing": [1.5, 1.2],
            **more,
        }
    )
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{index + 1}"
    return with_pixels(dataset, stored)


def phases(folder: Path, *datasets: Dataset) -> tuple[Phase, ...]:
    instances, unreadable = read_instances([saved(item, folder / f"{n}.dcm") for n, item in enumerate(datasets)])
    assert not unreadable
    return assemble(instances).phases


def values(folder: Path, *datasets: Dataset) -> list[Any]:
    (phase,) = phases(folder, *datasets)
    return [item.values for item in read_planes(phase, Path)]


def refusal(folder: Path, *datasets: Dataset) -> Unusable:
    (phase,) = phases(folder, *datasets)
    with pytest.raises(Unusable) as caught:
        read_planes(phase, Path)
    return caught.value


def test_signed_values_come_as_floats_with_their_place(tmp_path: Path) -> None:
    (phase,) = phases(tmp_path, image(0), image(1))
    first, second = read_planes(phase, Path)
    np.testing.assert_array_equal(first.values, STORED[0])
    assert first.values.dtype == np.float32
    assert (second.position, second.spacing, second.frame_of_reference_uid) == ((-10, -20, 3), (1.5, 1.2), "1.9")
    assert second.name == "Image 2 of series 4"
    assert build_volume((first, second)).shape == (2, 4, 5)


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    one, two = values(
        tmp_path, image(0, RescaleSlope=2, RescaleIntercept=10), image(1, RescaleSlope="0.5", RescaleIntercept=-1)
    )
    np.testing.assert_array_equal(one, STORED[0] * 2 + 10)
    np.testing.assert_array_equal(two, STORED[0] * 0.5 - 1)


def real_world(slope: float) -> Dataset:
    return record(
        RealWorldValueSlope=slope,
        RealWorldValueIntercept=1.0,
        RealWorldValueFirstValueMapped=-5,
        RealWorldValueLastValueMapped=20,
    )


def test_a_real_world_map_goes_before_the_rescale(tmp_path: Path) -> None:
    maps = [image(k, RescaleSlope=9, RescaleIntercept=0, RealWorldValueMappingSequence=real_world(3.0)) for k in range(2)]
    np.testing.assert_array_equal(values(tmp_path, *maps)[1], STORED[0] * 3 + 1)


def test_a_real_world_map_of_some_slices_only_is_not_used(tmp_path: Path) -> None:
    """A volume never mixes units."""
    one = image(0, RescaleSlope=2, RescaleIntercept=0, RealWorldValueMappingSequence=real_world(3.0))
    np.testing.assert_array_equal(values(tmp_path, one, image(1))[0], STORED[0] * 2)


def test_a_real_world_table_is_looked_up(tmp_path: Path) -> None:
    table = record(
        RealWorldValueLUTData=[float(n**2) for n in range(20)],
        RealWorldValueFirstValueMapped=-5,
        RealWorldValueLastValueMapped=14,
    )
    found = values(tmp_path, *[image(k, RealWorldValueMappingSequence=table) for k in range(2)])
    np.testing.assert_array_equal(found[0], (STORED[0] + 5.0) ** 2)


def test_a_slope_of_zero_is_no_rescale(tmp_path: Path) -> None:
    np.testing.assert_array_equal(values(tmp_path, image(0, RescaleSlope=0, RescaleIntercept=5))[0], STORED[0])


def test_enhanced_frames_are_read_by_their_number_and_rescaled_each(tmp_path: Path) -> None:
    stored = np.stack([np.full((4, 5), k, dtype=np.uint16) for k in range(6)])
    order = [(3.0, 2), (0.0, 1), (0.0, 2), (6.0, 1), (3.0, 1), (6.0, 2)]
    own = [
        plane(
            z,
            FrameContentSequence=record(TemporalPositionIndex=time),
            PixelValueTransformationSequence=record(RescaleSlope=time, RescaleIntercept=0, RescaleType="US"),
        )
        for z, time in order
    ]
    dataset = header(ENHANCED, SharedFunctionalGroupsSequence=shared(), PerFrameFunctionalGroupsSequence=own)
    found = phases(tmp_path, with_pixels(dataset, stored))
    volumes = [build_volume(read_planes(phase, Path)) for phase in found]
    assert [volume.values[:, 0, 0].tolist() for volume in volumes] == [[1, 4, 3], [4, 0, 10]]


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels_are_decoded(tmp_path: Path, syntax: str) -> None:
    dataset = image(0, np.arange(64 * 64, dtype=np.uint16).reshape(1, 64, 64))
    dataset.compress(syntax, generate_instance_uid=False)
    assert values(tmp_path, dataset)[0][1, 2] == 66


def test_a_mosaic_is_refused_as_one(tmp_path: Path) -> None:
    fault = refusal(tmp_path, image(0, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]))
    assert fault.code == "geometry.mosaic"
    assert "Image 1 of series 4 is a mosaic" in fault.sentence


def test_an_image_that_does_not_say_where_it_lies_is_refused(tmp_path: Path) -> None:
    dataset = image(0)
    del dataset.ImagePositionPatient, dataset.PixelSpacing
    fault = refusal(tmp_path, dataset)
    assert fault.code == "geometry.no_position"
    assert "position and pixel spacing" in fault.sentence


def test_pixels_that_no_decoder_can_read_are_refused_by_the_name_of_the_image(tmp_path: Path) -> None:
    dataset = image(0)
    dataset.PixelData = b"\0\0"
    fault = refusal(tmp_path, dataset)
    assert fault.code == "pixels.undecodable"
    assert fault.sentence.startswith("Image 1 of series 4 cannot be decoded")


def test_files_that_are_no_dicom_are_listed_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "empty").touch()
    nameless = image(0)
    del nameless.StudyInstanceUID
    saved(nameless, tmp_path / "nameless.dcm")
    paths = [tmp_path / "notes.txt", tmp_path / "empty", tmp_path / "nameless.dcm", tmp_path / "missing"]
    instances, unreadable = read_instances(paths)
    assert instances == []
    assert [str(path) for path in paths] == [item.content for item in unreadable]
    assert "InvalidDicomError" in unreadable[0].reason
    assert "StudyInstanceUID" in unreadable[2].reason
    assert "FileNotFoundError" in unreadable[3].reason


def test_sequences_nested_without_end_are_unreadable_not_fatal(tmp_path: Path) -> None:
    """A few megabytes of nested sequences exhaust the stack of a recursive parser."""
    path = saved(image(0), tmp_path / "deep.dcm")
    undefined = b"\xff\xff\xff\xff"
    level = b"\x08\x00\x40\x11SQ\x00\x00" + undefined + b"\xfe\xff\x00\xe0" + undefined
    path.write_bytes(path.read_bytes()[:-60] + level * 20_000)
    instances, unreadable = read_instances([path])
    assert len(instances) + len(unreadable) == 1
