"""A multipart/related body that is read as it comes: headers and data of each part, never the whole of anything.

Source: RFC 2387 and RFC 2046 section 5.1. python-multipart finds the parts, and knows nothing of forms here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

_LONGEST_PREAMBLE = 64 * 1024
_MOST_HEADERS = 16
_LONGEST_HEADER = 1024

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # what it would say is in what it raises


class Malformed(Exception):
    """The body is not what its boundary says; the text says where it went wrong."""


@dataclass(frozen=True, slots=True)
class Events:
    """Whom to tell: a part begins with these headers (names in lower case), a piece of it came, it is complete."""

    begin: Callable[[Mapping[str, str]], None]
    data: Callable[[memoryview], None]
    end: Callable[[], None]


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """The type, in lower case, and the parameters of a Content-Type.

    >>> media_type('Multipart/Related; type="application/dicom"; boundary=b1')
    ('multipart/related', {'type': 'application/dicom', 'boundary': 'b1'})
    """
    kind, parameters = parse_options_header(header)
    return kind.decode("latin-1").strip().lower(), {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in parameters.items()
    }


class Related:
    """The parts of one body: `feed` it as it comes, then `finish`."""

    def __init__(self, boundary: str, events: Events) -> None:
        self._events = events
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        self._ended = False
        self._preamble: bytearray | None = bytearray()
        self._delimiter = b"--" + boundary.encode("latin-1")
        if not boundary:
            raise Malformed("The Content-Type names no boundary.")
        try:
            self._parser = MultipartParser(
                boundary.encode("latin-1"),
                self._callbacks(),
                max_header_count=_MOST_HEADERS,
                max_header_size=_LONGEST_HEADER,
            )
        except FormParserError as error:
            raise Malformed("The boundary is too long.") from error

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body.

        Raises:
            Malformed: when the body does not follow its boundary.
        """
        begun = self._skip_preamble(piece)
        if not begun or self._ended:
            return
        try:
            self._parser.write(begun)
        except FormParserError as error:
            raise Malformed("The body does not follow its boundary.") from error

    def finish(self) -> None:
        """The body has ended.

        Raises:
            Malformed: when it ended before its last boundary.
        """
        if not self._ended:
            raise Malformed("The body ends before its last boundary.")

    def _skip_preamble(self, piece: bytes) -> bytes:
        """What belongs to the parts: text before the first boundary is to be ignored, and may come in pieces."""
        if self._preamble is None:
            return piece
        self._preamble += piece
        start = 0 if self._preamble.startswith(self._delimiter) else self._preamble.find(b"\r\n" + self._delimiter)
        if start < 0:
            if len(self._preamble) > _LONGEST_PREAMBLE:
                raise Malformed("The body does not begin with its boundary.")
            return b""
        begun, self._preamble = bytes(self._preamble[start:].lstrip(b"\r\n")), None
        return begun

    def _callbacks(self) -> Any:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": lambda: self._events.begin(dict(self._headers)),
            "on_part_data": lambda data, start, end: self._events.data(memoryview(data)[start:end]),
            "on_part_end": self._events.end,
            "on_end": self._end,
        }

    def _header(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._field.clear()
        self._value.clear()

    def _end(self) -> None:
        self._ended = True
