"""What cannot be understood is kept for a person to look at, and never more than the bounds say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.errors import TryAgain
from service.store.files import Files
from service.store.index import Index
from service.store.quarantine import FOLDER, Bounds, Quarantine, Refusal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRUNCATED = Refusal(0xC000, "The object ends inside its header.", "MR1", "1.2", "1.2.840.10008.1.2.1")
Make = Callable[..., Quarantine]


@pytest.fixture
def make(tmp_path: Path, index: Index) -> Make:
    def quarantine(bounds: Bounds | None = None, *, min_free_bytes: int = 0, index: Index = index) -> Quarantine:
        return Quarantine(Files(tmp_path / "content"), index, bounds or Bounds(3, 1000), min_free_bytes)

    return quarantine


def kept(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (folder / "content" / FOLDER).iterdir())


def keep(quarantine: Quarantine, content: bytes, minute: int = 0) -> None:
    with quarantine._files.receive() as incoming:
        incoming.write(content)
        quarantine.keep(incoming, TRUNCATED, NOON + timedelta(minutes=minute))


def test_an_object_is_listed_with_its_reason_and_its_bytes(make: Make, index: Index) -> None:
    quarantine = make()
    keep(quarantine, b"abc")

    (entry,) = index.quarantined()
    assert quarantine.path(entry.file).read_bytes() == b"abc"
    assert (entry.status, entry.reason, entry.calling_ae, entry.size) == (0xC000, TRUNCATED.reason, "MR1", 3)
    assert entry.first_at == entry.last_at == NOON


def test_the_same_object_again_is_counted_and_kept_once(make: Make, index: Index, tmp_path: Path) -> None:
    """A sender that repeats what it was refused must not push out the others."""
    quarantine = make()
    for minute in range(5):
        keep(quarantine, b"abc", minute)

    (entry,) = index.quarantined()
    assert (entry.times, entry.first_at, entry.last_at) == (5, NOON, NOON + timedelta(minutes=4))
    assert kept(tmp_path) == [b"abc"]
    assert quarantine.path(entry.file).exists()


def test_the_oldest_leave_when_there_are_too_many(make: Make, index: Index, tmp_path: Path) -> None:
    quarantine = make()
    for number in range(5):
        keep(quarantine, bytes([number]), number)

    assert len(index.quarantined()) == 3
    assert kept(tmp_path) == [b"\x02", b"\x03", b"\x04"]


def test_the_oldest_leave_when_they_are_too_large(make: Make, tmp_path: Path) -> None:
    quarantine = make(Bounds(100, 1000))
    for number in range(6):
        keep(quarantine, bytes([number]) * 250, number)

    assert [content[0] for content in kept(tmp_path)] == [2, 3, 4, 5]


@pytest.mark.parametrize(("size", "min_free_bytes"), [(251, 0), (10, 1 << 60)])
def test_too_large_or_no_room_is_listed_without_its_bytes(
    make: Make, index: Index, tmp_path: Path, size: int, min_free_bytes: int
) -> None:
    keep(make(min_free_bytes=min_free_bytes), b"x" * size)

    (entry,) = index.quarantined()
    assert (entry.file, entry.size) == ("", size)
    assert kept(tmp_path) == []


def test_what_was_refused_before_its_first_byte_is_listed_once_for_each_reason(
    make: Make, index: Index, tmp_path: Path
) -> None:
    quarantine = make()
    for reason in ("a", "b", "a"):
        quarantine.keep(None, replace(TRUNCATED, reason=reason), NOON)

    assert {(entry.reason, entry.times, entry.size, entry.file) for entry in index.quarantined()} == {
        ("a", 2, 0, ""),
        ("b", 1, 0, ""),
    }
    assert kept(tmp_path) == []


@pytest.mark.parametrize("bounds", [Bounds(0, 1000), Bounds(3, 0)])
def test_bounds_of_nothing_keep_nothing(make: Make, tmp_path: Path, bounds: Bounds) -> None:
    keep(make(bounds), b"abc")
    assert kept(tmp_path) == []


class DownIndex(Index):
    """A database that does not answer."""

    def note_quarantined(self, *_: object) -> tuple[str, ...]:
        """Fail."""
        raise TryAgain("store.unavailable", "The index cannot be reached.")


def test_a_database_that_is_down_leaves_no_file(make: Make, index: Index, tmp_path: Path) -> None:
    keep(make(index=DownIndex(index._database)), b"abc")
    assert kept(tmp_path) == []


def test_what_a_crash_left_without_a_row_is_removed(make: Make, tmp_path: Path) -> None:
    quarantine = make()
    keep(quarantine, b"abc")
    quarantine.path("left").write_bytes(b"left behind")
    quarantine.tidy()

    assert kept(tmp_path) == [b"abc"]
