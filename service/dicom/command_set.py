"""The command sets of C-STORE and C-ECHO, read and written without a data set object.

Source: DICOM PS3.7 sections 6.3, 9.3.1 and 9.3.5, annex E. A command set is always Implicit VR Little Endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from service.errors import Unusable

_STORE_REQUEST, _STORE_RESPONSE = 0x0001, 0x8001
_ECHO_REQUEST, _ECHO_RESPONSE = 0x0030, 0x8030
VERIFICATION = "1.2.840.10008.1.1"
_NO_DATA_SET = 0x0101
_LENGTH, _CLASS, _FIELD, _MESSAGE, _ANSWERED = 0x0000, 0x0002, 0x0100, 0x0110, 0x0120
_DATA_SET, _STATUS, _COMMENT, _INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
_LONGEST_COMMENT = 64  # VR LO
_LONGEST_UID = 64
_HEAD = struct.Struct("<HHL")
_SHORT = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE request whose data set follows. The UIDs are what the peer says, as far as letters go; nothing is checked."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


def read_store_request(command: bytes) -> tuple[StoreRequest | None, bool]:
    """What is to be stored, None when the command set asks for something else; and whether a data set follows.

    Raises:
        Unusable: when this is no command set, or a C-STORE request without what it must have.
    """
    found = _elements(command)
    data_follows = _number(found, _DATA_SET) != _NO_DATA_SET
    if _number(found, _FIELD) != _STORE_REQUEST or not data_follows:
        return None, data_follows
    return StoreRequest(_number(found, _MESSAGE), _uid(found, _CLASS), _uid(found, _INSTANCE)), True


def store_response(request: StoreRequest, status: int, comment: str = "") -> bytes:
    """The command set of the answer."""
    elements = [
        _element(_CLASS, _padded(request.sop_class_uid, b"\0")),
        _element(_FIELD, _SHORT.pack(_STORE_RESPONSE)),
        _element(_ANSWERED, _SHORT.pack(request.message_id)),
        _element(_DATA_SET, _SHORT.pack(_NO_DATA_SET)),
        _element(_STATUS, _SHORT.pack(status)),
    ]
    if comment:
        elements.append(_element(_COMMENT, _padded(comment[:_LONGEST_COMMENT], b" ")))
    elements.append(_element(_INSTANCE, _padded(request.sop_instance_uid, b"\0")))
    content = b"".join(elements)
    return _element(_LENGTH, struct.pack("<L", len(content))) + content


def read_echo_request(command: bytes) -> int | None:
    """The message ID of a C-ECHO request; None when this is none, or none that can be read."""
    try:
        found = _elements(command)
        asks = _number(found, _FIELD) == _ECHO_REQUEST and _number(found, _DATA_SET) == _NO_DATA_SET
        return _number(found, _MESSAGE) if asks and _uid(found, _CLASS) == VERIFICATION else None
    except Unusable:
        return None


def echo_response(message_id: int) -> bytes:
    """The command set of the answer: success."""
    content = (
        _element(_CLASS, _padded(VERIFICATION, b"\0"))
        + _element(_FIELD, _SHORT.pack(_ECHO_RESPONSE))
        + _element(_ANSWERED, _SHORT.pack(message_id))
        + _element(_DATA_SET, _SHORT.pack(_NO_DATA_SET))
        + _element(_STATUS, _SHORT.pack(0))
    )
    return _element(_LENGTH, struct.pack("<L", len(content))) + content


def _elements(command: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    place = 0
    while place < len(command):
        if place + _HEAD.size > len(command):
            raise Unusable("command.truncated", "The command set ends inside an element.")
        group, element, length = _HEAD.unpack_from(command, place)
        place += _HEAD.size + length
        if group != 0 or place > len(command):
            raise Unusable("command.structure", "This is no command set.")
        found[element] = command[place - length : place]
    return found


def _number(found: dict[int, bytes], element: int) -> int:
    value = found.get(element, b"")
    if len(value) != _SHORT.size:
        raise Unusable("command.number", f"The command set has no (0000,{element:04X}), or it is no number.")
    return int(_SHORT.unpack(value)[0])


def _uid(found: dict[int, bytes], element: int) -> str:
    value = found.get(element, b"")
    if len(value) > _LONGEST_UID:
        raise Unusable("command.uid", f"The value of (0000,{element:04X}) in the command set is longer than a UID.")
    return value.decode("latin-1").rstrip("\0 ")


def _padded(text: str, filler: bytes) -> bytes:
    value = text.encode("latin-1", errors="replace")
    return value + filler if len(value) % 2 else value


def _element(number: int, value: bytes) -> bytes:
    return _HEAD.pack(0, number, len(value)) + value
