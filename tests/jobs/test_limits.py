"""How many analyses a machine bears: by its memory and cores, and by what a container may have of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.jobs import limits
from service.jobs.limits import bearable

GIGABYTE = 1_000_000_000


class Machine:
    """So many cores and GB; `group` is where this process stands among the control groups."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups = folder / "groups"
        self._folder = folder
        self._patch = monkeypatch
        monkeypatch.setattr(limits, "_GROUPS", self.groups)
        monkeypatch.setattr(limits, "_MY_GROUPS", folder / "mine")

    def has(self, cores: int, memory_gb: int) -> None:
        """Its size."""
        sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": memory_gb * GIGABYTE // 4096 + 1}
        self._patch.setattr(os, "sysconf", sizes.__getitem__)
        self._patch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))

    def allows(self, group: str, memory: str = "max", processor: str = "max 100000") -> None:
        """What a group may have, where this process now is."""
        (self._folder / "mine").write_text(f"1:name=old:/other\n0::/{group}\n")
        place = self.groups / group
        place.mkdir(parents=True, exist_ok=True)
        (place / "memory.max").write_text(f"{memory}\n")
        (place / "cpu.max").write_text(f"{processor}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("cores", "memory_gb", "analyses"),
    [(8, 16, 6), (4, 16, 4), (64, 256, 64), (8, 2, 1), (1, 64, 1)],
)
def test_memory_and_cores_say_how_many(machine: Machine, cores: int, memory_gb: int, analyses: int) -> None:
    machine.has(cores, memory_gb)
    assert bearable(2000) == analyses


def test_a_container_has_what_it_may_have(machine: Machine) -> None:
    """The machine around it is of no use: what goes beyond the limit is killed."""
    machine.has(64, 256)
    machine.allows("", memory=str(8 * GIGABYTE))
    assert bearable(2000) == 3
    machine.allows("", processor="250000 100000")
    assert bearable(2000) == 2
    machine.allows("", processor="50000 100000")
    assert bearable(2000) == 1


def test_the_tightest_group_counts(machine: Machine) -> None:
    machine.has(64, 256)
    machine.allows("system.slice", memory=str(4 * GIGABYTE))
    machine.allows("system.slice/cryomargin.service", memory=str(16 * GIGABYTE), processor="800000 100000")
    assert bearable(1000) == 3
    machine.allows("system.slice")
    machine.allows("system.slice/cryomargin.service", memory=str(16 * GIGABYTE), processor="800000 100000")
    assert bearable(1000) == 8
