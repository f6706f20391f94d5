"""Waiting for something to become so, and free ports."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

LOOK_S, SELDOM_S = 0.05, 0.4  # from one look to the next, at first and after a while: each look costs the service work

Seen = TypeVar("Seen")


def eventually(
    look: Callable[[], Seen], good: Callable[[Seen], bool], seconds: float = 240, longest_pause: float = SELDOM_S
) -> Seen:
    """Look until what is seen is good; the limit is generous because it only matters when the test fails."""
    deadline, pause = time.monotonic() + seconds, LOOK_S
    while not good(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(pause)
        pause = min(1.1 * pause, longest_pause)
    return seen


def free_port() -> int:
    """A port that is free now; for programs that must be told theirs before they start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
