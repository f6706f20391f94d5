"""Values of data sets that anybody may have written: present and sane, or absent; never an exception.

Nothing here names a tag. What cannot be read as what it should be counts as absent: headers from the wire hold texts of a
megabyte, numbers like "***" and sequences of the wrong type, and each of these must cost one value, not the study.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

Key = str | tuple[int, int]

BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,  # with RecursionError and NotImplementedError
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on data that break the standard; there is no common ancestor below Exception."""

LONGEST_TEXT = 256
LARGEST_NUMBER = 1e12  # keeps sums and products of what a header says finite
_MOMENT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?)?")


def raw(dataset: Dataset, key: Key) -> Any:
    """The value of an attribute given by keyword or (group, element); None when it is absent or cannot be read."""
    try:
        tag = _tag(key)
        return dataset[tag].value if tag in dataset else None
    except BROKEN:
        return None


@lru_cache(maxsize=1024)
def _tag(key: Key) -> BaseTag:
    """Thousands of attributes are asked for by some hundred keywords."""
    return Tag(key)


def values(dataset: Dataset, key: Key) -> tuple[Any, ...]:
    """All values of an attribute, () when there is none."""
    value = raw(dataset, key)
    if value is None or isinstance(value, Sequence):
        return ()
    return tuple(value) if isinstance(value, MultiValue | list | tuple) else (value,)


def text(dataset: Dataset, key: Key) -> str:
    """The first value as one line of at most 256 characters; "" when there is none."""
    found = texts(dataset, key)
    return found[0] if found else ""


def texts(dataset: Dataset, key: Key) -> tuple[str, ...]:
    """All values as lines of text."""
    return tuple(_line(value) for value in values(dataset, key))


def number(dataset: Dataset, key: Key) -> float | None:
    """The first value as a finite number."""
    found = values(dataset, key)
    return _finite(found[0]) if found else None


def numbers(dataset: Dataset, key: Key, count: int) -> tuple[float, ...] | None:
    """Exactly `count` finite numbers, or None."""
    found = [_finite(value) for value in values(dataset, key)]
    whole = tuple(value for value in found if value is not None)
    return whole if len(found) == len(whole) == count else None


def integer(dataset: Dataset, key: Key) -> int | None:
    """The first value as a whole number."""
    value = number(dataset, key)
    return int(value) if value is not None and value == int(value) else None


def items(dataset: Dataset, key: Key) -> tuple[Dataset, ...]:
    """The items of a sequence; () when it is absent, empty or no sequence."""
    value = raw(dataset, key)
    return tuple(value) if isinstance(value, Sequence) else ()


def item(dataset: Dataset, key: Key) -> Dataset:
    """The first item of a sequence, an empty data set when there is none."""
    found = items(dataset, key)
    return found[0] if found else Dataset()


def moment(value: str) -> datetime | None:
    """The clock time that a DICOM DT value shows ("20240102", "20240102101112.5"), without an offset.

    An offset from UTC is dropped: all times of one scanner are compared with each other.

    >>> moment("20240102101112.5")
    datetime.datetime(2024, 1, 2, 10, 11, 12, 500000)
    >>> moment("***") is None
    True
    """
    match = _MOMENT.match(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, part = match.groups(default="")
    try:
        return datetime.fromisoformat(
            f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}.{part or '0':0<6}"
        )
    except ValueError:
        return None


def date_and_time(dataset: Dataset, pairs: Iterable[tuple[str, str]]) -> datetime | None:
    """The first complete pair of a date and a time attribute."""
    for date, time in pairs:
        day, clock = text(dataset, date), text(dataset, time).replace(":", "")
        found = moment(day.replace(".", "") + clock) if day and clock else None
        if found is not None:
            return found
    return None


def _line(value: Any) -> str:
    try:
        shown = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    except BROKEN:
        return ""
    return " ".join(shown[:LONGEST_TEXT].replace("\0", " ").split())


def _finite(value: Any) -> float | None:
    try:
        found = float(value)
    except BROKEN:
        return None
    return found if abs(found) < LARGEST_NUMBER else None
