"""`import DIR`: files from a disk through the door that a C-STORE goes through, while the service runs or without it."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from service.configured import index_url
from service.dicom.header_scan import read_file_meta
from service.dicom.part10 import DIRECTORY, MOST_META, Bringer, FileDoor
from service.dicom.reception import OUT_OF_RESOURCES, Answer
from service.errors import Unusable
from service.settings import Settings
from service.startup import MEGABYTE, file_door, utc_now, writable
from service.store.files import Files
from service.store.index import Index
from service.store.records import Added

DONE, INCOMPLETE = 0, 1
AE_TITLE = "IMPORT"  # where the index has the calling AE title of a sender
PIECE = 1 << 20  # bytes
PAUSES_S = (1.0, 2.0, 4.0, 8.0)  # an index that is busy or a disk that is full for a moment must not end a long import

Stored = tuple[Answer, int]  # and the size of the file, bytes

_WORDS = {
    Added.NEW: "stored",
    Added.DUPLICATE: "there already, with the same content",
    Added.CONFLICT: "stored beside another content of the same instance: the first one is used",
}
_NO_INSTANCE = "passed over: no DICOM instance"
_NO_ACCESS = "cannot be read from the disk"
_STOPPED = "not taken; import again when there is room"


@dataclass(slots=True)
class Summary:
    """How many files ended how; `failed` are the paths of those that were refused or could not be read, with the reason."""

    files: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)

    def fail(self, path: Path, reason: str) -> None:
        """Count a file that should be there and is not."""
        self.files[reason] += 1
        self.failed.append((path, reason))


def import_folder(console: Console, settings: Settings, folder: Path, *, list_failed: bool) -> int:
    """Take in every file below `folder` (or the one file); gives the exit status: 0 when every instance is stored.

    Raises:
        TryAgain: The storage folder cannot be written, or the index does not answer.
    """
    paths = [folder] if folder.is_file() else list(files_below(folder))
    if not paths:
        console.print(f"{folder} is no folder with files.", highlight=False, markup=False, soft_wrap=True)
        return INCOMPLETE
    with _open(settings) as (door, bringer):
        summary = _take_in(paths, lambda path: _store(path, door, bringer))
    _print(console, summary, list_failed=list_failed)
    return INCOMPLETE if summary.failed or not _instances(summary) else DONE


def files_below(folder: Path) -> Iterator[Path]:
    """All regular files below a folder, in the order of their names; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (path for path in (Path(place) / name for name in sorted(names)) if path.is_file())


@contextmanager
def _open(settings: Settings) -> Iterator[tuple[FileDoor, Bringer]]:
    """The store of these settings. The import is an association to the index, so that its studies wait for its end."""
    files = Files(writable(settings.storage.folder))
    bringer = Bringer(AE_TITLE, uuid.uuid4().hex)
    with Index.open(index_url(settings)) as index:
        index.association_opened(bringer.association_id, "disk", AE_TITLE, utc_now())
        try:
            yield file_door(settings, files, index), bringer
        finally:
            index.association_closed(bringer.association_id, utc_now())


def _take_in(paths: list[Path], store: Callable[[Path], Stored]) -> Summary:
    summary = Summary()
    left = iter(paths)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("import", total=len(paths))
        for path in left:
            full = _one(path, store, summary)
            progress.update(task, advance=1)
            if full:
                _stop(summary, (path, *left), full)
    return summary


def _stop(summary: Summary, untried: Iterable[Path], full: str) -> None:
    for path in untried:
        summary.fail(path, f"{_STOPPED}: {full}")


def _one(path: Path, store: Callable[[Path], Stored], summary: Summary) -> str:
    """Take in one file; gives why the store takes nothing any more, empty as long as it does."""
    try:
        answer, size = _patiently(lambda: store(path)) if _is_instance(path) else (None, 0)
    except OSError as fault:
        summary.fail(path, f"{_NO_ACCESS}: {fault.strerror or type(fault).__name__}")
        return ""
    if answer is None:
        summary.files[_NO_INSTANCE] += 1
    elif answer.added is not None:
        summary.files[_WORDS[answer.added]] += 1
        summary.bytes += size
    elif answer.status == OUT_OF_RESOURCES:
        return answer.comment
    else:
        summary.fail(path, f"refused, 0x{answer.status:04X}: {answer.comment}")
    return ""


def _store(path: Path, door: FileDoor, bringer: Bringer) -> Stored:
    """Bring one file to the door, a piece at a time."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        with door.begin(bringer, size) as arriving:
            while piece := file.read(PIECE):
                arriving.write(piece)
            return arriving.finish(), size


def _is_instance(path: Path) -> bool:
    """Whether this wants to be a DICOM instance: it has the prefix, and is no directory of others."""
    with path.open("rb") as file:
        head = file.read(MOST_META)
    if head[128:132] != b"DICM":
        return False
    try:
        return read_file_meta(head).sop_class_uid != DIRECTORY
    except Unusable:
        return True


def _patiently(store: Callable[[], Stored]) -> Stored:
    for pause_s in PAUSES_S:
        answer, size = store()
        if answer.status != OUT_OF_RESOURCES:
            return answer, size
        time.sleep(pause_s)
    return store()


def _instances(summary: Summary) -> int:
    return sum(summary.files[word] for word in _WORDS.values())


def _print(console: Console, summary: Summary, *, list_failed: bool) -> None:
    table = Table("files", "what became of them", title=f"{summary.bytes / MEGABYTE:.1f} MB are safe in the store")
    for reason, number in sorted(summary.files.items(), key=lambda entry: -entry[1]):
        table.add_row(str(number), reason)
    console.print(table)
    if list_failed:
        for path, reason in summary.failed:
            console.print(f"{path}: {reason}", highlight=False, markup=False, soft_wrap=True)
