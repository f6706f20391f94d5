"""`just bench-idle`: what a service costs that has nothing to do."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import cyclopts
from rich.console import Console
from rich.markdown import Markdown

from tests.journey.running import Running, descendants
from tests.journey.waiting import free_port
from tests.validation import evidence

GOAL = 1.0  # % of a core
SETTLES_S = 10.0  # what the start leaves to do
TICKS = os.sysconf("SC_CLK_TCK")


def main(*, seconds: float = 60.0, repeats: int = 3) -> None:
    """Processor time of an idle `cryomargin run` over so many seconds, `repeats` times. Writes docs/evidence.md."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cryomargin-bench-") as place:
        service = Running(Path(place) / "service", port=free_port(), archive=free_port(), quiet_s=1.0)
        service.start()
        try:
            time.sleep(SETTLES_S)
            rows = [_share(service.pid, seconds) for _ in range(repeats)]
        finally:
            service.stop()
    shown = [(f"{seconds:g} s", f"< {GOAL:g} % of a core", f"{100 * share:.2f} %") for share in rows]
    text = "\n\n".join(
        [
            evidence.stamp("just bench-idle", time.monotonic() - started),
            "Listener, worker and web in one process, one destination, SQLite, no study:",
            evidence.table(("over", "goal", "processor time"), shown),
        ]
    )
    evidence.replace("idle", text)
    Console().print(Markdown(text))


def _share(pid: int, seconds: float) -> float:
    """Processor time of a process and all below it, as a part of the time that passes."""
    before, began = _processor_s(pid), time.monotonic()
    time.sleep(seconds)
    return (_processor_s(pid) - before) / (time.monotonic() - began)


def _processor_s(pid: int) -> float:
    return sum(_of_one(one) for one in (pid, *descendants(pid)))


def _of_one(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    cyclopts.run(main)
