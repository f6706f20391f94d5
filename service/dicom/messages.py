"""Put the pieces of an association's messages together: what is to be stored goes into the store as it comes.

Knows no network. Source: DICOM PS3.7 section 6.3 and PS3.8 annex E.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.dicom.command_set import StoreRequest, read_store_request
from service.dicom.pdus import Malformed, Piece
from service.dicom.reception import Arriving

_LONGEST_COMMAND = 64 * 1024
_LONGEST_OTHER = 4 * 1024 * 1024  # a message that stores nothing
_COMMAND_END, _DATA_MORE, _DATA_END = 3, 0, 2  # message control headers


@dataclass(frozen=True, slots=True)
class Storing:
    """A C-STORE whose data set is coming in a presentation context."""

    context_id: int
    request: StoreRequest
    arriving: Arriving


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who takes what: `begin` a C-STORE, `finish` a whole one, `other` fragments (with their control header) of the rest."""

    begin: Callable[[int, StoreRequest], Arriving]
    finish: Callable[[Storing], None]
    other: Callable[[int, bytes], None]


class Messages:
    """The messages that come over one association, one after the other."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._command = bytearray()
        self._storing: Storing | None = None
        self._other = 0  # bytes so far of another message whose data set has not ended

    @property
    def inside(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._storing or self._command or self._other)

    def add(self, piece: Piece) -> None:
        """The next piece.

        Raises:
            Malformed: when it cannot follow the one before.
            Unusable: when the command set cannot be read.
        """
        if piece.command:
            self._add_command(piece)
        elif self._storing:
            self._add_data(self._storing, piece)
        elif self._other:
            self._add_other(piece)
        else:
            raise Malformed("a data set came without its command set")

    def abandon(self) -> None:
        """Leave nothing of a message that has not ended."""
        storing, self._storing = self._storing, None
        if storing:
            storing.arriving.abandon()

    def _add_command(self, piece: Piece) -> None:
        if self._storing or self._other:
            raise Malformed("a command set came before the data set of the one before had ended")
        self._command += piece.content
        if len(self._command) > _LONGEST_COMMAND:
            raise Malformed("a command set is longer than any real one")
        if piece.last:
            command = bytes(self._command)
            self._command.clear()
            self._begin(piece.context_id, command)

    def _begin(self, context_id: int, command: bytes) -> None:
        request, data_follows = read_store_request(command)
        if request:
            self._storing = Storing(context_id, request, self._handlers.begin(context_id, request))
        else:
            self._other = len(command) if data_follows else 0
            self._handlers.other(context_id, bytes([_COMMAND_END]) + command)

    def _add_data(self, storing: Storing, piece: Piece) -> None:
        if piece.context_id != storing.context_id:
            raise Malformed("a data set came in another presentation context than its command set")
        storing.arriving.write(piece.content)
        if piece.last:
            self._storing = None
            self._handlers.finish(storing)

    def _add_other(self, piece: Piece) -> None:
        self._other += len(piece.content)
        if self._other > _LONGEST_OTHER:
            raise Malformed("a message that stores nothing is too long")
        if piece.last:
            self._other = 0
        self._handlers.other(piece.context_id, bytes([_DATA_END if piece.last else _DATA_MORE]) + bytes(piece.content))
