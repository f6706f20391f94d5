"""What keeps an analysis process from harming the machine or outliving its worker (Linux; elsewhere only the time limit)."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_FIRST_TO_GO = "1000"  # proc(5): when memory runs out, the kernel ends this process and not the listener
_GROUPS, _MY_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def die_with_parent(parent: int) -> None:
    """Make the kernel end this process when the thread that started it is gone (prctl(2)).

    Leaves at once when `parent` (its process id) died before this call.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the worker is gone")


def with_parent(program: Sequence[str]) -> list[str]:
    """The command line that runs a program which the kernel ends when the thread that started it is gone."""
    return [sys.executable, "-m", __name__, str(os.getpid()), *program]


def be_first_to_go() -> None:
    """Offer this process to the out-of-memory killer first, and leave no core file with patient data."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    adjust = Path("/proc/self/oom_score_adj")
    if adjust.exists():
        adjust.write_text(_FIRST_TO_GO, encoding="ascii")


def limit_processor(pid: int, seconds: float) -> None:
    """Let the kernel end a process that used so much processor time on all cores (SIGXCPU), even if nobody watches it."""
    if hasattr(resource, "prlimit"):
        whole = max(1, round(seconds))
        try:
            resource.prlimit(pid, resource.RLIMIT_CPU, (whole, whole + 5))
        except ProcessLookupError:
            return  # it has ended already


def bearable(memory_mb: int) -> int:
    """How many analyses that may need so much memory (MB) each this machine bears at once: by memory and cores, at least one.

    A quarter of the memory is left to listener, database and file cache. In a container, or in a service with limits of its
    own, what that may have counts for the machine.

    >>> bearable(10**9)
    1
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = min([memory, *(int(most) for most, *_ in _allowed("memory.max"))])
    cores = min([cores, *(int(quota) // int(period) for quota, period in _allowed("cpu.max"))])
    return max(1, min(cores, memory // 1_000_000 * 3 // 4 // memory_mb))


def _allowed(file: str) -> Iterator[list[str]]:
    """The limits of the control groups that this process is in, from its own to the outermost.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst.
    """
    mine = _MY_GROUPS.read_text(encoding="ascii").splitlines() if _MY_GROUPS.exists() else []
    own = next((line.removeprefix("0::/") for line in mine if line.startswith("0::/")), "")
    for group in (_GROUPS / own, *(_GROUPS / own).parents):
        if group.is_relative_to(_GROUPS) and (group / file).exists():
            words = (group / file).read_text(encoding="ascii").split()
            if words[0] != "max":
                yield words


def resident_mb(pid: int) -> int:
    """Memory that a process holds now, MB; 0 when it is gone or cannot be asked.

    >>> import os
    >>> resident_mb(os.getpid()) > 1
    True
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    lines = (line.split() for line in status.splitlines() if line.startswith("VmRSS:"))
    return next((int(words[1]) // 1024 for words in lines), 0)


def _become(arguments: list[str]) -> None:
    """Be another program, in the place of this one: what was asked of the kernel stays (prctl(2))."""
    die_with_parent(int(arguments[0]))
    os.execv(arguments[1], arguments[1:])  # noqa: S606 - the operator's own program


if __name__ == "__main__":
    _become(sys.argv[1:])
