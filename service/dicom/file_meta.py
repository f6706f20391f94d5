"""The file meta information that every stored file begins with.

Source: DICOM PS3.10 section 7.1.
"""

from __future__ import annotations

import struct
from functools import lru_cache

# Part of every stored file and so of its hash: it must never change, or the same object would come as another one.
IMPLEMENTATION_CLASS_UID = "2.25.232915710255875071510348660016899711989"
IMPLEMENTATION_VERSION = "CRYOMARGIN"


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Its elements behind the length of the group."""
    return _of_class(sop_class_uid) + _element(0x0003, b"UI", sop_instance_uid) + _of_syntax(transfer_syntax_uid)


@lru_cache(maxsize=64)
def _of_class(uid: str) -> bytes:
    return struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01" + _element(0x0002, b"UI", uid)


@lru_cache(maxsize=64)
def _of_syntax(uid: str) -> bytes:
    class_uid, version = IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION
    return _element(0x0010, b"UI", uid) + _element(0x0012, b"UI", class_uid) + _element(0x0013, b"SH", version)


def _element(number: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, number, vr, len(value)) + value
