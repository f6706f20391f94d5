from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from service.app import Parts, Service
from service.commands.backup import back_up_store, restore_store
from service.errors import TryAgain, Unusable
from service.settings import Database, Settings, Storage
from tests.dicom.wire import Sender, an_image
from tests.test_app import settings_in


def elsewhere(folder: Path) -> Settings:
    """The settings of a store that is not there yet."""
    return settings_in(folder, storage=Storage(folder=folder / "again", minimum_free_mb=1))


def test_a_running_service_is_backed_up_and_comes_back(tmp_path: Path) -> None:
    console, first = Console(file=StringIO(), width=200), Service(settings_in(tmp_path), Parts(worker=False, web=False))
    first.start()
    try:
        with Sender(("127.0.0.1", int(first.listener_address.rsplit(":", 1)[1]))) as sender:
            assert sender.store(an_image("1.2.1")) == 0
        back_up_store(console, first.settings, tmp_path / "copy", files_only=False)
    finally:
        first.stop()
    restore_store(console, elsewhere(tmp_path), tmp_path / "copy")

    again = Service(elsewhere(tmp_path), Parts(worker=False, web=False))
    again.start()
    try:
        assert again.index.counts().instances == 1
        assert again.index.counts().studies == first.index.counts().studies
    finally:
        again.stop()
    assert "send again what came after that time" in console.file.getvalue()  # type: ignore[attr-defined]


def test_postgresql_is_dumped_by_its_own_program_first(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database=Database(url="postgresql://nobody@127.0.0.1/none"))
    settings.storage.folder.mkdir()

    with pytest.raises(Unusable, match="pg_dump"):
        back_up_store(Console(file=StringIO()), settings, tmp_path / "copy", files_only=False)
    back_up_store(Console(file=StringIO()), settings, tmp_path / "copy", files_only=True)


def test_a_store_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TryAgain, match="no store"):
        back_up_store(Console(file=StringIO()), settings_in(tmp_path), tmp_path / "copy", files_only=False)


def test_an_index_that_is_kept_elsewhere_is_not_restored_in_vain(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database=Database(url=f"sqlite:///{tmp_path}/other.sqlite"))

    with pytest.raises(TryAgain, match="outside"):
        restore_store(Console(file=StringIO()), settings, tmp_path / "copy")
