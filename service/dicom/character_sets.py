"""Texts of an object in the character set that its receiver reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset

UNICODE = "ISO_IR 192"
_TERM = "SpecificCharacterSet"
_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # PS3.5 6.1.2.3


def rewritten(dataset: Dataset, term: str) -> Dataset:
    """The data set, in place, with its texts in the character set `term`; where `term` cannot hold them, in UTF-8.

    Without a term it stays as it is. Source: DICOM PS3.3 C.12.1.1.2.
    """
    if not term:
        return dataset
    dataset.decode()
    for part in _parts(dataset):
        part.pop(_TERM, None)
    dataset.SpecificCharacterSet = term if all(_holds(term, text) for text in _texts(dataset)) else UNICODE
    return dataset


def _parts(dataset: Dataset) -> Iterator[Dataset]:
    """The data set and every item below it."""
    yield dataset
    for element in dataset:
        for item in element.value if element.VR == "SQ" else ():
            yield from _parts(item)


def _texts(dataset: Dataset) -> Iterator[str]:
    for element in dataset.iterall():
        if element.VR in _TEXTS and element.value is not None:
            values: Any = element.value if element.VM > 1 else [element.value]
            yield from (str(value) for value in values)


def _holds(term: str, text: str) -> bool:
    try:
        text.encode(python_encoding[term])
    except UnicodeEncodeError:
        return False
    return True
