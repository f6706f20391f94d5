"""The summary as a document."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from service.options import OUTPUTS, AnalysisOptions
from service.report.compose import compose, to_bytes
from tests.report.conftest import Sample, sample
from tests.report.test_capture import unlabelled


def document(given: Sample, who: str = "none") -> Dataset:
    """The document as it arrives: written to a file and read again."""
    (made,) = compose(given.result, given.sources, AnalysisOptions(outputs=("pdf",), patient_on_page=who))
    return dcmread(BytesIO(to_bytes(made)))


@pytest.fixture(scope="module")
def found(one: Sample) -> Dataset:
    """The document of a result with one tumor."""
    return document(one)


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


def test_it_holds_no_date_of_making(found: Dataset) -> None:
    pdf = content(found)
    assert b"CreationDate" not in pdf
    assert b"/ID" not in pdf


def test_it_says_what_it_is(found: Dataset) -> None:
    assert (found.MIMETypeOfEncapsulatedDocument, found.Modality, found.ConversionType) == ("application/pdf", "DOC", "WSD")
    assert "research use" in found.DocumentTitle
    assert found.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurement Report"
    assert found.VerificationFlag == "UNVERIFIED"
    assert len(found.EncapsulatedDocument) % 2 == 0


def test_it_names_the_images_it_rests_on(one: Sample, found: Dataset) -> None:
    expected = [plane.instance.sop_instance_uid for use in one.result.phases if use.used for plane in use.phase.planes]
    assert [item.ReferencedSOPInstanceUID for item in found.SourceInstanceSequence] == expected


@pytest.mark.parametrize(("who", "expected"), [("none", "NO"), ("id", "YES"), ("name", "YES")])
def test_burned_in_identification_is_stated_as_it_is(who: str, expected: str) -> None:
    assert document(unlabelled("Müller^Jörg"), who).BurnedInAnnotation == expected
