"""What everything that reads bytes from a stranger must do with any bytes at all; for the gate and for `just fuzz`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.dicom.command_set import StoreRequest, read_store_request, store_response
from service.dicom.header_scan import read_header
from service.dicom.messages import Handlers, Messages
from service.dicom.pdus import Cutter, Malformed, Pdu, Piece, p_data
from service.errors import Unusable
from tests.dicom.raw import ABORT, ECHO, RELEASE, STORE, associate_request, fragments, pdu
from tests.dicom.raw import p_data as raw_data
from tests.dicom.wire import BIG, DEFLATED, EXPLICIT, IMPLICIT, an_image, encode

# A busy machine is no fault of what is looked at; the number of inputs is that of the profile.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONGEST_DATA, LONGEST_OTHER = 4096, 2048
IMAGES = {syntax: encode(an_image("1.2.3"), syntax) for syntax in (EXPLICIT, IMPLICIT, BIG)}
SESSION = b"".join(
    (
        associate_request(),
        raw_data(STORE[:20], control=1),
        raw_data(STORE[20:], control=3),
        *fragments(IMAGES[EXPLICIT], 200),
        raw_data(ECHO, context=3, control=3),
        RELEASE,
        ABORT,
    )
)


@st.composite
def damaged(draw: Callable[[Any], Any], whole: bytes) -> bytes:
    """`whole` with bytes changed, a stretch taken out, put in or repeated."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(content)))
        end = min(len(content), place + draw(st.sampled_from([1, 1, 1, 2, 4, 6, 50])))
        again = st.just(bytes(content[place:end]) * 2)
        content[place:end] = draw(st.one_of(st.binary(max_size=6), again, st.just(b"\xff" * 4)))
    return bytes(content)


class Nowhere:
    """Takes an instance and counts its bytes."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, piece: bytes | memoryview) -> None:
        """One more piece."""
        self.size += len(piece)

    def abandon(self) -> None:
        """Nothing to leave behind."""


def parts_of(content: bytes, sizes: list[int]) -> list[tuple[Any, ...]]:
    """What a connection is cut into when it comes in chunks of these sizes, in turn; pieces that belong together are joined."""
    cutter, parts = Cutter(LONGEST_DATA, LONGEST_OTHER), list[tuple[Any, ...]]()
    place, turn = 0, 0
    try:
        while place < len(content):
            chunk = content[place : place + sizes[turn % len(sizes)]]
            place, turn = place + len(chunk), turn + 1
            for part in cutter.cut(memoryview(chunk)):
                _join(parts, part)
            assert len(cutter._held) <= LONGEST_OTHER + 6
    except Malformed as error:
        parts.append((str(error),))
    return parts


def _join(parts: list[tuple[Any, ...]], part: Pdu | Piece) -> None:
    if isinstance(part, Pdu):
        parts.append((part.kind, part.content))
        return
    key = (part.context_id, part.command)
    if parts and parts[-1][:2] == key and not parts[-1][2]:
        parts[-1] = (*key, part.last, parts[-1][3] + bytes(part.content))
    elif part.content or part.last:
        parts.append((*key, part.last, bytes(part.content)))


@CALM
@given(st.one_of(damaged(SESSION), st.binary(max_size=400)), st.lists(st.integers(1, 700), min_size=1, max_size=4))
@example(SESSION, [1])
@example(raw_data(b"", control=2), [3])
@example(pdu(5, b""), [6])
@example(pdu(4, struct.pack(">LBB", 2, 1, 2) + b"\x00" * 3), [1])
@example(b"\x04\x00\xff\xff\xff\xff" + bytes(50), [7])
@example(b"\x01\x00\xff\xff\xff\xff" + bytes(50), [7])
def a_connection_is_cut_the_same_however_it_comes(content: bytes, sizes: list[int]) -> None:
    """Into PDUs and pieces, or refused; and never more is held than the longest PDU."""
    assert parts_of(content, [len(content) + 1]) == parts_of(content, sizes)


@CALM
@given(damaged(SESSION[len(associate_request()) :]), st.integers(1, 700))
@example(raw_data(STORE, control=3) + raw_data(STORE, control=3), 50)
@example(raw_data(STORE, control=3) + raw_data(b"x", context=3), 50)
@example(raw_data(b"x", control=2), 50)
def messages_are_taken_or_refused(content: bytes, size: int) -> None:
    """In any order, complete or not."""
    taken: list[Any] = []
    nowhere: Any = Nowhere()
    messages = Messages(Handlers(lambda *_: nowhere, taken.append, lambda *_: None))
    cutter = Cutter(LONGEST_DATA, LONGEST_OTHER)
    with suppress(Malformed, Unusable):
        for start in range(0, len(content), size):
            for part in cutter.cut(memoryview(content[start : start + size])):
                if isinstance(part, Piece):
                    messages.add(part)
    messages.abandon()
    assert not messages._storing


@CALM
@given(st.one_of(damaged(STORE), st.binary(max_size=200)))
@example(b"")
@example(STORE)
@example(struct.pack("<HHL", 0, 0x0100, 0xFFFFFFFF))
@example(STORE.replace(struct.pack("<HHL", 0, 0x0110, 2), struct.pack("<HHL", 0, 0x0111, 2)))
def a_command_set_is_read_or_refused(content: bytes) -> None:
    """And what was read can be answered."""
    with suppress(Unusable):
        request, _ = read_store_request(content)
        if request:
            store_response(request, 0xA700, "no room")


@CALM
@given(st.text(max_size=64), st.text(max_size=64), st.integers(0, 65535), st.text(max_size=100), st.integers(0, 300))
def an_answer_can_be_written_whatever_was_asked(sop_class: str, instance: str, message: int, why: str, longest: int) -> None:
    """And is cut into P-DATA that the peer can put together again."""
    answer = store_response(StoreRequest(message, sop_class, instance), 0xC000, why)
    parts = parts_of(p_data(1, answer, longest), [50])
    assert parts == [(1, True, True, answer)]


@CALM
@given(st.sampled_from([EXPLICIT, IMPLICIT, BIG]), st.data(), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED, ""]))
def a_header_is_read_or_refused(written: str, data: st.DataObject, read: str) -> None:
    """Whatever it says its encoding is."""
    content = data.draw(damaged(IMAGES[written]))
    with suppress(Unusable):
        read_header(content, read)


PROPERTIES: tuple[Callable[[], None], ...] = (
    a_connection_is_cut_the_same_however_it_comes,
    messages_are_taken_or_refused,
    a_command_set_is_read_or_refused,
    an_answer_can_be_written_whatever_was_asked,
    a_header_is_read_or_refused,
)
