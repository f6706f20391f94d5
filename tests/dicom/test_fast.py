from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.dicom.reception import file_head
from tests.dicom.conftest import Station
from tests.dicom.raw import (
    ABORTED,
    ACCEPTED,
    DATA,
    ECHO,
    REJECTED,
    STORE,
    Raw,
    associate_request,
    echo,
    fragments,
    p_data,
    pdu,
)
from tests.dicom.wire import EXPLICIT, MR, Sender, an_image, encode, eventually
from tests.validation.breaking import break_off

Serve = Callable[..., Station]
IMAGE = encode(an_image("1.2.3"))
RANDOM = b"\x47" + os.urandom(1 << 20)
SUCCESS = struct.pack("<HHLH", 0, 0x0900, 2, 0)


def descriptors() -> int:
    """How many are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def nothing_came(station: Station) -> bool:
    """No partial file, no row, nothing under a final name."""
    partial = any((station.files.root / "incoming").iterdir())
    return not partial and not any(station.files.received_keys()) and station.index.counts().instances == 0


@pytest.mark.parametrize("fast", [True, False])
def test_an_instance_is_stored_either_way(serve: Serve, fast: bool) -> None:  # noqa: FBT001 - the two ways
    station = serve(fast=fast)
    with Sender(station.address) as sender:
        assert sender.send(IMAGE, "1.2.3").Status == 0x0000

    assert station.stored() == [file_head(MR, "1.2.3", EXPLICIT) + IMAGE]


def test_a_data_set_may_come_in_any_pieces(serve: Serve) -> None:
    """The same instance each time: one file, one row."""
    station = serve()
    with Raw(station.address).associate() as peer:
        for size in (1, 7, 100_000):
            command = [p_data(STORE[:10], control=1), p_data(STORE[10:], control=3)]
            assert SUCCESS in peer.send(*command, *fragments(IMAGE, size)).receive()[1]

    assert station.stored() == [file_head(MR, "1.2.3", EXPLICIT) + IMAGE]


def test_an_empty_last_fragment_ends_a_data_set(serve: Serve) -> None:
    station = serve()
    with Raw(station.address).associate() as peer:
        _, content = peer.send(p_data(STORE, control=3), p_data(IMAGE), p_data(b"", control=2)).receive()

    assert SUCCESS in content


def test_the_answer_is_cut_for_a_peer_that_takes_little(serve: Serve) -> None:
    station = serve()
    with Raw(station.address).associate(longest=64) as peer:
        peer.send(p_data(STORE, control=3), *fragments(IMAGE, 1000))
        answers = [peer.receive(), peer.receive()]

    assert [(len(content) <= 64, content[5]) for _, content in answers] == [(True, 1), (True, 3)]
    assert SUCCESS in b"".join(content[6:] for _, content in answers)


def test_many_instances_and_echoes_share_an_association(serve: Serve) -> None:
    station = serve()
    with Raw(station.address).associate() as peer:
        for _ in range(3):
            assert SUCCESS in peer.send(p_data(STORE, control=3), *fragments(IMAGE, 500)).receive()[1]
            assert SUCCESS in peer.send(p_data(ECHO, context=3, control=3)).receive()[1]


def test_silent_and_half_said_connections_keep_nobody_waiting(serve: Serve) -> None:
    station = serve()
    silent = [Raw(station.address).send(b"" if number % 2 else associate_request()[:50]) for number in range(25)]
    began = time.monotonic()
    assert all(echo(station.address) for _ in range(3))
    slowest = (time.monotonic() - began) / 3
    for one in silent:
        one.socket.close()

    assert slowest < 5  # below 1 s; `just bench-receive` measures it where nothing else disturbs
    assert eventually(lambda: station.listener.open_associations == 0)


def test_a_connection_that_stays_silent_gives_way_and_is_told_to_come_later(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.dicom.half_open.PATIENCE_S", 0.0)
    station = serve(max_half_open_per_peer=2)
    with capture_logs() as logs, Raw(station.address) as first, Raw(station.address) as second:
        assert echo(station.address)
        kind, content = first.receive()
        second.send(associate_request())
        assert second.receive()[0] == ACCEPTED

    assert (kind, content) == (REJECTED, bytes([0, 2, 3, 2]))
    assert "gave way" in next(entry["reason"] for entry in logs if entry["event"] == "association_rejected")


def test_too_many_new_connections_are_told_to_come_later(serve: Serve) -> None:
    station = serve(max_half_open=1)
    with Raw(station.address), Raw(station.address) as second:
        kind, content = second.receive()

    assert (kind, content) == (REJECTED, bytes([0, 2, 3, 2]))


BROKEN = [
    pdu(DATA, bytes(200_000)),
    p_data(IMAGE, control=2),
    p_data(STORE, context=9, control=3),
    p_data(b"\x00\x00" * 50, control=3),
    p_data(STORE, control=3) + p_data(STORE, control=3),
    p_data(STORE, control=3) + p_data(IMAGE[:50], context=3),
    p_data(STORE, control=3) + p_data(IMAGE[:50]) + pdu(9, b""),
    pdu(DATA, struct.pack(">LBB", 500, 1, 3) + b"x"),
    pdu(DATA, b"\x00"),
    pdu(DATA, struct.pack(">LBB", 3, 1, 1) + b"xyz"),
    p_data(bytes(70_000), control=1),
    associate_request(),
]
NO_DICOM = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", RANDOM, pdu(1, b"x"), b"\x01\x00\xff\xff\xff\xff"]


def test_what_breaks_the_protocol_ends_the_association(serve: Serve) -> None:
    station = serve()
    with capture_logs() as logs:
        for said in BROKEN:
            with Raw(station.address).associate() as peer:
                assert peer.send(said).receive()[0] == ABORTED
        assert eventually(lambda: sum(entry["event"] == "association_closed" for entry in logs) == len(BROKEN))

    assert all("this service sent" not in entry["cause"] for entry in logs if entry["event"] == "association_closed")
    assert nothing_came(station)
    assert echo(station.address)


def test_what_is_no_dicom_is_hung_up_on_with_its_reason(serve: Serve) -> None:
    station = serve()
    with capture_logs() as logs:
        for said in NO_DICOM:
            with Raw(station.address).send(said) as peer:
                assert peer.receive()[0] in (0, ABORTED)
        assert eventually(lambda: sum(entry["event"] == "connection_closed" for entry in logs) == len(NO_DICOM))

    assert all("PDU" in entry["cause"] for entry in logs if entry["event"] == "connection_closed")
    assert nothing_came(station)


def half_an_object(station: Station) -> Raw:
    """A peer in the middle of an instance, whose part file is there."""
    peer = Raw(station.address).associate().send(p_data(STORE, control=3), p_data(IMAGE[:100]))
    assert eventually(lambda: any((station.files.root / "incoming").iterdir()))
    return peer


def test_an_object_that_breaks_off_leaves_nothing(serve: Serve) -> None:
    station = serve()
    ways = (Raw.reset, Raw.abort, Raw.release, Raw.close)
    for end in ways:
        with half_an_object(station) as peer:
            end(peer)
            assert eventually(lambda: nothing_came(station))
    assert eventually(lambda: station.listener.open_associations == 0)
    assert echo(station.address)


def test_a_peer_that_stops_in_the_middle_is_ended_and_named(serve: Serve) -> None:
    station = serve(stall_timeout_s=0.3)
    with capture_logs() as logs, half_an_object(station) as peer:
        assert peer.receive()[0] == ABORTED
        assert eventually(lambda: any(entry["event"] == "association_closed" for entry in logs))

    assert "middle of a message" in next(entry["cause"] for entry in logs if entry["event"] == "association_closed")
    assert nothing_came(station)


def test_a_peer_that_drips_its_pdu_is_ended(serve: Serve) -> None:
    """Each byte restarts every timer that only looks for silence."""
    station = serve(stall_timeout_s=0.5)
    with Raw(station.address).associate() as peer:
        peer.socket.settimeout(0.1)
        ended = False
        for byte in p_data(STORE, control=3):
            peer.send(bytes([byte]))
            try:
                ended = peer.receive()[0] in (0, ABORTED)
                break
            except TimeoutError:
                continue

    assert ended


def test_a_half_said_request_is_ended_by_the_time_for_it(serve: Serve) -> None:
    station = serve(acse_timeout_s=0.5)
    with Raw(station.address).send(associate_request()[:100]) as peer:
        assert peer.receive() == (0, b"")


def test_nothing_is_left_of_many_that_break_off(serve: Serve) -> None:
    """No thread, no descriptor, no file; `just soak-breaking` does it for longer."""
    station = serve(max_half_open=1000, max_half_open_per_peer=1000)
    assert echo(station.address)
    assert eventually(lambda: station.listener.open_associations == 0)
    before = (threading.active_count(), descriptors())
    for number in range(60):
        break_off(station.address, number)

    assert eventually(lambda: (threading.active_count(), descriptors()) <= before)
    assert eventually(lambda: nothing_came(station))
    assert echo(station.address)


def test_a_descriptor_above_a_thousand_is_served_too(serve: Serve) -> None:
    """`select` cannot see it, `poll` can."""
    spare = [os.dup(0) for _ in range(1100 - descriptors())] if _room_for(1300) else []
    try:
        assert echo(serve().address)
    finally:
        for descriptor in spare:
            os.close(descriptor)


def _room_for(descriptors: int) -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= descriptors


def test_stopping_ends_a_peer_in_the_middle_of_its_object(serve: Serve) -> None:
    station = serve()
    with half_an_object(station) as peer:
        station.listener.stop(drain_s=0)
        assert peer.receive()[0] == ABORTED

    assert nothing_came(station)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(station.address if station.listener._server else ("127.0.0.1", 1))
