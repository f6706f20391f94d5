"""Cut what comes over a connection into PDUs, without ever holding a large one.

Values of P-DATA are passed on piece by piece as they come; every other PDU is small and is passed on whole. Knows no
network. Source: DICOM PS3.8 section 9.3 and annex E.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

P_DATA = 4
# PS3.8 tables 9-21 and 9-26: transient, by the provider, local limit exceeded; and by the provider, no reason given.
COME_LATER = bytes.fromhex("03000000000400020302")
ABORT = bytes.fromhex("07000000000400000200")
_KINDS = range(1, 8)
_HEAD = struct.Struct(">BxL")  # kind, reserved, length
_VALUE_HEAD = struct.Struct(">LBB")  # length, presentation context, message control header
_CONTROL = 2  # bytes of a value's head that its length counts
_COMMAND, _LAST = 1, 2
_SLACK = 6  # some peers count the head of a PDU into the maximum that they were given, some do not


class Malformed(Exception):
    """What comes is no DICOM upper layer protocol; the sentence says why, and holds nothing that came."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """A whole PDU with its head; any kind but P-DATA."""

    kind: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive bytes of a message: of its command set or of its data set; `last` when that ends with them."""

    context_id: int
    command: bool
    last: bool
    content: memoryview


class Cutter:
    """Cuts one connection. No P-DATA may be longer than `longest_data`, no other PDU than `longest_other` bytes."""

    def __init__(self, longest_data: int, longest_other: int) -> None:
        self._longest_data = longest_data + _SLACK
        self._longest_other = longest_other
        self._held = bytearray()  # the beginning of a head, or of a PDU that is passed on whole
        self._in_data = 0  # bytes left of the P-DATA at hand
        self._in_value = 0  # bytes left of the value at hand
        self._value = [0, 0]  # presentation context and message control header of the value at hand

    @property
    def inside(self) -> bool:
        """Whether a PDU has begun and not ended."""
        return bool(self._held or self._in_data or self._in_value)

    def cut(self, content: memoryview) -> Iterator[Pdu | Piece]:
        """The PDUs and pieces in the next bytes; pieces look into `content`.

        Raises:
            Malformed: when they are none; the connection is then of no further use.
        """
        while content:
            if self._in_value:
                piece, content = content[: self._in_value], content[self._in_value :]
                yield self._piece(piece)
            elif self._in_data:
                content, head = self._take(content, _VALUE_HEAD.size)
                if head and not self._open_value(head):
                    yield self._piece(content[:0])
            else:
                content, pdu = self._next(content)
                if pdu:
                    yield pdu

    def _piece(self, piece: memoryview) -> Piece:
        self._in_value -= len(piece)
        context_id, control = self._value
        return Piece(context_id, bool(control & _COMMAND), bool(control & _LAST) and not self._in_value, piece)

    def _open_value(self, head: bytes) -> int:
        """Begin a value; gives its length, which may be 0."""
        length, *self._value = _VALUE_HEAD.unpack(head)
        if not _CONTROL <= length <= self._in_data - _VALUE_HEAD.size + _CONTROL:
            raise Malformed("a presentation data value does not fit into its P-DATA")
        self._in_value = length - _CONTROL
        self._in_data -= _VALUE_HEAD.size + self._in_value
        if 0 < self._in_data < _VALUE_HEAD.size:
            raise Malformed("a P-DATA ends inside the head of a value")
        return self._in_value

    def _next(self, content: memoryview) -> tuple[memoryview, Pdu | None]:
        """Begin or go on with a PDU."""
        if len(self._held) < _HEAD.size:
            content, head = self._take(content, _HEAD.size, keep=True)
            if not head:
                return content, None
        kind, length = _HEAD.unpack_from(self._held)
        self._check(kind, length)
        if kind == P_DATA:
            self._held.clear()
            self._in_data = length
            return content, None
        content, whole = self._take(content, _HEAD.size + length)
        return content, Pdu(kind, whole) if whole else None

    def _check(self, kind: int, length: int) -> None:
        if kind not in _KINDS:
            raise Malformed("it is no DICOM: the first byte is that of no PDU")
        if length > (self._longest_data if kind == P_DATA else self._longest_other):
            raise Malformed("a PDU is longer than the maximum length that was agreed")
        if kind == P_DATA and length < _VALUE_HEAD.size:
            raise Malformed("a P-DATA is too short for a value")

    def _take(self, content: memoryview, length: int, *, keep: bool = False) -> tuple[memoryview, bytes]:
        """What remains, and `length` bytes together with those that came before; no bytes while some are missing."""
        missing = length - len(self._held)
        self._held += content[:missing]
        if len(self._held) < length:
            return content[:0], b""
        taken = bytes(self._held)
        if not keep:
            self._held.clear()
        return content[missing:], taken


def p_data(context_id: int, command: bytes, longest: int) -> bytes:
    """A command set as P-DATA; more than one where the peer takes at most `longest` bytes (0: any length)."""
    room = max(1, (longest or len(command) + _VALUE_HEAD.size) - _VALUE_HEAD.size)
    parts = []
    for start in range(0, len(command), room):
        part = command[start : start + room]
        control = _COMMAND | (_LAST if start + room >= len(command) else 0)
        value = _VALUE_HEAD.pack(len(part) + _CONTROL, context_id, control) + part
        parts.append(_HEAD.pack(P_DATA, len(value)) + value)
    return b"".join(parts)
