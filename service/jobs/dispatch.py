"""The threads that deliver: one for each destination, so that one that is down or slow never delays another."""

from __future__ import annotations

from functools import partial

from service.dicom.destination import Destination
from service.jobs.delivery import Courier
from service.jobs.looking import Looking, Next, Rhythm

LOOK_S = 0.25
SULK_S = 5.0  # after a fault that nobody foresaw, or a database that does not answer


class Dispatch:
    """Looks at the outbox again and again. What is due stands in the index, so it does not matter who planned it, or died."""

    def __init__(self, courier: Courier) -> None:
        rhythm, mark = Rhythm(LOOK_S, SULK_S), courier.means.index.mark
        self._threads = [
            *(Looking(f"deliver-{one.name}", partial(_visited, courier, one), rhythm, mark) for one in courier.destinations),
            Looking("settle", partial(_settled, courier), rhythm, mark),
        ]

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def stop(self, drain_s: float) -> None:
        """Begin nothing new; what is under way may take `drain_s` in all."""
        for thread in self._threads:
            thread.tell_to_stop()
        for thread in self._threads:
            thread.stop(drain_s)

    @property
    def alive(self) -> bool:
        """Whether every destination has its thread."""
        return all(thread.alive for thread in self._threads)


def _visited(courier: Courier, destination: Destination) -> Next:
    if courier.visit(destination):
        return Next.AT_ONCE
    return Next.SOON if courier.awaits(destination) else Next.ON_CHANGE


def _settled(courier: Courier) -> Next:
    courier.settle()
    return Next.ON_CHANGE
