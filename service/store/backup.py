"""A copy of everything that rests here, taken while the service works, from which nothing acknowledged before it is missing.

The databases are copied first (the job engine's, then the index), the files after them: what the index names is then in the
copy, and a file that came meanwhile has no row yet and gets it at the next start (`reconcile`). The manifest is replaced last:
a copy that was cut off is the one before it. Content never changes under its key, so a repeat copies only what is new.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from service.errors import TryAgain, Unusable
from service.store.disk import sync
from service.store.quarantine import FOLDER as QUARANTINE

MANIFEST = "manifest.json"
FORMAT = 1
CONTENT = ("received", "made", QUARANTINE)
_PIECE = 1 << 20

Told = Callable[[int, int], None]


def _silent(_done: int, _of: int) -> None:
    """Nobody is told how far it is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the copy: its size in bytes and its SHA-256 (hex)."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy holds: when the databases were copied, and every file by its path in the copy."""

    at: str
    databases: str
    files: Mapping[str, Entry] = field(default_factory=dict)

    def text(self) -> str:
        """As it stands on disk."""
        files = {path: [entry.size, entry.sha256] for path, entry in sorted(self.files.items())}
        return json.dumps({"format": FORMAT, "at": self.at, "databases": self.databases, "files": files}, indent=0)


def read_manifest(copy: Path) -> Manifest:
    """The manifest of a copy.

    Raises:
        Unusable: There is none: the folder is no copy, or its first one was cut off.
    """
    try:
        read = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
        files = {path: Entry(*entry) for path, entry in read["files"].items()}
        return Manifest(read["at"], read["databases"], files)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise Unusable("backup.none", f"{copy} holds no complete backup: {MANIFEST} is missing or cannot be read.") from fault


def back_up(root: Path, databases: Mapping[str, Path], copy: Path, at: datetime, told: Told = _silent) -> Manifest:
    """Bring the copy up to date; gives what it holds. `databases` are SQLite files in the order in which they are copied.

    Raises:
        TryAgain: Another backup writes to the same folder, or the disk does not take it.
    """
    copy.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _only_one(copy):
        known = _known(copy)
        stamp = f"databases-{at:%Y%m%dT%H%M%S%f}"
        files = dict(_copy_databases(databases, copy, stamp))
        paths = [path for kind in CONTENT for path in sorted((root / kind).rglob("*")) if path.is_file()]
        for done, path in enumerate(paths):
            told(done, len(paths))
            name = path.relative_to(root).as_posix()
            entry = _copied(path, copy / name, known.get(name))
            if entry is not None:
                files[name] = entry
        manifest = Manifest(at.isoformat(), stamp, files)
        _write(copy / MANIFEST, manifest.text().encode())
        _tidy(copy, manifest)
        return manifest


def restore(copy: Path, root: Path, told: Told = _silent) -> Manifest:
    """Put a copy in the place of a store that is not there; every file is compared with its hash before anything is used.

    Raises:
        Unusable: There is no complete backup, or a file of it is missing or damaged.
        TryAgain: The store's folder holds something already.
    """
    manifest = read_manifest(copy)
    if root.exists() and any(root.iterdir()):
        raise TryAgain("restore.not_empty", f"{root} is not empty: move it away first, nothing is overwritten.")
    beside = root.with_name(f"{root.name}.restoring")
    shutil.rmtree(beside, ignore_errors=True)
    for done, (name, entry) in enumerate(manifest.files.items()):
        told(done, len(manifest.files))
        _bring_back(copy, name, entry, beside / name.removeprefix(f"{manifest.databases}/"))
    beside.mkdir(mode=0o750, parents=True, exist_ok=True)
    beside.rename(root)  # in one step: a store that is half there never starts
    sync(root.parent)
    return manifest


def _known(copy: Path) -> Mapping[str, Entry]:
    try:
        return read_manifest(copy).files
    except Unusable:
        return {}


def _copy_databases(databases: Mapping[str, Path], copy: Path, stamp: str) -> Iterator[tuple[str, Entry]]:
    (copy / stamp).mkdir(mode=0o750)
    for name, path in databases.items():
        target = copy / stamp / name
        if path.exists():
            _copy_database(path, target)
            with target.open("rb") as file:
                os.fsync(file.fileno())
                yield f"{stamp}/{name}", Entry(target.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
    sync(copy / stamp)


def _copy_database(path: Path, target: Path) -> None:
    """One state of the database, whoever writes to it meanwhile: SQLite's online backup."""
    try:
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
        with closing(source), closing(sqlite3.connect(target)) as into:
            source.backup(into)
    except sqlite3.Error as fault:
        raise TryAgain("backup.database", f"{path.name} cannot be copied ({type(fault).__name__}).") from fault


def _copied(path: Path, target: Path, known: Entry | None) -> Entry | None:
    """The file in the copy, as it is there already or as it is now; None when it went away meanwhile."""
    try:
        if known is not None and target.is_file() and target.stat().st_size == known.size == path.stat().st_size:
            return known
        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        return _copy(path, target)
    except FileNotFoundError:
        return None


def _copy(path: Path, target: Path) -> Entry:
    """Copy durably under a passing name, then rename: a file of the copy is whole or not there."""
    digest, part = hashlib.sha256(), target.with_name(f"{target.name}.part")
    with path.open("rb") as source, part.open("wb") as into:
        while piece := source.read(_PIECE):
            digest.update(piece)
            into.write(piece)
        into.flush()
        os.fsync(into.fileno())
        size = into.tell()
    part.rename(target)
    sync(target.parent)
    return Entry(size, digest.hexdigest())


def _bring_back(copy: Path, name: str, entry: Entry, target: Path) -> None:
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    try:
        came = _copy(copy / name, target)
    except FileNotFoundError as fault:
        raise Unusable("backup.damaged", f"{name} is missing in the backup.") from fault
    if came != entry:
        raise Unusable("backup.damaged", f"{name} is not what was backed up: its content has changed.")


def _tidy(copy: Path, manifest: Manifest) -> None:
    """Remove what the store no longer has: restored, it would count as received anew."""
    for path in [path for path in copy.rglob("*") if path.is_file()]:
        name = path.relative_to(copy).as_posix()
        if name not in manifest.files and name.split("/")[0].startswith((*CONTENT, "databases-")):
            path.unlink(missing_ok=True)
    for folder in copy.glob("databases-*"):
        if folder.name != manifest.databases and not any(folder.iterdir()):
            folder.rmdir()


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync(path.parent)


@contextmanager
def _only_one(copy: Path) -> Iterator[None]:
    with (copy / "backup.lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            raise TryAgain("backup.busy", f"Another backup writes to {copy}.") from fault
        yield
