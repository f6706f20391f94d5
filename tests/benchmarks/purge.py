"""`just bench-purge`: how fast instances are taken in while old studies leave, beside without, in turn on one index."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as of_day
from pathlib import Path
from statistics import median

import cyclopts
import structlog
from rich.console import Console
from rich.markdown import Markdown
from sqlalchemy import select

from service.jobs.tidying import Keeping, Tidying
from service.store.files import Files
from service.store.index import Index
from service.store.retention import Stock
from service.store.schema import instance
from tests.benchmarks.index import _store, fill
from tests.validation import evidence

KEEPING = Keeping({Stock.RECEIVED: timedelta(days=1)}, of_day(22), of_day(5))
GOAL = 0.90


class Purge:
    """Removes what is old in a thread of its own, when it is let."""

    def __init__(self, index: Index, files: Files) -> None:
        self.removed = 0
        self.busy_s = 0.0
        self._let = threading.Event()
        self._end = threading.Event()
        self._tidying = Tidying(index, files, KEEPING, self._clock)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @contextmanager
    def running(self) -> Iterator[None]:
        """It removes meanwhile."""
        self._let.set()
        try:
            yield
        finally:
            self._let.clear()

    def close(self) -> None:
        """No more."""
        self._end.set()
        self._thread.join()

    def _clock(self) -> datetime:
        """Night when it may, and noon when it may not."""
        now = datetime.now().astimezone()
        return now.replace(hour=23 if self._let.is_set() else 12).astimezone(UTC)

    def _run(self) -> None:
        while not self._end.is_set():
            if self._let.wait(0.02):
                began = time.monotonic()
                self.removed += self._tidying.look()
                self.busy_s += time.monotonic() - began


def main(*, studies: int = 10_000, instances: int = 10, rounds: int = 200) -> None:
    """Let `studies` of so many `instances` leave while others come, for at most so many `rounds`; writes docs/evidence.md."""
    started = time.monotonic()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="cryomargin-bench-") as place:
        files = Files(Path(place) / "content")
        with Index.open(f"sqlite:///{place}/index.sqlite") as index:
            fill(index, studies, instances)
            _make_files(index, files)
            purge = Purge(index, files)
            try:
                ratios = sorted(_ratios(index, purge, _store(files), studies, rounds))
            finally:
                purge.close()
    said = (
        f"{purge.removed} of {studies} studies of {instances} instances left in {purge.busy_s:.0f} s, of which it worked "
        f"{KEEPING.share:.0%}; SQLite, one process. Goal: at least {GOAL:.2f} of the rate without."
    )
    quarter = len(ratios) // 4
    row = (len(ratios), f"{median(ratios):.2f}", f"{ratios[quarter]:.2f} to {ratios[-1 - quarter]:.2f}")
    text = "\n\n".join(
        [
            evidence.stamp("just bench-purge", time.monotonic() - started),
            said,
            evidence.table(
                ("pairs of 50 durable instances", "while studies leave : while none does, median", "quartiles"), [row]
            ),
        ]
    )
    Console().print(Markdown(text))
    evidence.replace("purge", text)


def _make_files(index: Index, files: Files) -> None:
    with index._database.read() as connection:
        for key in connection.scalars(select(instance.c.content_key)):
            files.path(key).write_bytes(b"0" * 100)


def _ratios(index: Index, purge: Purge, store: Callable[[Index], float], studies: int, rounds: int) -> Iterator[float]:
    """The rate with as a ratio to that without, as long as there is something to remove."""
    for number in range(rounds):
        if purge.removed >= studies:
            return
        seconds: dict[bool, float] = {}
        for leaving in (True, False) if number % 2 else (False, True):
            if leaving:
                with purge.running():
                    seconds[leaving] = store(index)
            else:
                seconds[leaving] = store(index)
        yield seconds[False] / seconds[True]


if __name__ == "__main__":
    cyclopts.run(main)
