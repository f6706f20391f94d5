"""A second copy of what has just arrived, in a few files that keep their size: durable with one flush, for all who wait.

A file is durable under its name after three waits for the disk: for its content, for the rename, for the folder. Its content
in a journal whose blocks exist is durable after one. So an instance is written to both; the journal is flushed, the rest may
take its time. When a segment is full, everything is synced at leisure, and the segment is used again. After a crash the
journal says what the files must hold. The order is the promise: flushed, then renamed. Whatever has a name is synced or here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import structlog

from service.store.disk import start_writing

LONGEST = 8 << 20  # bytes of a content: for a larger one the waits cost nothing beside the writing
_SEGMENT = 128 << 20  # an exam fits in: what syncs it would hold up every flush, and comes when nobody waits
_STEP = 4 << 20  # a segment grows to its size in these steps, and then stays
_BLOCK = 4096  # no record shares a block with another: to write one can harm none that is kept
_SEGMENTS = 2  # one is written while the other is made superfluous
_LONGEST_S = 3600.0  # how long a record is kept at most; files are removed on purpose after a day at the earliest
_LAST_S = 10.0  # how long the end waits for what is under way
_SUFFIX = ".journal"
_MAGIC = b"CRYOJRN1"
_HEAD = struct.Struct("<8s8s16s32sQ")  # magic, the run it belongs to, name, SHA-256 and length of the content
_SUM = struct.Struct("<L")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """What a file must hold: its name (32 hexadecimal digits), the SHA-256 (hex) of its content, and the content."""

    name: str
    sha256: str
    content: bytes


class Segment:
    """One file of the journal; it holds a lock as long as it is open, which tells it from one that a crash left behind.

    Raises:
        BlockingIOError: when somebody else has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0  # records since it was begun, and how many of them are durable
        self.durable = 0
        self.flushing = threading.Lock()  # whoever has it flushes for all who wait for it
        self.nameless = 0  # records whose file has not got its name yet
        self._began = 0.0
        self._end = 0
        self._run = os.urandom(8)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise
        self._size = os.fstat(self._descriptor).st_size

    def append(self, name: str, sha256: str, content: bytes, may_grow: Callable[[], bool]) -> bool:
        """Write a record, not yet durable; False when there is no room for it."""
        head = _HEAD.pack(_MAGIC, self._run, bytes.fromhex(name), bytes.fromhex(sha256), len(content))
        length = _HEAD.size + _SUM.size + len(content)
        end = self._end + length + -length % _BLOCK
        if end > _SEGMENT or (end > self._size and not self._grow(end, may_grow)):
            return False
        if os.pwritev(self._descriptor, [head, _SUM.pack(zlib.crc32(head)), content], self._end) != length:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        start_writing(self._descriptor, self._end, length)
        self._began = self._began if self.written else monotonic()
        self._end, self.written = end, self.written + 1
        return True

    @property
    def age(self) -> float:
        """How old its oldest record is, s."""
        return monotonic() - self._began if self.written else 0.0

    def flush(self) -> None:
        """Make what was written durable."""
        os.fdatasync(self._descriptor)

    def records(self) -> Iterator[Record]:
        """What the last run wrote, up to the first record that is not whole."""
        place, run = 0, None
        while (found := self._record(place)) is not None and run in (None, found[0]):
            run, record, place = found
            yield record

    def clear(self) -> None:
        """Forget all records, durably."""
        with self.flushing:
            if self._size:
                os.pwrite(self._descriptor, bytes(_BLOCK), 0)
                self.flush()
        self.written = self.durable = self._end = 0
        self._run = os.urandom(8)

    def close(self) -> None:
        """Let go of the file, once nobody flushes or clears it."""
        with self.flushing:
            os.close(self._descriptor)
            self._descriptor = -1  # the number is somebody else's from now on

    def _grow(self, end: int, may_grow: Callable[[], bool]) -> bool:
        """Blocks that exist and have been written: only these are durable with one flush. On a full disk it stays as it is."""
        if not may_grow():
            return False
        size = min(_SEGMENT, end + -end % _STEP)
        with suppress(OSError):
            while self._size < size:
                self._size += os.pwrite(self._descriptor, bytes(min(_STEP, size - self._size)), self._size)
        return self._size >= end

    def _record(self, place: int) -> tuple[bytes, Record, int] | None:
        """The run of the record at a place, the record, and where the next one would begin."""
        head = os.pread(self._descriptor, _HEAD.size + _SUM.size, place)
        if len(head) < _HEAD.size + _SUM.size or _SUM.unpack_from(head, _HEAD.size)[0] != zlib.crc32(head[: _HEAD.size]):
            return None
        magic, run, name, digest, length = _HEAD.unpack_from(head)
        if magic != _MAGIC or length > LONGEST:
            return None
        content = os.pread(self._descriptor, length, place + len(head))
        end = place + len(head) + length
        return run, Record(name.hex(), digest.hex(), content), end + -end % _BLOCK


