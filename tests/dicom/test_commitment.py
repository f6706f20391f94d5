"""How an association on which a report of storage commitment comes ends."""

from __future__ import annotations

import threading
import time

from service.dicom.commitment import Answers, Report, request
from service.dicom.destination import Caller
from tests.dicom.promiser import SUCCESS, Promiser

CALLER = Caller(timeout_s=3.0)
OBJECTS = (("1.2.840.10008.5.1.4.1.1.4", "9.1"),)


class Slowly:
    """Whoever takes a report knows it at once, and takes his time to say so."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._known = threading.Event()

    def take(self, _: Report) -> None:
        """Know it at once."""
        self._known.set()
        time.sleep(self._delay_s)

    def complete(self) -> bool:
        """Whether it is known."""
        return self._known.is_set()


def test_a_report_is_answered_before_the_association_is_released() -> None:
    """The release would overtake the answer: the peer would never hear that its report was taken."""
    slowly = Slowly(0.3)
    with Promiser(same_association=True) as peer:
        request(OBJECTS, "1.2.3", peer.destination(), CALLER, Answers(slowly.take, slowly.complete))
        assert peer.heard(within_s=5.0) == [SUCCESS]
