"""Codes are known, values fit their representation, texts fit the character set, pixels fit the image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import ceil
from typing import Any

from pydicom.charset import python_encoding
from pydicom.config import RAISE
from pydicom.dataset import Dataset
from pydicom.sr.codedict import CONCEPTS
from pydicom.valuerep import validate_value

from service.codes import ALSO_PUBLIC, SCHEME, VALUE_LENGTH, is_registered
from service.report.header import FROM_SOURCE
from service.report.rules.subject import Broken, Subject, join, sequence_of

PARTS = "a code has a value, a scheme and a meaning"
SHORT = f"the value of a code has at most {VALUE_LENGTH} characters"
KNOWN = "a code is known: to the standard, to the study, or as one of our own"
FITS = "a value fits its value representation"
LETTERS = "every text can be written in the stated character set"
PIXELS = "the pixels are as many as the image says"
FRAMES = "the frames are described as many times as there are"

_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")
_JUDGED = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM"})
_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_LOOKED_AT = _JUDGED | _TEXTS
_PIXEL_DATA = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def broken(subject: Subject) -> Iterator[Broken]:
    """Everything that a reader could not understand, or would understand as something else."""
    codecs = _codecs(subject.dataset)
    for place, item in subject.parts:
        if sequence_of(place).endswith("CodeSequence") or "CodeMeaning" in item:
            yield from _code(subject, place, item)
        yield from _values(place, item, codecs)
    yield from _image(subject.dataset)


def _code(subject: Subject, place: str, item: Dataset) -> Iterator[Broken]:
    value = next((str(item[name].value or "") for name in _CODE_VALUES if name in item), "")
    scheme, meaning = str(item.get("CodingSchemeDesignator") or ""), str(item.get("CodeMeaning") or "")
    found = f"({value}, {scheme})"
    if not (value and scheme and meaning):
        yield Broken(PARTS, place, found)
        return
    if len(str(item.get("CodeValue") or "")) > VALUE_LENGTH:
        yield Broken(SHORT, place, found)
    own = scheme == SCHEME and is_registered(value, meaning)
    if not own and not any((scheme, value) in codes for codes in (_public(), ALSO_PUBLIC, subject.foreign_codes)):
        yield Broken(KNOWN, place, found)


@cache
def _public() -> frozenset[tuple[str, str]]:
    """Scheme and value of every code in pydicom's copy of the standard's context groups."""
    return frozenset((scheme, value) for scheme, terms in CONCEPTS.items() for codes in terms.values() for value in codes)


def _codecs(dataset: Dataset) -> list[str]:
    stated = dataset.get("SpecificCharacterSet") or "ISO_IR 6"
    return [python_encoding[term] for term in ([stated] if isinstance(stated, str) else stated) if term in python_encoding]


def _values(place: str, item: Dataset, codecs: list[str]) -> Iterator[Broken]:
    for element in item:
        if element.VR not in _LOOKED_AT or element.is_empty:
            continue
        texts = [str(value) for value in (element.value if element.VM > 1 else [element.value])]
        where = join(place, element.keyword)
        if not all(_encodes(text, codecs) for text in texts):
            yield Broken(LETTERS, where, "another letter")
        if element.VR in _JUDGED and not (not place and element.keyword in FROM_SOURCE) and not _fit(element.VR, texts):
            yield Broken(FITS, where, element.VR)


def _encodes(text: str, codecs: list[str]) -> bool:
    return text.isascii() or any(_can(text, codec) for codec in codecs)


def _can(text: str, codec: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _fit(representation: str, texts: list[str]) -> bool:
    try:
        for text in texts:
            validate_value(representation, text, RAISE)
    except ValueError:
        return False
    return True


def _image(dataset: Dataset) -> Iterator[Broken]:
    """Uncompressed pixels are counted in bits and padded to whole words (PS3.5 8)."""
    keyword = next((name for name in _PIXEL_DATA if name in dataset), None)
    sizes = [dataset.get(name) for name in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")]
    if keyword is None or None in sizes:
        if "Rows" in dataset:
            yield Broken(PIXELS, "PixelData", "absent")
        return
    frames = int(dataset.get("NumberOfFrames") or 1)
    held, expected = len(dataset[keyword].value), _bytes(sizes, frames)
    if held != expected + expected % 2:
        yield Broken(PIXELS, keyword, f"{held} bytes instead of {expected + expected % 2}")
    described = dataset.get("PerFrameFunctionalGroupsSequence")
    if described is not None and len(described) != frames:
        yield Broken(FRAMES, "PerFrameFunctionalGroupsSequence", f"{len(described)} for {frames}")


def _bytes(sizes: list[Any], frames: int) -> int:
    rows, columns, samples, bits = (int(size) for size in sizes)
    return ceil(rows * columns * samples * bits * frames / 8)