class Journal:
    """Keeps what arrives until it is synced; for many threads. When it cannot, whoever asks has to sync for himself.

    `sync` makes every file durable that has its name; `may_grow` says whether the disk has room for larger segments.
    """

    def __init__(
        self, segments: list[Segment], sync: Callable[[], None], may_grow: Callable[[], bool], longest_s: float = _LONGEST_S
    ) -> None:
        self._segment, *self._free = segments
        self._all = tuple(segments)
        self._sync = sync
        self._may_grow = may_grow
        self._changed = threading.Condition()
        self._broken = False
        self._over = threading.Event()
        threading.Thread(target=self._age, args=(longest_s,), name="journal-age", daemon=True).start()

    @contextmanager
    def keeping(self, name: str, sha256: str, content: Callable[[], bytes], size: int) -> Iterator[Callable[[], bool]]:
        """Inside, the content is in the journal; it is durable once what this gives was called and gave True.

        When that gives False, the journal has not taken it. Its file must have got its name when the context ends.

        Raises:
            OSError: when the disk failed.
        """
        taken = self._append(name, sha256, content()) if size <= LONGEST else None
        if taken is None:
            yield lambda: False
            return
        segment, number = taken

        def flushed() -> bool:
            self._flush(segment, number)
            return True

        try:
            yield flushed
        finally:
            with self._changed:
                segment.nameless -= 1
                if not segment.nameless:
                    self._changed.notify_all()

    def close(self) -> bool:
        """Take nothing more, sync all files and forget the records; these stay after a fault, or while somebody is at it.

        Gives whether it has let go of its segments, and syncs no more.
        """
        self._over.set()
        with self._changed:
            if not self._changed.wait_for(lambda: self._broken or self._idle, _LAST_S):
                return False
        if not self._broken:
            self._make_superfluous(self._segment)
        for segment in self._all:
            segment.close()
        return True

    @property
    def _idle(self) -> bool:
        return not self._segment.nameless and len(self._free) == len(self._all) - 1

    def _append(self, name: str, sha256: str, content: bytes) -> tuple[Segment, int] | None:
        with self._changed:
            if self._broken or self._over.is_set():
                return None
            if not any(self._segment.append(name, sha256, content, self._may_grow) for _ in self._rooms()):
                return None
            self._segment.nameless += 1
            return self._segment, self._segment.written

    def _rooms(self) -> Iterator[None]:
        """Where a record may find room: in the segment that is being written, then in the next one."""
        yield
        if self._turn():
            yield

    def _turn(self) -> bool:
        """Go on in the next segment, and empty this one; False while that is still going on with the one before."""
        if not self._free or not self._segment.written:
            return False
        threading.Thread(target=self._empty, args=(self._segment,), name="journal", daemon=True).start()
        self._segment = self._free.pop()
        return True

    def _age(self, longest_s: float) -> None:
        """Let no record grow old: a crash would bring back a file that was removed on purpose since."""
        while not self._over.wait(longest_s / 10):
            with self._changed:
                if self._segment.age > longest_s and not (self._broken or self._over.is_set()):
                    self._turn()

    def _empty(self, segment: Segment) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not segment.nameless)
        if self._make_superfluous(segment):
            with self._changed:
                self._free.append(segment)
                self._changed.notify_all()

    def _make_superfluous(self, segment: Segment) -> bool:
        try:
            self._sync()
            segment.clear()
        except OSError as fault:
            self._break(fault)
            return False
        return True

    def _flush(self, segment: Segment, number: int) -> None:
        """Until record `number` of the segment is durable: one of those who wait flushes for all."""
        with segment.flushing:
            if segment.durable >= number:
                return
            if self._broken:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            upto = segment.written
            try:
                segment.flush()
            except OSError as fault:
                self._break(fault)
                raise
            segment.durable = upto

    def _break(self, fault: OSError) -> None:
        """After a flush that failed nobody knows what is on the disk (fsync(2)): nothing more is entrusted to the journal."""
        log.error("journal_failed", reason=fault.strerror or type(fault).__name__)
        with self._changed:
            self._broken = True
            self._changed.notify_all()


def is_left(folder: Path, now: float) -> bool:
    """Whether the journal below `folder` names files longer than a living process lets it (`now`: seconds since 1970).

    The next start brings those files back. No lock is tried for: whoever starts must find every segment free.
    """
    for path in folder.glob(f"*{_SUFFIX}"):
        with suppress(FileNotFoundError), path.open("rb") as file:
            if file.read(len(_MAGIC)) == _MAGIC and now - os.fstat(file.fileno()).st_mtime > 2 * _LONGEST_S:
                return True
    return False


def take_over(folder: Path) -> list[Segment]:
    """The segments below `folder` that nobody has open, and new ones where these are too few."""
    folder.mkdir(mode=0o750, exist_ok=True)
    segments = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        with suppress(BlockingIOError):
            segments.append(Segment(path))
    while len(segments) < _SEGMENTS:
        segments.append(Segment(folder / f"{uuid.uuid4().hex}{_SUFFIX}"))
    return segments
