"""Many cases on several cores, kept on disk as they are done: a long run that was cut off goes on where it was."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
EVERY_S = 10.0

Found = TypeVar("Found")
Measure = Callable[[int], Found]


@dataclass(slots=True)
class Kept:
    """What was found of each seed, and a line about each run that found it; in `path`, where one is given."""

    path: Path | None = None
    found: dict[int, Any] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read what is there; a record that was cut off is taken away."""
        if self.path is None or not self.path.exists():
            return
        whole = 0
        with self.path.open("rb") as stream, suppress(EOFError, pickle.UnpicklingError):
            while True:
                self._take(*pickle.load(stream))  # noqa: S301 our own file
                whole = stream.tell()
        os.truncate(self.path, whole)

    def add(self, seed: int | None, what: object) -> None:
        """Keep an outcome, or (without a seed) a line about a run."""
        self._take(seed, what)
        if self.path is not None:
            with self.path.open("ab") as stream:
                stream.write(pickle.dumps((seed, what)))

    def _take(self, seed: int | None, what: Any) -> None:
        if seed is None:
            self.runs.append(what)
        else:
            self.found[seed] = what


def measure_missing(
    name: str, measure: Measure[Found], seeds: Sequence[int], kept: Kept, processes: int, seconds: float
) -> None:
    """Measure those of `seeds` that are not kept yet, for at most `seconds`, with a line of progress now and then."""
    missing = [seed for seed in seeds if seed not in kept.found]
    if not missing:
        return
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # for the processes to come: each works on one core
    began = shown = time.monotonic()
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    waiting: dict[Future[Found], int] = {pool.submit(measure, seed): seed for seed in missing}
    with suppress(TimeoutError):
        for done, future in enumerate(as_completed(waiting, timeout=seconds), 1):
            kept.add(waiting[future], future.result())
            if time.monotonic() - shown > EVERY_S:
                shown = time.monotonic()
                print(f"{name}: {done} of {len(missing)} in {shown - began:.0f} s", flush=True)  # noqa: T201
    pool.shutdown(cancel_futures=True)
    for future, seed in waiting.items():
        if not future.cancelled() and seed not in kept.found:
            kept.add(seed, future.result())
