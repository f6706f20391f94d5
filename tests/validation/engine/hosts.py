"""Workers as hosts of their own: a network namespace each, with a cable to this machine that can be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

HERE = "10.213.0.1"  # this machine, as every host knows it
NETWORK = "10.213.0.0/16"


class Hosts:
    """The hosts by name; what runs here (database, archive, listener) is at HERE."""

    def __init__(self, names: Sequence[str]) -> None:
        self._numbers = {name: number for number, name in enumerate(names, start=1)}

    def command(self, name: str) -> list[str]:
        """What a command begins with that runs on a host."""
        return ["ip", "netns", "exec", _space(self._numbers[name])] if name in self._numbers else []

    def pull(self, name: str) -> None:
        """Nothing passes from now on, and nobody is told."""
        _ip("link", "set", _cable(self._numbers[name]), "down")

    def plug(self, name: str) -> None:
        """All passes again, and what both ends still wait for goes on."""
        _ip("link", "set", _cable(self._numbers[name]), "up")


@contextmanager
def hosts(names: Sequence[str]) -> Iterator[Hosts]:
    """Hosts of these names; afterwards nothing is left of them.

    Raises:
        SystemExit: This machine does not let us.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise SystemExit("Hosts of their own need root and the Debian package iproute2: leave --partitions out.")
    with ExitStack() as undo:
        _ip("address", "add", f"{HERE}/32", "dev", "lo")
        undo.callback(_ip, "address", "del", f"{HERE}/32", "dev", "lo")
        made = Hosts(names)
        for number in range(1, len(names) + 1):
            _make(undo, number)
        yield made


def _make(undo: ExitStack, number: int) -> None:
    space, cable, net = _space(number), _cable(number), HERE.rsplit(".", 2)[0]
    _ip("netns", "add", space)
    undo.callback(_ip, "netns", "del", space)  # its end of the cable goes with it, and so does ours
    _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
    _ip("address", "add", f"{net}.{number}.1/30", "dev", cable)
    _ip("link", "set", cable, "up")
    _ip("-n", space, "address", "add", f"{net}.{number}.2/30", "dev", "eth0")
    for device in ("lo", "eth0"):
        _ip("-n", space, "link", "set", device, "up")
    _ip("-n", space, "route", "add", "default", "via", f"{net}.{number}.1")


def _space(number: int) -> str:
    return f"cm{os.getpid()}-{number}"


def _cable(number: int) -> str:
    return f"cm{os.getpid()}c{number}"  # a name has at most 15 letters


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"ip {' '.join(words)}: {done.stderr.strip()}")
