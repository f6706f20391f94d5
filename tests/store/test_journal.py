"""What the journal promises: flushed before the file has its name, and a crash takes nothing of what was flushed."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.errors import TryAgain
from service.store import files as files_module
from service.store import journal
from service.store.files import Files
from service.store.records import Kept

CONTENT = b"an instance" * 1000


@pytest.fixture
def files(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """A store that keeps a journal, on a disk with room."""
    monkeypatch.setattr(files_module, "_MUCH_ROOM", 0)
    files.begin_journal()
    yield files
    files.end_journal()


def keep(files: Files, content: bytes = CONTENT) -> Kept:
    with files.receive() as incoming:
        incoming.write(content)
        return incoming.commit()


def crashed(files: Files) -> Files:
    """The store as another process finds it: the locks of this one are gone, and nothing was ended in order."""
    kept, files._journal = files._journal, None
    assert kept is not None
    for segment in kept._all:
        segment.close()
    return Files(files.root)


def journal_of(files: Files) -> journal.Journal:
    assert files._journal is not None
    return files._journal


def no_sync(_given: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_a_commit_is_flushed_before_the_file_has_its_name(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """One flush, of what holds the content; nothing else waits for the disk."""
    steps: list[str] = []
    fdatasync, rename = os.fdatasync, os.rename

    def flushed(descriptor: int) -> None:
        assert CONTENT in Path(f"/proc/self/fd/{descriptor}").read_bytes()
        steps.append("flush")
        fdatasync(descriptor)

    def named(part: str, target: str) -> None:
        steps.append("name")
        rename(part, target)

    monkeypatch.setattr(os, "fdatasync", flushed)
    monkeypatch.setattr(os, "fsync", lambda _: steps.append("sync"))
    monkeypatch.setattr(os, "rename", named)
    kept = keep(files)
    monkeypatch.undo()

    assert steps == ["flush", "name"]
    assert files.path(kept.key).read_bytes() == CONTENT


@pytest.mark.parametrize("left", [None, b"", CONTENT[:4096], bytes(len(CONTENT))], ids=["no file", "empty", "half", "zeros"])
def test_what_a_power_cut_took_comes_back(files: Files, left: bytes | None) -> None:
    """A file that was never synced has whatever the disk made of it; the journal has all of it."""
    kept, other = keep(files), keep(files, b"other")
    path = files.path(kept.key)
    path.unlink()
    if left is not None:
        path.write_bytes(left)

    again = crashed(files)
    assert again.begin_journal() == (kept.key,)
    assert (again.describe(kept.key), again.describe(other.key)) == (kept, other)
    again.end_journal()


def test_a_record_that_is_not_whole_was_never_promised(files: Files) -> None:
    first, second = keep(files), keep(files, b"second")
    assert files._journal is not None
    segment = files._journal._segment.path
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b"second", b"sec\0\0\0"))
    for one in (first, second):
        files.remove(one.key)

    again = crashed(files)
    assert again.begin_journal() == (first.key,)
    assert list(again.received_keys()) == [first.key]
    again.end_journal()


def test_an_orderly_end_leaves_nothing_to_restore(files: Files) -> None:
    """What somebody removes later must not come back."""
    kept = keep(files)
    files.end_journal()
    files.remove(kept.key)

    again = Files(files.root)
    assert again.begin_journal() == ()
    again.end_journal()
    assert len(list((files.root / "journal").iterdir())) == 2


def test_a_full_segment_is_used_again_once_all_is_synced(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much comes, the journal keeps its size; and nothing of an earlier round is restored."""
    monkeypatch.setattr(journal, "_SEGMENT", 10 * 16384)
    synced: list[int] = []
    monkeypatch.setattr(files_module, "sync_all", lambda _: synced.append(len(list(files.received_keys()))))
    kept = []
    for number in range(50):
        kept.append(keep(files, CONTENT + bytes([number])))
        time.sleep(0.002)

    assert len(synced) >= 3
    assert synced[0] >= 10
    sizes = [path.stat().st_size for path in (files.root / "journal").iterdir()]
    assert max(sizes) <= 10 * 16384
    for one in kept:
        files.remove(one.key)
    again = crashed(files)
    restored = again.begin_journal()
    assert set(restored) <= {one.key for one in kept[-20:]}
    assert kept[-1].key in restored
    again.end_journal()


