"""Parts of a multipart/related body, however the bytes are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.web.related import Events, Malformed, Related

BOUNDARY = "b0undary"


class Parts:
    """Gathers what it is told."""

    def __init__(self) -> None:
        self.headers: list[Mapping[str, str]] = []
        self.contents: list[bytes] = []
        self.ended = 0

    def events(self) -> Events:
        """To be told."""
        return Events(self._begin, self._data, self._end)

    def _begin(self, headers: Mapping[str, str]) -> None:
        self.headers.append(headers)
        self.contents.append(b"")

    def _data(self, piece: memoryview) -> None:
        self.contents[-1] += piece

    def _end(self) -> None:
        self.ended += 1


def body(contents: Sequence[bytes], *, preamble: bytes = b"", epilogue: bytes = b"") -> bytes:
    """A body of RFC 2046 with a header a part."""
    head = b"Content-Type: application/dicom\r\nX-Other: a:b\r\n\r\n"
    parts = b"".join(b"--b0undary\r\n" + head + content + b"\r\n" for content in contents)
    return preamble + parts + b"--b0undary--" + epilogue


def parse(content: bytes, cuts: Sequence[int] = ()) -> Parts:
    """Feed it cut at these places."""
    parts = Parts()
    related = Related(BOUNDARY, parts.events())
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    for start, end in pairwise(places):
        related.feed(content[start:end])
    related.finish()
    return parts


# What looks like a boundary is what a parser that looks for one gets wrong.
CONTENTS = st.lists(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"--b0undar", b"\r\n--b0und", b"x", b"\0"])).map(b"".join),
    min_size=1,
    max_size=4,
)


@given(contents=CONTENTS, cuts=st.lists(st.integers(0, 2000), max_size=30))
@example(contents=[b"\r\n--b0undarX", b""], cuts=list(range(200)))
@settings(max_examples=150, deadline=None)
def test_every_part_comes_whole_wherever_the_body_is_cut(contents: list[bytes], cuts: list[int]) -> None:
    parts = parse(body(contents), cuts)

    assert parts.contents == contents
    assert parts.ended == len(contents)
    assert parts.headers == [{"content-type": "application/dicom", "x-other": "a:b"}] * len(contents)


@pytest.mark.parametrize("preamble", [b"\r\n", b"To be ignored.\r\n", b"--not it\r\n\r\n"])
@pytest.mark.parametrize("epilogue", [b"", b"\r\n", b"\r\nTo be ignored."])
def test_what_stands_around_the_parts_is_ignored(preamble: bytes, epilogue: bytes) -> None:
    content = body([b"one"], preamble=preamble, epilogue=epilogue)

    assert parse(content, range(len(content))).contents == [b"one"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no boundary at all",
        body([b"one"])[:-1],
        body([b"one"])[:30],
        b"--b0undary\r\nno colon\r\n\r\n\r\n--b0undary--",
        b"--b0undary\r\n" + b"A: b\r\n" * 100 + b"\r\n\r\n--b0undary--",
        b"--b0undary\r\nA: " + b"b" * 100_000 + b"\r\n\r\n\r\n--b0undary--",
        b"x" * 200_000,
    ],
)
def test_what_does_not_follow_its_boundary_is_said_so(content: bytes) -> None:
    with pytest.raises(Malformed):
        parse(content, range(0, len(content), 1000))


@pytest.mark.parametrize("boundary", ["", "b" * 10_000])
def test_a_boundary_that_is_none_is_said_so(boundary: str) -> None:
    with pytest.raises(Malformed):
        Related(boundary, Parts().events())


@given(content=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=5))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_parts_or_malformed_and_nothing_else(content: bytes, cuts: list[int]) -> None:
    with suppress(Malformed):
        parse(b"--b0undary\r\n" + content, cuts)
