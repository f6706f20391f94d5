"""`migrate`: an embedded installation goes on with PostgreSQL, with everything that it knows."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from rich.console import Console

from service.configured import index_url
from service.errors import TryAgain, Unusable
from service.settings import Settings
from service.store.database import Database
from service.store.moving import Digest, move

INDEX = "index.sqlite"
ASIDE = ".moved"


def migrate_store(console: Console, settings: Settings) -> None:
    """Move the index in the storage folder to `database.url`; the service must not be running. A repeat goes on where it stood.

    What the engine had under way is begun again from the stage that the index knows, so its own notes need not move.

    Raises:
        Unusable: `database.url` is no PostgreSQL, there is no embedded index, or the database holds something else.
        TryAgain: The service is running, or a database does not answer.
    """
    root = settings.storage.folder.absolute()
    if not index_url(settings).startswith("postgresql"):
        raise Unusable("migrate.target", "database.url names no PostgreSQL: write down the database to move to, then migrate.")
    if not (root / INDEX).is_file():
        moved = f"; it was moved before: {INDEX}{ASIDE} is there" if (root / f"{INDEX}{ASIDE}").is_file() else ""
        raise Unusable("migrate.nothing", f"There is no embedded index in {root}{moved}.")
    with _stopped(root):
        held = _moved(console, settings, root / INDEX)
        _set_aside(root / INDEX)
    studies, deliveries = held["study"].rows, held["delivery"].rows
    said = (
        f"{studies} studies and {deliveries} deliveries are in PostgreSQL; the old index is {INDEX}{ASIDE}. Start the service."
    )
    console.print(said, highlight=False, markup=False, soft_wrap=True)


def _moved(console: Console, settings: Settings, file: Path) -> Mapping[str, Digest]:
    with (
        closing(Database.open(f"sqlite:///{file}")) as source,
        closing(Database.open(index_url(settings))) as target,
    ):
        return move(source, target, lambda table, rows: console.print(f"{table}: {rows}", highlight=False))


def _set_aside(file: Path) -> None:
    """So that no start without `database.url` goes on with what is out of date."""
    if file.with_name(f"{file.name}-wal").exists():
        raise TryAgain("migrate.running", f"{file.name} is still open in another program: stop it, and migrate again.")
    file.rename(file.with_name(f"{file.name}{ASIDE}"))


@contextmanager
def _stopped(root: Path) -> Iterator[None]:
    """No worker of this folder runs, and none starts meanwhile."""
    with ExitStack() as locks:
        for lock in root.glob("worker-*.lock"):
            try:
                fcntl.flock(locks.enter_context(lock.open("w")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                raise TryAgain("migrate.running", "The service is running: stop it, then migrate.") from fault
        yield
