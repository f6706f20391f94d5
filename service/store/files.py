"""Content on disk: a file is either complete and durable under its key, or it does not exist.

A key is made here and never holds anything that came over the network. `received/` holds instances, `made/` our own
objects, `incoming/` files that are still being written. The order write, fsync, rename, fsync of the directory is what
makes `commit` a promise (rename(2), fsync(2)).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from service.metrics import FSYNC_SECONDS
from service.store.records import Kept

RECEIVED = "received"
MADE = "made"
_INCOMING = "incoming"
_SUFFIX = ".dcm"
_KEY = re.compile(rf"(?:{RECEIVED}|{MADE})/[0-9a-f]{{2}}/[0-9a-f]{{32}}\{_SUFFIX}")
_FILE_MODE = 0o640
_FOLDER_MODE = 0o750


class Incoming:
    """A file on its way in; leaving the context without `commit` leaves nothing behind.

    It holds a lock on its part file for as long as it lives, which is how `Files.sweep` tells it from a leftover.
    """

    def __init__(self, part: Path, target: Path, key: str) -> None:
        self.part = part
        self._target = target
        self._key = key
        self._digest = hashlib.sha256()
        self._size = 0
        self._renamed = False
        # Unbuffered: pieces are large, and what was written can be read back at once.
        self._descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

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
        self._size += len(content)
        written = os.write(self._descriptor, content)
        while written < len(content):
            written += os.write(self._descriptor, memoryview(content)[written:])

    def read(self, length: int, offset: int) -> bytes:
        """At most `length` bytes of what was written, from `offset`."""
        return os.pread(self._descriptor, length, offset)

    @FSYNC_SECONDS.time()
    def commit(self) -> Kept:
        """Make the file durable under its key; when this returns, a power failure does not lose it."""
        os.fsync(self._descriptor)
        self.part.rename(self._target)
        self._renamed = True
        _fsync_folder(self._target.parent)
        return Kept(self._key, self._digest.hexdigest(), self._size)

    def set_aside(self, target: Path) -> Kept:
        """Give it another name than its key, without the promise that `commit` makes.

        Raises:
            OSError: when it was committed already, or cannot be renamed.
        """
        self.part.rename(target)
        self._renamed = True
        return Kept(target.name, self._digest.hexdigest(), self._size)

    @property
    def so_far(self) -> Kept:
        """What was written until now."""
        return Kept(self._key, self._digest.hexdigest(), self._size)


class Files:
    """The content below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        (self.root / _INCOMING).mkdir(mode=_FOLDER_MODE, exist_ok=True)
        for kind in (RECEIVED, MADE):
            _make_shards(self.root / kind)
        _fsync_folder(self.root)

    def receive(self) -> Incoming:
        """A new file for an instance that is arriving."""
        return self._incoming(RECEIVED)

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

    def _incoming(self, kind: str) -> Incoming:
        name = uuid.uuid4().hex
        key = f"{kind}/{name[:2]}/{name}{_SUFFIX}"
        return Incoming(self.root / _INCOMING / f"{name}.part", self.root / key, key)


def _make_shards(folder: Path) -> None:
    """All shards exist from the start, so that a commit never has to make a parent folder durable."""
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    for shard in range(256):
        (folder / f"{shard:02x}").mkdir(mode=_FOLDER_MODE, exist_ok=True)
    _fsync_folder(folder)


def _remove_if_abandoned(part: Path) -> bool:
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock of a writer dies with its process
            part.unlink(missing_ok=True)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
