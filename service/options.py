"""What an analysis may be told, apart from its study: light, so that a process that only starts analyses loads no engine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnalysisOptions:
    """What can change a number. `labels`: (code or word, kind of region) pairs that go before the built-in table."""

    segmenters: tuple[str, ...] = ("drawn", "classical")
    labels: tuple[tuple[str, str], ...] = ()
