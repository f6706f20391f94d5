"""Headers and pixels that somebody broke on purpose: each is read or refused, none ends the program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from service.dicom.drawings import read_drawings
from service.dicom.headers import read_instance
from service.dicom.pixels import decode_frames, read_dataset
from service.dicom.read import read_instances, read_planes
from service.errors import Unusable
from service.study.assemble import MR_IMAGE, assemble
from service.study.model import Instance
from service.study.roles import assign_roles
from service.volumes.build import build_volume
from tests.peers import real_data

pytestmark = pytest.mark.real_data

CATEGORIES = (
    "cat01_tag_overflow",
    "cat02_vr_mismatch",
    "cat03_sequence_nesting",
    "cat04_pixel_data",
    "cat05_transfer_syntax",
    "cat06_private_tags",
    "cat07_file_meta",
    "cat08_string_encoding",
    "cat09_logic_bombs",
)


@pytest.mark.parametrize("category", [*(("malformed", name) for name in CATEGORIES), ("charsets",)])
def test_every_broken_object_is_read_or_named_unreadable(category: tuple[str, ...]) -> None:
    paths = [path for path in sorted(real_data(*category).rglob("*")) if path.is_file()]
    instances, unreadable = read_instances(paths)
    assert paths
    assert len(instances) + len(unreadable) == len(paths)
    assert all(item.reason for item in unreadable)


def as_mr(path: Path) -> Iterator[Instance]:
    """The instance as if it said that it is an MR image, so that geometry and decoders meet it."""
    try:
        dataset = read_dataset(path, pixels=False)
        dataset.Modality, dataset.SOPClassUID = "MR", MR_IMAGE
        yield read_instance(dataset, str(path))
    except Unusable:
        return


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("category", CATEGORIES)
def test_no_broken_object_gets_a_volume_or_a_crash(category: str) -> None:
    paths = sorted(real_data("malformed", category).glob("*.dcm"))
    faults = []
    for instance in (instance for path in paths for instance in as_mr(path)):
        study = assemble([replace(instance, samples=1, rows=64, columns=64)])
        assign_roles(study)
        read_drawings(study.drawings, Path)
        for phase in study.phases:
            with pytest.raises(Unusable) as fault:
                build_volume(read_planes(phase, Path))
            faults.append(fault.value.code)
    assert faults


def decoded(path: Path) -> str:
    """The word pixels, or the code of the refusal."""
    try:
        frames = decode_frames(read_dataset(path, pixels=True), [1], path.name)
    except Unusable as fault:
        return fault.code
    return "pixels" if len(frames) == 1 else "several"


@pytest.mark.parametrize("category", CATEGORIES)
def test_pixels_of_broken_objects_are_decoded_or_refused(category: str) -> None:
    found = {decoded(path) for path in sorted(real_data("malformed", category).glob("*.dcm"))}
    assert found <= {"pixels", "dicom.unreadable", "pixels.undecodable"}
