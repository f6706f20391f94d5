"""The summary as a document."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from service.options import OUTPUTS, AnalysisOptions
from service.report.compose import compose, to_bytes
from tests.report.conftest import Sample, sample
from tests.report.test_capture import unlabelled

PROGRAM = """
from hashlib import sha256
from tests.report.test_pdf import document
from tests.report.conftest import sample
print(sha256(document(sample()).EncapsulatedDocument).hexdigest())
"""


def document(given: Sample, who: str = "none") -> Dataset:
    """The document as it arrives: written to a file and read again."""
    (made,) = compose(given.result, given.sources, AnalysisOptions(outputs=("pdf",), patient_on_page=who))
    return dcmread(BytesIO(to_bytes(made)))


def content(found: Dataset) -> bytes:
    """The PDF without the byte that makes its length even."""
    return bytes(found.EncapsulatedDocument[: found.EncapsulatedDocumentLength])


def test_it_is_made_only_where_the_configuration_asks_for_it(one: Sample) -> None:
    assert "pdf" not in OUTPUTS
    assert "pdf" not in {made.role for made in compose(one.result, one.sources)}


@pytest.mark.parametrize("tumors", [0, 1, 2])
def test_each_tumor_has_its_page(tumors: int) -> None:
    pdf = content(document(sample(tumors=tumors)))
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert pdf.count(b"/Type /Page ") == max(tumors, 1)


def test_it_holds_no_date_of_making(one: Sample) -> None:
    pdf = content(document(one))
    assert b"CreationDate" not in pdf
    assert b"/ID" not in pdf


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_makes_the_same_bytes(seed: str) -> None:
    expected = sha256(document(sample()).EncapsulatedDocument).hexdigest()

    found = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == expected


def test_it_says_what_it_is(one: Sample) -> None:
    found = document(one)
    assert (found.MIMETypeOfEncapsulatedDocument, found.Modality, found.ConversionType) == ("application/pdf", "DOC", "WSD")
    assert "research use" in found.DocumentTitle
    assert found.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurement Report"
    assert found.VerificationFlag == "UNVERIFIED"
    assert len(found.EncapsulatedDocument) % 2 == 0


def test_it_names_the_images_it_rests_on(one: Sample) -> None:
    expected = [plane.instance.sop_instance_uid for use in one.result.phases if use.used for plane in use.phase.planes]
    assert [item.ReferencedSOPInstanceUID for item in document(one).SourceInstanceSequence] == expected


@pytest.mark.parametrize(("who", "expected"), [("none", "NO"), ("id", "YES"), ("name", "YES")])
def test_burned_in_identification_is_stated_as_it_is(who: str, expected: str) -> None:
    assert document(unlabelled("Müller^Jörg"), who).BurnedInAnnotation == expected
