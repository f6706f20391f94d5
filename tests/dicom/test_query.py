from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRootFind
from pynetdicom.sop_class import Verification

from service.dicom.destination import Caller, Destination
from service.dicom.query import Reference, find
from service.errors import Refused

CALLER = Caller(timeout_s=3.0)
WANTED = Reference("1.2.3", "1.2.3.4", "1.2.3.4.5")


def answer(uid: str) -> Dataset:
    made = Dataset()
    made.SOPInstanceUID = uid
    return made


@contextmanager
def peer(*answers: tuple[int, Dataset | None], offer_find: bool = True) -> Iterator[Destination]:
    """A query SCP that gives the same answers to every question."""

    def respond(_event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield from answers

    entity = AE(ae_title="PEER")
    entity.add_supported_context(StudyRootFind if offer_find else Verification)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, respond)])
    try:
        yield Destination("peer", "PEER", "127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()


def test_an_archive_that_answers_with_the_whole_series_does_not_confuse() -> None:
    with peer((0xFF00, answer("9.9")), (0xFF00, answer("1.2.3.4.5"))) as destination:
        assert find([WANTED], destination, CALLER) == {"1.2.3.4.5"}


def test_another_instance_is_not_the_wanted_one() -> None:
    with peer((0xFF00, answer("9.9"))) as destination:
        assert find([WANTED], destination, CALLER) == frozenset()


def test_a_refused_query_shows_its_status() -> None:
    with peer((0xA900, None)) as destination, pytest.raises(Refused, match="0xA900"):
        find([WANTED], destination, CALLER)


def test_an_archive_without_query_is_said_so() -> None:
    with peer(offer_find=False) as destination, pytest.raises(Refused, match="does not offer C-FIND"):
        find([WANTED], destination, CALLER)
