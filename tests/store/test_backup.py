"""A copy of the store from which nothing is missing, wherever the copying is cut off."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.dicom.header_scan import read_header
from service.dicom.reception import Offered, Reception
from service.errors import TryAgain, Unusable
from service.store import backup
from service.store.backup import back_up, read_manifest, restore
from service.store.files import Files
from service.store.index import Index
from service.store.quarantine import USUAL_BOUNDS, Quarantine
from tests.dicom.wire import EXPLICIT, MR, STUDY, an_image, encode

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Cut(BaseException):
    """The process ends here: nothing of ours catches it."""


class Store:
    """A store on disk, and its copies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Files(root)
        self.index = Index.open(f"sqlite:///{root}/index.sqlite")
        quarantine = Quarantine(self.files, self.index, USUAL_BOUNDS, 0)
        self._reception = Reception(self.files, self.index, read_header, lambda: datetime.now(UTC), 0, quarantine)

    def receive(self, *uids: str) -> None:
        """Instances that are acknowledged."""
        for uid in uids:
            assert self._reception.store(Offered(MR, uid, EXPLICIT), encode(an_image(uid))).status == 0

    def copy(self, folder: Path, minutes: int = 0) -> None:
        """Back up."""
        back_up(self.root, {"index.sqlite": self.root / "index.sqlite"}, folder, AT + timedelta(minutes=minutes))

    def uids(self) -> set[str]:
        """The instances whose row and file are there, after what every start of the service does."""
        found = self.index.reconcile(self.files, read_header)
        assert (found.lost, found.unreadable) == ((), ())
        stored = self.index.instances(STUDY)
        assert all(self.files.describe(one.key).sha256 == one.sha256 for one in stored)
        return {one.sop_instance_uid for one in stored}


@pytest.fixture
def opened() -> Iterator[Callable[[Path], Store]]:
    """Open stores that are closed at the end."""
    stores: list[Store] = []

    def open_one(root: Path) -> Store:
        stores.append(Store(root))
        return stores[-1]

    yield open_one
    for store in stores:
        store.index.close()


@pytest.fixture
def store(opened: Callable[[Path], Store], tmp_path: Path) -> Store:
    return opened(tmp_path / "store")


def test_what_was_backed_up_comes_back(store: Store, opened: Callable[[Path], Store], tmp_path: Path) -> None:
    store.receive("1.2.1", "1.2.2")
    kept = store.files.write_object(b"a report")
    store.copy(tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "again")

    again = opened(tmp_path / "again")
    assert again.files.path(kept.key).read_bytes() == b"a report"
    assert again.uids() == {"1.2.1", "1.2.2"}
    assert again.index.counts() == store.index.counts()


def test_a_repeat_copies_only_what_is_new(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    copy = backup._copy
    store.receive("1.2.1", "1.2.2")
    store.copy(tmp_path / "copy")
    store.receive("1.2.3")

    def counted(path: Path, target: Path) -> backup.Entry:
        copied.append(path.name)
        return copy(path, target)

    monkeypatch.setattr(backup, "_copy", counted)
    store.copy(tmp_path / "copy", 1)

    assert len(copied) == 1
    assert len([name for name in read_manifest(tmp_path / "copy").files if name.startswith("received/")]) == 3


def test_what_the_store_removed_does_not_come_back(store: Store, tmp_path: Path) -> None:
    """Restored, it would be taken for something that arrived."""
    store.receive("1.2.1")
    store.copy(tmp_path / "copy")
    (key,) = store.files.received_keys()
    store.files.remove(key)
    store.copy(tmp_path / "copy", 1)

    assert not (tmp_path / "copy" / key).exists()
    assert key not in read_manifest(tmp_path / "copy").files
    assert len(list((tmp_path / "copy").glob("databases-*"))) == 1


def test_nothing_acknowledged_before_is_missing_while_more_comes(
    store: Store, opened: Callable[[Path], Store], tmp_path: Path
) -> None:
    store.receive(*(f"1.2.{number}" for number in range(10)))
    stop = threading.Event()

    def go_on() -> None:
        for number in range(10, 10_000):
            if stop.is_set():
                return
            store.receive(f"1.2.{number}")

    sender = threading.Thread(target=go_on)
    sender.start()
    try:
        for number in range(3):
            before = {one.sop_instance_uid for one in store.index.instances(STUDY)}
            store.copy(tmp_path / "copy", number)
    finally:
        stop.set()
        sender.join()
    restore(tmp_path / "copy", tmp_path / "again")

    assert opened(tmp_path / "again").uids() >= before


def test_cut_off_at_any_moment_the_copy_before_is_whole(
    store: Store, opened: Callable[[Path], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call that makes something durable is, in turn, the last thing that the process does."""
    copy, fsync = tmp_path / "copy", os.fsync
    store.receive("1.2.1", "1.2.2")
    store.copy(copy)
    store.receive("1.2.3")
    cuts = 0
    while True:
        left = [cuts]

        def cut(descriptor: int, left: list[int] = left) -> None:
            if not left[0]:
                raise Cut
            left[0] -= 1
            fsync(descriptor)

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", cut)
            try:
                store.copy(copy, cuts + 1)
                break
            except Cut:
                pass
        restore(copy, tmp_path / f"again-{cuts}")
        assert {"1.2.1", "1.2.2"} <= opened(tmp_path / f"again-{cuts}").uids()
        cuts += 1

    assert cuts >= 6
    restore(copy, tmp_path / "last")
    assert opened(tmp_path / "last").uids() == {"1.2.1", "1.2.2", "1.2.3"}


def test_a_restore_that_is_cut_off_starts_nothing_and_can_be_repeated(
    store: Store, opened: Callable[[Path], Store], tmp_path: Path
) -> None:
    store.receive("1.2.1", "1.2.2")
    store.copy(tmp_path / "copy")

    def cut(done: int, _of: int) -> None:
        if done == 1:
            raise Cut

    with pytest.raises(Cut):
        restore(tmp_path / "copy", tmp_path / "again", cut)
    assert not (tmp_path / "again").exists()

    restore(tmp_path / "copy", tmp_path / "again")
    assert opened(tmp_path / "again").uids() == {"1.2.1", "1.2.2"}


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_backup_is_refused_as_a_whole(store: Store, tmp_path: Path, damage: str) -> None:
    store.receive("1.2.1", "1.2.2")
    store.copy(tmp_path / "copy")
    path = next((tmp_path / "copy" / "received").rglob("*.dcm"))
    content = path.read_bytes()
    path.write_bytes({"flip": content[:-1] + bytes([content[-1] ^ 1]), "cut": content[:-1], "remove": b""}[damage])
    if damage == "remove":
        path.unlink()

    with pytest.raises(Unusable, match=r"backup\.damaged"):
        restore(tmp_path / "copy", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_store_is_never_overwritten(store: Store, tmp_path: Path) -> None:
    store.receive("1.2.1")
    store.copy(tmp_path / "copy")

    with pytest.raises(TryAgain, match="not empty"):
        restore(tmp_path / "copy", store.root)


def test_a_folder_without_a_complete_backup_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="no complete backup"):
        restore(tmp_path, tmp_path / "again")


def test_two_backups_do_not_write_to_one_folder(store: Store, tmp_path: Path) -> None:
    tried: list[BaseException] = []

    def second(_done: int, _of: int) -> None:
        with pytest.raises(TryAgain) as refused:
            store.copy(tmp_path / "copy", 1)
        tried.append(refused.value)

    store.receive("1.2.1")
    back_up(store.root, {}, tmp_path / "copy", AT, second)
    assert tried
