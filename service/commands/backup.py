"""`backup DIR` and `restore DIR`: the store as a whole, at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from sqlalchemy.engine import URL, make_url

from service.configured import engine_url, index_url
from service.errors import TryAgain, Unusable
from service.settings import Settings
from service.store.backup import Manifest, Told, back_up, restore

MEGABYTE = 1_000_000


def back_up_store(console: Console, settings: Settings, folder: Path, *, files_only: bool) -> None:
    """Copy databases and files of these settings into `folder`; the service may be running.

    Raises:
        Unusable: A database is not SQLite, and `files_only` was not asked for.
        TryAgain: The folder or a disk does not take it.
    """
    root = settings.storage.folder.absolute()
    if not root.is_dir():
        raise TryAgain("backup.store", f"There is no store at {root}.")
    databases = {} if files_only else _databases(settings)
    with _disk("backup"), _progress("backup") as told:
        manifest = back_up(root, databases, folder.absolute(), datetime.now(UTC), told)
    console.print(f"{_said(manifest)} are in {folder}", highlight=False, markup=False, soft_wrap=True)


def restore_store(console: Console, settings: Settings, folder: Path) -> None:
    """Make the store of these settings from the backup in `folder`; the service must not be running.

    Raises:
        Unusable: The backup is not complete, or damaged.
        TryAgain: The store's folder is not empty, or a disk does not take it.
    """
    root = settings.storage.folder.absolute()
    for name, url in _urls(settings).items():
        if url.get_backend_name() == "sqlite" and Path(url.database or "").absolute() != root / name:
            raise TryAgain("restore.place", f"The configuration has {name} outside {root}: take its URL out, then restore.")
    with _disk("restore"), _progress("restore") as told:
        manifest = restore(folder.absolute(), root, told)
    said = f"{_said(manifest)} of {manifest.at} are in {root}. Start the service, and send again what came after that time."
    console.print(said, highlight=False, markup=False, soft_wrap=True)


def _databases(settings: Settings) -> dict[str, Path]:
    """The engine's first: what it does not know yet, the index asks for again; the other way round a job could be forgotten."""
    urls = _urls(settings)
    if any(url.get_backend_name() != "sqlite" for url in urls.values()):
        raise Unusable(
            "backup.postgresql", "A database is in PostgreSQL: dump it with pg_dump, and after that back up with --files-only."
        )
    return {name: Path(url.database or "") for name, url in urls.items()}


def _urls(settings: Settings) -> dict[str, URL]:
    return {"engine.sqlite": make_url(engine_url(settings)), "index.sqlite": make_url(index_url(settings))}


def _said(manifest: Manifest) -> str:
    size = sum(entry.size for entry in manifest.files.values()) / MEGABYTE
    return f"{len(manifest.files)} files, {size:.1f} MB"


@contextmanager
def _progress(word: str) -> Iterator[Told]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(word, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


@contextmanager
def _disk(word: str) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise TryAgain(f"{word}.disk", f"The disk does not take it: {fault.strerror or type(fault).__name__}.") from fault
