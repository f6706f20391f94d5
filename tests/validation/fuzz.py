"""`just fuzz`: for as long as it is told, look for bytes that break the readers of PDUs, messages, command sets and headers.

hypothesis makes the bytes and keeps what broke something; such a find becomes an example in tests/dicom/hostile_bytes.py.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable

import cyclopts
from hypothesis import HealthCheck, Phase, seed, settings
from rich.console import Console
from rich.markdown import Markdown

from tests.validation import evidence

EACH = 2000
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

# Before the properties are imported: they take their settings then.
settings.register_profile(
    "fuzz",
    max_examples=EACH,
    deadline=None,
    database=None,
    suppress_health_check=_QUIET,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("fuzz")


def main(minutes: float = 10.0, *, write: bool = True) -> None:
    """Fuzz for so many minutes, print the figures and put them into docs/evidence.md."""
    from tests.dicom.hostile_bytes import PROPERTIES

    warnings.filterwarnings("ignore")
    console, started = Console(), time.monotonic()
    tried, faults, turn = Counter[str](), list[str](), time.time_ns() % 1_000_000
    with console.status("Fuzzing"):
        while time.monotonic() - started < 60 * minutes and not faults:
            turn += 1
            for holds in PROPERTIES:
                faults += _try(holds, turn)
                tried[holds.__name__] += EACH
    rows = [
        (name.replace("_", " "), count, "; ".join(f for f in faults if name in f) or "none") for name, count in tried.items()
    ]
    table = evidence.table(("what must hold", "inputs", "faults"), rows)
    body = f"{evidence.stamp('just fuzz', time.monotonic() - started)}\n\n{table}"
    console.print(Markdown(body))
    if write:
        evidence.replace("fuzz", body)
    sys.exit(1 if faults else 0)


def _try(holds: Callable[[], None], turn: int) -> list[str]:
    try:
        seed(turn)(holds)()
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is what was looked for
        return [f"{holds.__name__}: {type(fault).__name__}: {fault} (seed {turn})"]
    return []


if __name__ == "__main__":
    cyclopts.run(main)
