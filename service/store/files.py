"""Content on disk: a file is either complete and durable under its key, or it does not exist.

A key is made here and never holds anything that came over the network. `received/` holds instances, `made/` our own
objects, `incoming/` files that are still being written. The order write, fsync, rename, fsync of the directory is what
makes `commit` a promise (rename(2), fsync(2)); where a `journal` is kept, one flush of it stands for all of that.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from service.errors import TryAgain
from service.metrics import FSYNC_SECONDS
from service.store.disk import sync, sync_all
from service.store.journal import Journal, Record, Segment, is_left, take_over
from service.store.records import Kept

RECEIVED = "received"
MADE = "made"
_INCOMING = "incoming"
_JOURNAL = "journal"
_MUCH_ROOM = 1 << 30  # bytes free: with less, the journal takes none of it
_SUFFIX = ".dcm"
_KEY = re.compile(rf"(?:{RECEIVED}|{MADE})/[0-9a-f]{{2}}/[0-9a-f]{{32}}\{_SUFFIX}")
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750


class Incoming:
    """A file on its way in; leaving the context without `commit` leaves nothing behind.

    It holds a lock on its part file for as long as it lives, which is how `Files.sweep` tells it from a leftover.
    """

    def __init__(self, root: str, key: str, journal: Journal | None = None) -> None:
        self._name = key[-len(_SUFFIX) - 32 : -len(_SUFFIX)]
        # Strings: to build paths would cost more than what is done with them.
        self._part = f"{root}/{_INCOMING}/{self._name}.part"
        self._target = f"{root}/{key}"
        self._key = key
        self._journal = journal
        self._digest = hashlib.sha256()
        self.size = 0  # bytes so far
        self._renamed = False
        # Unbuffered: to hold an instance in memory until its end costs more in pages than it saves in calls (measured).
        self._descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def part(self) -> Path:
        """Where it is until it has its name."""
        return Path(self._part)

    def close(self) -> None:
        """Let go of it; without a `commit` before, nothing remains. A second call is harmless."""
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.close(descriptor)  # a full disk can fail even this
        finally:
            if not self._renamed:
                self.part.unlink(missing_ok=True)

    def write(self, content: bytes | bytearray | memoryview) -> None:
        """Append `content`."""
        self._digest.update(content)
        self.size += len(content)
        written = os.write(self._descriptor, content)
        while written < len(content):
            written += os.write(self._descriptor, memoryview(content)[written:])

    def read(self, length: int, offset: int) -> bytes:
        """At most `length` bytes of what was written, from `offset`."""
        return os.pread(self._descriptor, length, offset)

    def commit(self) -> Kept:
        """Make the file durable under its key; when this returns, a power failure does not lose it."""
        began = perf_counter()
        kept = self.so_far
        with self._journalled(kept) as flushed:
            durable = flushed()
            if not durable:
                os.fsync(self._descriptor)
            os.rename(self._part, self._target)  # noqa: PTH104 - see above
            self._renamed = True
        if not durable:
            sync(Path(self._target).parent)
        FSYNC_SECONDS.observe(perf_counter() - began)
        return kept

    def _journalled(self, kept: Kept) -> AbstractContextManager[Callable[[], bool]]:
        if self._journal is None:
            return nullcontext(lambda: False)
        return self._journal.keeping(self._name, kept.sha256, lambda: self.read(kept.size, 0), kept.size)

    def set_aside(self, target: Path) -> Kept:
        """Give it this name, without the promise that `commit` makes.

        Raises:
            OSError: when it was committed already, or cannot be renamed.
        """
        self.part.rename(target)
        self._renamed = True
        return Kept(target.name, self._digest.hexdigest(), self.size)

    @property
    def so_far(self) -> Kept:
        """What was written until now."""
        return Kept(self._key, self._digest.hexdigest(), self.size)


class Files:
    """The content below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._place = str(self.root)
        self.root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        (self.root / _INCOMING).mkdir(mode=_FOLDER_MODE, exist_ok=True)
        for kind in (RECEIVED, MADE):
            _make_shards(self.root / kind)
        sync(self.root)
        self._journal: Journal | None = None
        self._folder = -1  # the root, open for as long as there is a journal: see `sync_all`

    def begin_journal(self) -> tuple[str, ...]:
        """Keep a journal of what arrives from now on; gives the keys of files that only the journal of a crash still held.

        The part files of the crash must have been swept.

        Raises:
            TryAgain: when the disk does not take them; the journal stays as it is.
        """
        self._folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        segments = take_over(self.root / _JOURNAL)
        try:
            restored = tuple(record.name for segment in segments for record in segment.records() if self._restore(record))
            self._sync()
            for segment in segments:
                segment.clear()
            sync(self.root / _JOURNAL)
        except OSError as fault:
            self._let_go(segments)
            why = fault.strerror or type(fault).__name__
            raise TryAgain("store.journal", f"What arrived before a crash cannot be put into its files: {why}") from fault
        self._journal = Journal(segments, self._sync, lambda: self.free_bytes() > _MUCH_ROOM)
        return tuple(_key(RECEIVED, name) for name in restored)

    def journal_is_left(self, now: float) -> bool:
        """Whether a listener that died has not been started again for hours: what is removed now it would bring back."""
        return is_left(self.root / _JOURNAL, now)

    def end_journal(self) -> None:
        """Make durable what only the journal keeps durable, and keep none any more."""
        journal, self._journal = self._journal, None
        if journal is not None and journal.close():
            self._let_go([])

    def receive(self) -> Incoming:
        """A new file for an instance that is arriving."""
        return self._incoming(RECEIVED, self._journal)

    def write_object(self, content: bytes) -> Kept:
        """Keep an object of our own, as durably as a received one."""
        with self._incoming(MADE) as incoming:
            incoming.write(content)
            return incoming.commit()

    def path(self, key: str) -> Path:
        """Where the content of `key` is.

        Raises:
            ValueError: when `key` was not made here.
        """
        if not _KEY.fullmatch(key):
            raise ValueError("not a key of this store")
        return self.root / key

    def exists(self, key: str) -> bool:
        """Whether the content of `key` is there."""
        return self.path(key).is_file()

    def remove(self, key: str) -> None:
        """Delete the content of `key`, if it is there."""
        self.path(key).unlink(missing_ok=True)

    def remove_durably(self, keys: Collection[str]) -> None:
        """Delete the content of `keys`, as far as it is there; when this returns no power failure brings any of it back."""
        for key in keys:
            self.remove(key)
        for shard in sorted({self.path(key).parent for key in keys}):  # the first of them does the work for all: ext4, XFS
            sync(shard)

    def received_keys(self) -> Iterator[str]:
        """The keys of all received instances on disk."""
        return self._keys(RECEIVED)

    def made_keys(self) -> Iterator[str]:
        """The keys of all objects of our own on disk."""
        return self._keys(MADE)

    def describe(self, key: str) -> Kept:
        """Read the content of `key` again to tell its hash and size."""
        with self.path(key).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Kept(key, digest, file.tell())

    def free_bytes(self) -> int:
        """Free space on the disk that holds the content, for whoever runs this process."""
        return shutil.disk_usage(self.root).free

    def sweep(self) -> tuple[str, ...]:
        """Remove part files whose writer is dead; gives their names."""
        parts = sorted((self.root / _INCOMING).glob("*.part"))
        return tuple(part.name for part in parts if _remove_if_abandoned(part))

    def _keys(self, kind: str) -> Iterator[str]:
        for path in (self.root / kind).glob(f"*/*{_SUFFIX}"):
            yield path.relative_to(self.root).as_posix()

    def _incoming(self, kind: str, journal: Journal | None = None, name: str = "") -> Incoming:
        return Incoming(self._place, _key(kind, name or os.urandom(16).hex()), journal)

    def _restore(self, record: Record) -> bool:
        """Write a file anew with the content that it must have; whether it had not.

        Also where it seems to have it: after a write that failed memory shows what the disk never got; a sync tells that once.
        """
        target = self.path(_key(RECEIVED, record.name))
        with self._incoming(RECEIVED, name=record.name) as incoming:
            incoming.write(record.content)
            if incoming.so_far.sha256 != record.sha256:  # written, but never flushed: nothing was promised
                return False
            had = target.is_file() and self.describe(incoming.so_far.key) == incoming.so_far
            incoming.set_aside(target)  # one sync for all of them makes it durable
        return not had

    def _sync(self) -> None:
        sync_all(self._folder)

    def _let_go(self, segments: list[Segment]) -> None:
        for segment in segments:
            segment.close()
        os.close(self._folder)
        self._folder = -1


def _key(kind: str, name: str) -> str:
    return f"{kind}/{name[:2]}/{name}{_SUFFIX}"


def _make_shards(folder: Path) -> None:
    """All shards exist from the start, so that a commit never has to make a parent folder durable."""
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    for shard in range(256):
        (folder / f"{shard:02x}").mkdir(mode=_FOLDER_MODE, exist_ok=True)
    sync(folder)


def _remove_if_abandoned(part: Path) -> bool:
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock of a writer dies with its process
            part.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
