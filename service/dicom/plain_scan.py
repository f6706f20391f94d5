"""The values at the beginning of a plain data set, in one tight loop: nearly every object that comes is one.

Plain is little endian, with lengths that are said and VRs that are known. Whatever is not, is left to `header_scan`, which
also says what is wrong with it. Source: DICOM PS3.5 section 7.1.
"""

from __future__ import annotations

import struct

_HEAD = struct.Struct("<HHL")
_LONG_LENGTH = struct.Struct("<L")
_SHORT = frozenset(
    int.from_bytes(vr, "little") for vr in b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
_LONG = frozenset(int.from_bytes(vr, "little") for vr in b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_LONGEST = 1024  # of a value that is wanted


def plain_values(content: bytes, wanted: frozenset[int], last: int, most: int, *, explicit: bool) -> dict[int, bytes] | None:
    """The `wanted` values of the elements up to the tag `last`; None when `content` is not plain, or ends before that.

    It may have `most` elements.
    """
    found: dict[int, bytes] = {}
    place, end = 0, len(content)
    for _ in range(most):
        if place + _HEAD.size > end:
            return found if place == end else None
        group, element, length = _HEAD.unpack_from(content, place)
        tag = group << 16 | element
        if tag > last:
            return found
        place += _HEAD.size
        if explicit and length & 0xFFFF in _SHORT:
            length >>= 16
        elif explicit:
            if length & 0xFFFF not in _LONG or place + _LONG_LENGTH.size > end:
                return None
            (length,) = _LONG_LENGTH.unpack_from(content, place)
            place += _LONG_LENGTH.size
        if tag in wanted:
            if tag in found or length > _LONGEST:
                return None
            found[tag] = content[place : place + length]
        place += length
    return None
