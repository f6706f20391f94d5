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

from service.options import AnalysisOptions
from service.report.compose import OUTPUTS, Made, compose, to_bytes
from tests.report.conftest import Sample, sample
from tests.report.placed import placed

PROGRAM = "from tests.report.test_compose import digests; print(*digests())"


def digests() -> list[str]:
    """Of every kind of object, each with everything that can be in it."""
    given = placed(sample(tumors=2))
    made = compose(given.result, given.sources, AnalysisOptions(outputs=tuple(role for role, _ in OUTPUTS)))
    assert len(made) == len(OUTPUTS)
    return [sha256(to_bytes(one)).hexdigest() for one in made]


@pytest.fixture(scope="module")
def made(one: Sample) -> tuple[Made, ...]:
    """What is made by default of a result with one tumor."""
    return compose(one.result, one.sources)


@pytest.fixture(scope="module")
def expected() -> list[str]:
    """The digests in this process."""
    return digests()


def test_outputs_are_made_in_sending_order(made: tuple[Made, ...]) -> None:
    roles = [one.role for one in made]

    assert roles == ["seg", "sr", "summary"] == [role for role, _ in OUTPUTS if role in roles]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_makes_the_same_bytes(expected: list[str], seed: str) -> None:
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


def test_the_order_of_the_sources_does_not_matter_to_identity(one: Sample, made: tuple[Made, ...]) -> None:
    backward = compose(one.result, one.sources[::-1])

    assert [forward.sop_instance_uid for forward in made] == [other.sop_instance_uid for other in backward]


def test_a_new_version_makes_new_objects(one: Sample, made: tuple[Made, ...]) -> None:
    later = compose(replace(one.result, content_version="ffffffffffff"), one.sources)
    uids = {each.sop_instance_uid for each in (*made, *later)}

    assert len(uids) == 6


def test_a_file_names_the_object_in_it(made: tuple[Made, ...]) -> None:
    for one in made:
        data = to_bytes(one)
        found = dcmread(BytesIO(data))

        assert data[128:132] == b"DICM"
        assert found.file_meta.MediaStorageSOPInstanceUID == one.sop_instance_uid == found.SOPInstanceUID
        assert found.file_meta.MediaStorageSOPClassUID == one.sop_class_uid == found.SOPClassUID
        assert found.file_meta.ImplementationVersionName == "CRYOMARGIN"
