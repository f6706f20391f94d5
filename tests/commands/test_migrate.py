"""An embedded installation goes on with PostgreSQL where it stood."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from service.commands.migrate import migrate_store
from service.dicom.archive import Archive
from service.dicom.destination import Verify, parse_destination
from service.errors import TryAgain, Unusable
from service.jobs.delivery import Courier
from service.settings import Database, Settings, Storage
from service.startup import lock_name, only_one
from service.store.files import Files
from service.store.index import Index
from service.store.orders import Share
from service.store.records import State
from tests.jobs.conftest import STUDY, Store
from tests.jobs.sending import result, the_study
from tests.store.conftest import new_schema, postgresql

__all__ = ["postgresql"]  # the fixture of the store's tests
pytestmark = pytest.mark.peer


def settings_of(folder: Path, url: str) -> Settings:
    """Those of the installation after it has moved."""
    return Settings(storage=Storage(folder=folder), database=Database(url=url))


def installed(folder: Path) -> None:
    """An embedded installation with a study whose results wait to be sent, and one that waits for its analysis."""
    with Index.open(f"sqlite:///{folder / 'index.sqlite'}") as index:
        store = Store(index, Files(folder))
        job = result(store)
        Courier(store.means(), (parse_destination("pacs", "PACS@127.0.0.1:1"),)).plan(job)
        index.set_state(STUDY, job.content_version, State.DELIVERING, "The results wait.")
        store.receive("2.1", "1.2.9")
        store.close("1.2.9")


def test_what_was_unsent_is_sent_and_what_waited_is_taken(tmp_path: Path, postgresql: str) -> None:
    installed(tmp_path)
    settings, console = settings_of(tmp_path, new_schema(postgresql)), Console(file=StringIO(), width=200)
    migrate_store(console, settings)

    archive = Archive(tmp_path / "archive")
    archive.start()
    try:
        with Index.open(settings.database.url) as index:
            store = Store(index, Files(tmp_path))
            courier = Courier(store.means(), (parse_destination("pacs", archive.address, verify=Verify.FIND),))
            courier.visit(courier.destinations[0])
            courier.settle()
            assert the_study(store) == (State.DONE, "The results are at: pacs.")
            assert [one.study_instance_uid for one in index.work.claim(Share())] == ["1.2.9"]
    finally:
        archive.stop()
    assert [one.copies for one in archive.stored()] == [1, 1]
    assert "2 studies and 2 deliveries are in PostgreSQL" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_kill_before_the_old_index_is_set_aside_needs_only_a_repeat(tmp_path: Path, postgresql: str) -> None:
    installed(tmp_path)
    settings = settings_of(tmp_path, new_schema(postgresql))
    migrate_store(Console(file=StringIO()), settings)
    (tmp_path / "index.sqlite.moved").rename(tmp_path / "index.sqlite")  # as it was before the last step

    migrate_store(Console(file=StringIO()), settings)

    assert not (tmp_path / "index.sqlite").exists()
    with pytest.raises(Unusable, match="it was moved before"):
        migrate_store(Console(file=StringIO()), settings)


def test_a_running_service_is_not_moved(tmp_path: Path, postgresql: str) -> None:
    installed(tmp_path)
    with only_one(tmp_path / lock_name("worker-1"), "worker-1"), pytest.raises(TryAgain, match="The service is running"):
        migrate_store(Console(file=StringIO()), settings_of(tmp_path, new_schema(postgresql)))
    assert (tmp_path / "index.sqlite").exists()


def test_without_a_database_to_move_to_nothing_happens(tmp_path: Path) -> None:
    installed(tmp_path)
    with pytest.raises(Unusable, match="names no PostgreSQL"):
        migrate_store(Console(file=StringIO()), settings_of(tmp_path, ""))
