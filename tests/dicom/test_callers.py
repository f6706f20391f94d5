from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from service import metrics
from tests.dicom.conftest import Station
from tests.dicom.wire import Sender, an_image, encode, eventually

Serve = Callable[..., Station]
JPEG_2000 = "1.2.840.10008.1.2.4.90"


def ends(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The causes in the log, in order."""
    return [entry["cause"] for entry in logs if entry["event"] == "association_closed"]


def test_a_study_waits_for_the_release_of_its_association(serve: Serve) -> None:
    station = serve()
    with Sender(station.address) as sender:
        sender.store(an_image())
        (before,) = station.index.activities()

    assert (before.open_associations, before.last_released_at) == (1, None)
    assert eventually(lambda: station.index.activities()[0].open_associations == 0)
    released = station.index.activities()[0].last_released_at
    assert released is not None
    assert released >= before.last_received_at


def test_the_wrong_called_title_is_rejected_with_that_reason(serve: Serve) -> None:
    with capture_logs() as logs:
        sender = Sender(serve().address, called="SOMEBODY")

    answer = sender.association.acceptor.primitive
    assert sender.association.is_rejected
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 7)
    (rejected,) = [entry for entry in logs if entry["event"] == "association_rejected"]
    assert (rejected["calling_ae"], rejected["called_ae"]) == ("SCANNER", "SOMEBODY")
    assert rejected["reason"] == "The called AE title is not that of this service."


def test_an_unknown_calling_title_is_rejected_with_that_reason(serve: Serve) -> None:
    station = serve(calling_ae_titles=("SCANNER", "ARCHIVE"))
    stranger = Sender(station.address, calling="STRANGER")
    answer = stranger.association.acceptor.primitive

    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 3)
    with Sender(station.address, calling="ARCHIVE") as sender:
        assert sender.association.is_established


def test_a_star_lets_everybody_in(serve: Serve) -> None:
    with Sender(serve(calling_ae_titles=("*",)).address, calling="STRANGER") as sender:
        assert sender.association.is_established


def test_one_association_too_many_is_told_to_come_later(serve: Serve) -> None:
    station = serve(max_associations=1)
    with Sender(station.address):
        second = Sender(station.address)
        answer = second.association.acceptor.primitive

    assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)


def test_the_cause_of_every_end_is_logged(serve: Serve) -> None:
    """Pynetdicom itself calls all but the first "aborted"."""
    station = serve()
    with capture_logs() as logs:
        with Sender(station.address):
            pass
        aborting = Sender(station.address)
        aborting.association.abort()
        lost = Sender(station.address)
        lost.association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
        assert eventually(lambda: len(ends(logs)) == 3)

    assert ends(logs) == ["released", "the peer sent A-ABORT", "the connection was lost"]
    assert station.listener.open_associations == 0
    assert station.index.counts().open_associations == 0


def test_an_association_is_one_line_that_says_what_it_brought(serve: Serve) -> None:
    """For whoever asks why a study took so long, or did not come; and it is counted by how it ended."""
    station, image = serve(), an_image()
    released = metrics.ASSOCIATIONS.labels("released")._value.get()
    with capture_logs() as logs:
        with Sender(station.address) as sender:
            sender.store(image)
            sender.store(image)
        assert eventually(lambda: bool(ends(logs)))

    (line,) = [entry for entry in logs if entry["event"].startswith("association") and entry["log_level"] != "debug"]
    assert (line["calling_ae"], line["instances"], line["bytes"]) == ("SCANNER", 2, 2 * len(encode(image)))
    assert 0 < line["seconds"] < 60
    assert line["peer"].startswith("127.0.0.1:")
    assert not any(word in str(line) for word in ("DOE", "JANE", "P1"))
    assert metrics.ASSOCIATIONS.labels("released")._value.get() == released + 1


def test_silence_for_too_long_is_ended_and_named(serve: Serve) -> None:
    station = serve(network_timeout_s=0.5)
    with capture_logs() as logs:
        silent = Sender(station.address)
        assert eventually(lambda: bool(ends(logs)))

    assert "silence" in ends(logs)[0]
    assert eventually(lambda: silent.association.is_aborted)


def test_a_connection_that_asks_for_nothing_is_named(serve: Serve) -> None:
    station = serve()
    with capture_logs() as logs:
        socket.create_connection(station.address).close()
        assert eventually(lambda: any(entry["event"] == "connection_closed" for entry in logs))


def test_a_stop_lets_open_associations_finish(serve: Serve) -> None:
    station = serve()
    with Sender(station.address) as sender:
        sender.store(an_image())
        stopping = threading.Thread(target=station.listener.stop, args=(20,))
        stopping.start()
        time.sleep(1)
        assert sender.store(an_image()) == 0x0000
    stopping.join(20)

    assert not stopping.is_alive()
    assert station.index.counts().instances == 2
    assert station.index.counts().open_associations == 0


def test_a_stop_ends_associations_that_do_not(serve: Serve) -> None:
    station = serve()
    address = station.address
    sender = Sender(address)
    with capture_logs() as logs:
        station.listener.stop(drain_s=0.1)

    assert eventually(lambda: sender.association.is_aborted)
    assert [entry["aborted"] for entry in logs if entry["event"] == "stopped"] == [1]
    assert station.index.counts().open_associations == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_stop_does_not_wait_for_connections_that_say_nothing(serve: Serve) -> None:
    station = serve(acse_timeout_s=30)
    with socket.create_connection(station.address):
        time.sleep(0.2)
        began = time.monotonic()
        station.listener.stop(drain_s=30)

        assert time.monotonic() - began < 10
