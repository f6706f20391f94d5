"""Broken objects sent as they are: each gets a status at once, and what is not understood is listed with its reason."""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydicom.uid import generate_uid

from service.web.app import create_app
from service.web.info import ServiceInfo
from tests.dicom.conftest import Station, files, index, serve  # noqa: F401 fixtures of the listener's tests
from tests.dicom.wire import CT, EXPLICIT, IMPLICIT, Sender, an_image
from tests.peers import real_data

pytestmark = pytest.mark.real_data

Serve = Callable[..., Station]
LONGEST_S = 2.0
STORED, TOO_FULL = 0x0000, 0xA700


@dataclass(frozen=True)
class Broken:
    """A broken file: what it says of itself where that is a UID, and everything behind the file meta information."""

    path: Path
    sop_class: str
    instance: str
    syntax: str
    dataset: bytes


def broken(path: Path) -> Broken:
    """The file taken apart by hand: a library would refuse, or mend, what is to be sent."""
    content = path.read_bytes()
    meta, end = file_meta(content)
    found = {element: value.rstrip(b"\0 ").decode("ascii", "replace") for element, value in meta.items()}
    syntax = found.get(0x10, EXPLICIT if end else IMPLICIT)
    return Broken(
        path, uid(found.get(0x02, ""), CT), uid(found.get(0x03, ""), str(generate_uid())), uid(syntax, EXPLICIT), content[end:]
    )


def uid(text: str, otherwise: str) -> str:
    """The text, where a command set can hold it."""
    return text if len(text) <= 64 and re.fullmatch(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+", text) else otherwise


def file_meta(content: bytes) -> tuple[dict[int, bytes], int]:
    """The elements of group 2 by number, and where they end; 0 where there is none."""
    found: dict[int, bytes] = {}
    at = 132
    if content[128:132] != b"DICM":
        return found, 0
    while content[at : at + 2] == b"\x02\x00":
        long = content[at + 4 : at + 6] in (b"OB", b"UN", b"OW", b"SQ", b"UT")
        start = at + (12 if long else 8)
        (length,) = struct.unpack_from("<L" if long else "<H", content, start - (4 if long else 2))
        if start + length > len(content):
            break
        found[struct.unpack_from("<H", content, at + 2)[0]] = content[start : start + length]
        at = start + length
    return found, at


def send_all(station: Station, objects: list[Broken]) -> Iterator[tuple[Broken, Any, float]]:
    """The answer to each, and how long this process worked for it (s): listener and sender together."""
    for one in objects:
        began = time.process_time()
        with Sender(station.address, classes=(one.sop_class,), syntax=one.syntax) as sender:
            answer = sender.send(one.dataset or None, one.instance, one.sop_class)
        yield one, answer, time.process_time() - began


def test_every_broken_object_gets_a_status_at_once_and_no_success_is_unexplained(serve: Serve) -> None:  # noqa: F811
    station = serve()
    objects = [broken(path) for path in sorted(real_data("malformed").rglob("*.dcm"))]
    answers = list(send_all(station, objects))

    assert [one.path.name for one, _, seconds in answers if seconds > LONGEST_S] == []
    statuses = {one.path: int(answer.Status) for one, answer, _ in answers}
    assert all(status == STORED or status & 0xFF00 == 0xA900 or status & 0xF000 == 0xC000 for status in statuses.values())
    assert all(answer.ErrorComment for _, answer, _ in answers if answer.Status)
    stored, refused = count(statuses, stored=True), count(statuses, stored=False)
    listed = station.index.quarantined()
    assert refused == sum(entry.times for entry in listed) > 0
    assert stored == len(station.stored())
    assert all(entry.reason and (entry.file or not entry.size) for entry in listed)
    with Sender(station.address) as sender:
        assert sender.store(an_image()) == STORED
    page = TestClient(create_app(station.index, ServiceInfo("0"))).get("/refused").text
    assert all(entry.file in page and entry.reason in page for entry in listed)


def count(statuses: dict[Path, int], *, stored: bool) -> int:
    return sum((status == STORED) == stored for status in statuses.values())
