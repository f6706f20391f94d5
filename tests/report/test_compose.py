"""The same result gives the same bytes, on any day and in any process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from service.report.compose import OUTPUTS, compose, to_bytes
from tests.report.conftest import Sample, sample

PROGRAM = """
from hashlib import sha256
from service.report.compose import compose, to_bytes
from tests.report.conftest import sample
given = sample(tumors=2)
print(*(sha256(to_bytes(made)).hexdigest() for made in compose(given.result, given.sources)))
"""


def test_outputs_are_made_in_sending_order(one: Sample) -> None:
    roles = [made.role for made in compose(one.result, one.sources)]

    assert roles == ["seg", "sr", "summary"] == [role for role, _ in OUTPUTS if role in roles]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_makes_the_same_bytes(seed: str) -> None:
    given = sample(tumors=2)
    expected = [sha256(to_bytes(made)).hexdigest() for made in compose(given.result, given.sources)]

    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert expected == found.stdout.split()


def test_composing_changes_neither_result_nor_sources(one: Sample) -> None:
    before = [image.to_json() for image in one.sources]
    first = [to_bytes(made) for made in compose(one.result, one.sources)]

    assert first == [to_bytes(made) for made in compose(one.result, one.sources)]
    assert before == [image.to_json() for image in one.sources]


def test_the_order_of_the_sources_does_not_matter_to_identity(one: Sample) -> None:
    forward, backward = compose(one.result, one.sources), compose(one.result, one.sources[::-1])

    assert [made.sop_instance_uid for made in forward] == [made.sop_instance_uid for made in backward]


def test_a_new_version_makes_new_objects(one: Sample) -> None:
    later = replace(one.result, content_version="ffffffffffff")
    uids = {made.sop_instance_uid for result in (one.result, later) for made in compose(result, one.sources)}

    assert len(uids) == 6


def test_a_file_names_the_object_in_it(one: Sample) -> None:
    for made in compose(one.result, one.sources):
        data = to_bytes(made)
        found = dcmread(BytesIO(data))

        assert data[128:132] == b"DICM"
        assert found.file_meta.MediaStorageSOPInstanceUID == made.sop_instance_uid == found.SOPInstanceUID
        assert found.file_meta.MediaStorageSOPClassUID == made.sop_class_uid == found.SOPClassUID
        assert found.file_meta.ImplementationVersionName == "CRYOMARGIN"
