"""Figures for docs/evidence.md: tables between markers, with date, commit and machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EVIDENCE = ROOT / "docs" / "evidence.md"
CPU_INFO = Path("/proc/cpuinfo")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as Markdown."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def stamp(command: str, seconds: float) -> str:
    """When, on what and with which source the figures were made. No host name, no path: a machine is its processor here."""
    return f"`{command}`, {when_and_where(seconds)}"


def when_and_where(seconds: float, commit: str = "") -> str:
    """The same without a command; `commit` where the source is no checkout."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit or _commit()}, {os.cpu_count()} cores of {_processor()}, "
        f"load average {os.getloadavg()[2]:.1f}, {seconds / 60:.1f} minutes."
    )


def replace(name: str, body: str, path: Path = EVIDENCE) -> None:
    """Put `body` between the markers of this name.

    Raises:
        ValueError: The file has no such markers.
    """
    first, last = f"<!-- {name}: made by a command, do not edit -->", f"<!-- end of {name} -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(first)
    _, ended, after = rest.partition(last)
    if not (found and ended):
        raise ValueError(f"{path.name} has no place for {name}")
    path.write_text(f"{before}{first}\n\n{body}\n\n{last}{after}", encoding="utf-8")


def _commit() -> str:
    """The short commit, with "and changes" when the source differs from it."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "service")
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + (" and changes" if changed else "")


def _git(*words: str) -> str:
    """What git says; nothing where the source is no checkout."""
    with suppress(FileNotFoundError):
        return subprocess.run(["git", *words], cwd=ROOT, check=False, capture_output=True, text=True).stdout.strip()
    return ""


def _processor() -> str:
    """The model of the first core, "an unknown processor" where the system does not say."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "an unknown processor")
