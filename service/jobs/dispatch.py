"""The threads that deliver: one for each destination, so that one that is down or slow never delays another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import structlog

from service.jobs.delivery import Courier

LOOK_S = 0.25
SULK_S = 5.0  # after a fault that nobody foresaw, or a database that does not answer

log = structlog.get_logger("delivery")


class Dispatch:
    """Looks at the outbox again and again. What is due stands in the index, so it does not matter who planned it, or died."""

    def __init__(self, courier: Courier) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(partial(courier.visit, one),), name=f"deliver-{one.name}", daemon=True)
            for one in courier.destinations
        ]
        self._threads.append(threading.Thread(target=self._run, args=(partial(_settled, courier),), name="settle", daemon=True))

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def stop(self, drain_s: float) -> None:
        """Begin nothing new; what is under way may take `drain_s` in all."""
        self._stop.set()
        for thread in self._threads:
            thread.join(drain_s)

    @property
    def alive(self) -> bool:
        """Whether every destination has its thread."""
        return all(thread.is_alive() for thread in self._threads)

    def _run(self, work: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            try:
                pause = 0.0 if work() else LOOK_S
            except Exception:  # the outer door: a lost database or an unforeseen fault must not end the deliveries
                log.exception("delivery_failed")
                pause = SULK_S
            self._stop.wait(pause)


def _settled(courier: Courier) -> bool:
    courier.settle()
    return False
