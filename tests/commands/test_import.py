from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from service.app import Parts, Service
from service.commands import importing
from service.commands.importing import DONE, INCOMPLETE, import_folder
from service.configured import index_url
from service.dicom.reception import file_head
from service.settings import Settings, Storage
from service.store.files import Files
from service.store.index import Index
from tests.dicom.wire import EXPLICIT, MR, STUDY, Sender, an_image, encode, eventually
from tests.test_app import settings_in

TOO_MUCH = 10**12


def write(folder: Path, *uids: str, study: str = STUDY) -> None:
    """One file an instance."""
    folder.mkdir(parents=True, exist_ok=True)
    for uid in uids:
        content = file_head(MR, uid, EXPLICIT) + encode(an_image(uid, study=study))
        (folder / f"{uid}.dcm").write_bytes(content)


def run(settings: Settings, folder: Path, *, list_failed: bool = False) -> tuple[int, str]:
    """Exit status and text."""
    console = Console(file=StringIO(), width=200)
    status = import_folder(console, settings, folder, list_failed=list_failed)
    return status, console.file.getvalue()  # type: ignore[attr-defined]


def numbers(text: str) -> dict[str, int]:
    """The table: how many files by the beginning of what became of them."""
    cells = [line.strip("│ ").split(" │ ") for line in text.splitlines() if line.startswith("│")]
    return {re.split("[,:]", reason)[0]: int(number) for number, reason in cells}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def index(settings: Settings) -> Iterator[Index]:
    with Index.open(index_url(settings)) as opened:
        yield opened


def test_each_file_is_counted_by_what_became_of_it(settings: Settings, index: Index, tmp_path: Path) -> None:
    source = tmp_path / "disk"
    write(source / "a", "1.2.1", "1.2.2")
    write(source / "b", "1.2.1")
    (source / "b" / "other.dcm").write_bytes(file_head(MR, "1.2.2", EXPLICIT) + encode(an_image("1.2.2", {"PatientID": "P2"})))
    (source / "broken.dcm").write_bytes(file_head(MR, "1.2.9", EXPLICIT) + b"nonsense")
    (source / "notes.txt").write_text("not DICOM")
    (source / "empty").touch()

    status, text = run(settings, source)

    beside = "stored beside another content of the same instance"
    assert numbers(text) == {"stored": 2, "there already": 1, beside: 1, "refused": 1, "passed over": 2}
    assert index.counts().instances == 2
    assert index.counts().conflicts == 1
    assert "refused, 0xC000" in text
    assert status == INCOMPLETE
    assert "broken.dcm" not in text  # a path may name a patient


def test_a_second_run_changes_nothing(settings: Settings, index: Index, tmp_path: Path) -> None:
    """An import that was cut off is simply run again."""
    write(tmp_path / "disk", "1.2.1", "1.2.2")

    assert run(settings, tmp_path / "disk")[0] == DONE
    status, text = run(settings, tmp_path / "disk")

    assert (status, numbers(text)) == (DONE, {"there already": 2})
    assert len(list(Files(settings.storage.folder).received_keys())) == index.counts().instances == 2


def test_the_directory_of_a_medium_is_passed_over(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path / "disk", "1.2.1")
    (tmp_path / "disk" / "DICOMDIR").write_bytes(file_head("1.2.840.10008.1.3.10", "1.2.7", EXPLICIT))

    assert run(settings, tmp_path / "disk")[0] == DONE


def test_a_full_store_stops_the_import_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PAUSES_S", (0.0,))
    settings = Settings(storage=Storage(folder=tmp_path / "storage", minimum_free_mb=TOO_MUCH))
    write(tmp_path / "disk", "1.2.1", "1.2.2", "1.2.3")

    status, text = run(settings, tmp_path / "disk")

    assert (status, numbers(text)) == (INCOMPLETE, {"not taken; import again when there is room": 3})
    assert "import again when there is room: The disk is nearly full." in text


def test_what_failed_is_listed_when_asked_for(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path / "disk", "1.2.1")
    (tmp_path / "disk" / "broken.dcm").write_bytes(file_head(MR, "1.2.9", EXPLICIT))

    assert f"{tmp_path}/disk/broken.dcm: refused, 0xC000: " in run(settings, tmp_path / "disk", list_failed=True)[1]


def test_a_folder_that_is_not_there_is_said_so(settings: Settings, tmp_path: Path) -> None:
    status, text = run(settings, tmp_path / "misspelt")

    assert (status, text) == (INCOMPLETE, f"{tmp_path}/misspelt is no folder with files.\n")


def test_a_study_waits_for_the_end_of_its_import(settings: Settings, index: Index, tmp_path: Path) -> None:
    """As it waits for the release of an association that carries it."""
    write(tmp_path / "disk", "1.2.1")
    run(settings, tmp_path / "disk")

    (activity,) = index.activities()
    assert activity.open_associations == 0
    assert activity.last_released_at is not None


def test_it_works_beside_a_service_that_receives_the_same_study(settings: Settings, tmp_path: Path) -> None:
    """Two processes, one store: every instance is there once, whoever was first."""
    uids = [f"1.2.{number}" for number in range(1, 26)]
    write(tmp_path / "disk", *uids)
    service = Service(settings, Parts(worker=False, web=False))
    service.start()
    try:
        address = ("127.0.0.1", int(service.listener_address.rsplit(":", 1)[1]))
        with Sender(address) as sender, subprocess.Popen(command(settings, tmp_path / "disk")) as process:
            statuses = [sender.store(an_image(uid)) for uid in reversed(uids)]
            assert process.wait(200) == DONE
        assert set(statuses) == {0}
        assert service.index.counts().instances == len(uids)
        assert service.index.counts().conflicts == 0
        assert eventually(lambda: not service.index.counts().open_associations)
    finally:
        service.stop()


def test_a_killed_import_leaves_only_whole_instances(settings: Settings, index: Index, tmp_path: Path) -> None:
    """And the next run, or the next start of the service, puts the rest right."""
    write(tmp_path / "disk", *(f"1.2.{number}" for number in range(1, 100)))
    with subprocess.Popen(command(settings, tmp_path / "disk")) as process:
        eventually(lambda: index.counts().instances >= 10, 120)
        process.kill()

    assert run(settings, tmp_path / "disk")[0] == DONE
    files = Files(settings.storage.folder)
    files.sweep()
    assert index.counts().instances == 99
    assert all(files.path(key).read_bytes()[128:132] == b"DICM" for key in files.received_keys())


def command(settings: Settings, folder: Path) -> list[str]:
    """The import as a process of its own."""
    config = settings.storage.folder.parent / "service.toml"
    config.write_text(f'[storage]\nfolder = "{settings.storage.folder}"\nminimum_free_mb = 1\n')
    return [sys.executable, "-m", "service", "import", str(folder), "--config", str(config)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_counted(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path / "disk", "1.2.1", "1.2.2")
    (tmp_path / "disk" / "1.2.1.dcm").chmod(0)

    status, text = run(settings, tmp_path / "disk")

    assert (status, numbers(text)) == (INCOMPLETE, {"stored": 1, "cannot be read from the disk": 1})


def test_two_imports_at_once_store_each_instance_once(settings: Settings, index: Index, tmp_path: Path) -> None:
    write(tmp_path / "disk", *(f"1.2.{number}" for number in range(1, 11)))
    threads = [threading.Thread(target=run, args=(settings, tmp_path / "disk")) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (index.counts().instances, index.counts().conflicts) == (10, 0)