def test_those_who_wait_share_a_flush(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes: list[int] = []

    def slow(_descriptor: int) -> None:
        flushes.append(1)
        time.sleep(0.02)

    monkeypatch.setattr(os, "fdatasync", slow)
    threads = [threading.Thread(target=keep, args=(files, b"%d" % number)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(list(files.received_keys())) == 24
    assert len(flushes) <= 12


def test_a_flush_that_fails_promises_nothing_and_is_not_asked_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed flush the next one may succeed although the bytes are gone (fsync(2)): each file is synced by itself."""

    def fails(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(OSError, match="Input/output"):
        keep(files)
    assert list(files.received_keys()) == []
    assert list((files.root / "incoming").iterdir()) == []

    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", synced.append)
    kept = keep(files)
    assert list(files.received_keys()) == [kept.key]
    assert len(synced) == 2


def test_what_reads_right_after_a_write_that_failed_is_written_anew(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory shows the content, the disk never got it, and a sync says so once: the record is the only good copy."""
    kept = keep(files)
    before = files.path(kept.key).stat().st_ino
    monkeypatch.setattr(files_module, "sync_all", no_sync)
    journal_of(files)._empty(journal_of(files)._segment)
    files.end_journal()
    assert CONTENT in b"".join(path.read_bytes() for path in (files.root / "journal").iterdir())

    again = Files(files.root)
    written: list[bool] = []
    monkeypatch.setattr(files_module, "sync_all", lambda _: written.append(again.path(kept.key).stat().st_ino != before))
    assert again.begin_journal() == (), "it was not gone"
    assert written == [True]
    assert again.describe(kept.key) == kept
    assert list((again.root / "incoming").iterdir()) == []
    again.end_journal()


def test_what_a_sync_is_asked_of_was_open_before_anything_was_written(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a descriptor that is new, a failed write is not told that somebody else has heard of (syncfs(2))."""
    opened: list[object] = []
    asked: list[object] = []
    real = os.open

    def noted(path: str | Path, *given: int) -> int:
        descriptor = real(path, *given)
        if Path(path) == files.root:
            opened.append(descriptor)
        return descriptor

    files.end_journal()
    monkeypatch.setattr(os, "open", noted)
    monkeypatch.setattr(files_module, "sync_all", asked.append)
    files.begin_journal()
    for _ in range(2):
        keep(files)
        journal_of(files)._empty(journal_of(files)._segment)
    assert opened * 3 == asked
    del journal_of(files)._free[1:]


def test_a_store_that_is_late_does_without_a_journal_that_ended(files: Files, tmp_path: Path) -> None:
    """The numbers of its files are those of others by then."""
    late = files.receive()
    late.write(CONTENT)
    files.end_journal()
    with ExitStack() as stack:
        stack.callback(late.close)
        others = [stack.enter_context((tmp_path / f"{number}").open("w+b")) for number in range(4)]
        kept = late.commit()
        assert files.path(kept.key).read_bytes() == CONTENT
        assert [other.read() for other in others] == [b""] * 4


def test_a_large_file_and_a_disk_with_little_room_do_without(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    keep(files, bytes(journal.LONGEST + 1))
    assert len(synced) == 2

    monkeypatch.setattr(files_module, "_MUCH_ROOM", 1 << 60)
    keep(files)
    assert len(synced) == 4


def test_the_journal_of_a_living_process_is_left_alone(files: Files) -> None:
    kept = keep(files)
    files.remove(kept.key)
    other = Files(files.root)
    assert other.begin_journal() == ()
    other.end_journal()
    assert crashed(files).begin_journal() == (kept.key,)


def test_a_journal_that_nobody_empties_is_seen_after_hours_without_its_lock(files: Files) -> None:
    """What it names must not be removed meanwhile: the next start would bring it back."""
    assert not files.journal_is_left(time.time() + 86400), "empty"
    keep(files)
    assert not files.journal_is_left(time.time() + 3600), "young: its process may live"
    found = crashed(files)
    assert found.journal_is_left(time.time() + 86400)
    found.begin_journal()
    assert not found.journal_is_left(time.time() + 86400)
    found.end_journal()


def test_a_disk_that_does_not_take_what_is_restored_is_said_so(files: Files) -> None:
    kept = keep(files)
    files.remove(kept.key)
    again = crashed(files)

    def full(_descriptor: int, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with ExitStack() as undo:
        patch = undo.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(os, "write", full)
        with pytest.raises(TryAgain, match="No space left"):
            again.begin_journal()
    assert again.begin_journal() == (kept.key,), "asked once more, with room"
    again.end_journal()


def test_no_record_grows_old(files: Files) -> None:
    """What was removed on purpose long after it came does not come back with a crash."""
    segments = journal.take_over(files.root / "other")
    kept = journal.Journal(segments, lambda: None, lambda: True, longest_s=0.2)
    with kept.keeping("0" * 32, "1" * 64, lambda: CONTENT, len(CONTENT)) as flushed:
        assert flushed()
    first = segments[0]
    assert len(list(first.records())) == 1
    until = time.monotonic() + 10
    while list(first.records()) and time.monotonic() < until:
        time.sleep(0.02)
    assert list(first.records()) == []
    kept.close()
