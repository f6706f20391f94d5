"""What the tight loop reads is what the careful scan reads; where it is not sure it says so."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dicom.plain_scan import plain_values
from tests.dicom.wire import EXPLICIT, IMPLICIT, an_image, encode

WANTED, LAST, MOST = frozenset({0x00080018, 0x0020000D}), 0x00200011, 1000


def plain(content: bytes, *, explicit: bool = True, most: int = MOST) -> dict[int, bytes] | None:
    return plain_values(content, WANTED, LAST, most, explicit=explicit)


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """One with an explicit VR of the short form."""
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value) if length is None else length) + value


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_the_values_are_those_of_the_elements(syntax: str) -> None:
    found = plain(encode(an_image("1.2.3"), syntax), explicit=syntax == EXPLICIT)

    assert found is not None
    assert found[0x00080018].rstrip(b"\0") == b"1.2.3"
    assert set(found) == WANTED


@pytest.mark.parametrize(
    "content",
    [
        element(0x00080018, b"UI", b"1.2.3 ", length=8),
        element(0x00080018, b"UI", b"12") * 2,
        element(0x00080018, b"UI", bytes(2000)),
        element(0x00080018, b"??", b"12"),
        element(0x00080005, b"CS", b"AB") + b"\x08",
        struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + bytes(20),
        struct.pack("<HH2sH", 0x0008, 0x1140, b"SQ", 0),
    ],
    ids=["truncated", "twice", "long", "no VR", "half a head", "undefined length", "no length"],
)
def test_what_is_not_plain_is_left_to_the_careful_scan(content: bytes) -> None:
    assert plain(content) is None


def test_more_elements_than_allowed_are_left_too() -> None:
    content = b"".join(element(0x00090000 + number, b"LO", b"") for number in range(20))

    assert plain(content) == {}
    assert plain(content, most=10) is None


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_break_it(content: bytes, explicit: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    found = plain(content, explicit=explicit)

    assert found is None or set(found) <= WANTED
