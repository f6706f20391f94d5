"""Backpressure: whoever brings more than can be analysed is told to come later, until there is room again."""

from __future__ import annotations

from collections.abc import Callable

from pynetdicom.sop_class import Verification

from service.store.orders import Share
from tests.dicom.conftest import Station
from tests.dicom.wire import Sender, an_image, eventually
from tests.store.builders import MR, arrival, at

Serve = Callable[..., Station]
COME_LATER = 2, 3, 1


def answered(address: tuple[str, int], *classes: str) -> tuple[int, int, int] | None:
    """How a caller was turned away; None when it was let in."""
    with Sender(address, classes=classes or (MR,)) as sender:
        if sender.association.is_established:
            return None
        answer = sender.association.acceptor.primitive
        return answer.result, answer.result_source, answer.diagnostic


def test_a_full_queue_turns_away_what_brings_more_and_lets_it_in_again(serve: Serve) -> None:
    station = serve(max_waiting=2)
    with Sender(station.address) as before:
        for number in (1, 2):
            station.index.add_instance(arrival(number, study=f"1.2.{number}"))
            station.index.close_version(f"1.2.{number}", at(60))

        assert eventually(lambda: answered(station.address) == COME_LATER)
        assert answered(station.address, str(Verification)) is None
        assert before.store(an_image("1.2.7")) == 0  # what is open goes on
        assert eventually(lambda: any("must come later" in one.reason for one in station.index.rejections()))

    version = station.index.work.claim(Share())[0]
    station.index.work.start((version.study_instance_uid, version.content_version, 1), "worker-1", "At it.")
    assert eventually(lambda: answered(station.address) is None)


def test_without_a_limit_nobody_is_turned_away(serve: Serve) -> None:
    station = serve()
    for number in range(3):
        station.index.add_instance(arrival(number, study=f"1.2.{number}"))
        station.index.close_version(f"1.2.{number}", at(60))
    assert answered(station.address) is None
