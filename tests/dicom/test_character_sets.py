from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from service.dicom.character_sets import rewritten

WESTERN, GREEK = "Müller^Jörg", "Διονυσιος"


def stored(name: str, term: str) -> Dataset:
    """A data set with a name at the top and a text in an item, as it comes back from a file."""
    item, made = Dataset(), Dataset()
    item.TextValue = name
    made.SpecificCharacterSet = term
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.3"
    made.PatientName = name
    made.ContentSequence = [item]
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return reread(made)


def reread(made: Dataset) -> Dataset:
    """Through a file and back."""
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


@pytest.mark.parametrize(
    ("name", "term", "wanted", "found"),
    [
        (WESTERN, "ISO_IR 100", "ISO_IR 192", "ISO_IR 192"),
        (WESTERN, "ISO_IR 192", "ISO_IR 100", "ISO_IR 100"),
        (GREEK, "ISO_IR 126", "ISO_IR 192", "ISO_IR 192"),
        (GREEK, "ISO_IR 126", "ISO_IR 100", "ISO_IR 192"),
    ],
)
def test_texts_stay_what_they_are_in_another_character_set(name: str, term: str, wanted: str, found: str) -> None:
    """A receiver that reads Western letters alone gets UTF-8 where they do not hold the name: wrong letters never."""
    read = reread(rewritten(stored(name, term), wanted))
    assert (str(read.PatientName), read.ContentSequence[0].TextValue) == (name, name)
    assert read.SpecificCharacterSet == found
    assert name.encode("utf-8" if found == "ISO_IR 192" else "latin-1") in _bytes_of(read)


def test_without_a_wish_nothing_changes() -> None:
    given = stored(WESTERN, "ISO_IR 100")
    before = _bytes_of(given)
    assert _bytes_of(rewritten(given, "")) == before


def _bytes_of(dataset: Dataset) -> bytes:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
