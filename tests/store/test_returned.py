"""What `reconcile` does about other processes and about files that come back: nothing that depends on the kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.errors import TryAgain
from service.store.files import Files
from service.store.index import Index
from service.store.records import Reconciled, State
from service.store.retention import Stock
from tests.store.builders import STUDY, at
from tests.store.test_reconcile import add, away, keep, read_header


@pytest.fixture
def url(tmp_path: Path) -> str:
    """One kind is enough."""
    return f"sqlite:///{tmp_path}/index.db"


def test_a_repetition_takes_the_place_of_a_first_copy_that_is_no_longer_whole(index: Index, files: Files) -> None:
    """Removing it as a repetition would remove the only copy."""
    damaged, gone = add(index, files, "1.1 a"), add(index, files, "1.2 a")
    again = [keep(files, text) for text in ("1.1 a", "1.2 a")]
    files.path(damaged.key).write_text("1.1 b")
    files.remove(gone.key)

    assert sorted(index.reconcile(files, read_header).duplicates) == sorted(kept.key for kept in again)
    assert [files.path(stored.key).read_text() for stored in index.instances(STUDY)] == ["1.1 a", "1.2 a"]
    assert set(files.received_keys()) == {damaged.key, gone.key}


def test_a_study_that_was_closed_without_what_comes_back_opens_again(index: Index, files: Files) -> None:
    gone = add(index, files, "1.1 a")
    add(index, files, "1.2 a")
    content = files.path(gone.key).read_bytes()
    files.remove(gone.key)
    index.reconcile(files, read_header)
    index.close_version(STUDY, at(60))
    files.path(gone.key).write_bytes(content)

    assert index.reconcile(files, read_header) == Reconciled(returned=(gone.key,))
    assert [activity.instances for activity in index.activities()] == [2]


@pytest.mark.parametrize("text", ["1.1 a", "1.1 b"])
def test_what_comes_back_gives_way_to_what_came_meanwhile(index: Index, files: Files, text: str) -> None:
    """The first that counts stays the first: the same content is a repetition, other content is kept beside it."""
    gone = add(index, files, "1.1 a")
    files.remove(gone.key)
    index.reconcile(files, read_header)
    later = add(index, files, text)
    files.path(gone.key).write_text("1.1 a")
    found = index.reconcile(files, read_header)

    same = text == "1.1 a"
    assert found == (Reconciled(duplicates=(gone.key,)) if same else Reconciled(returned=(gone.key,)))
    assert [stored.key for stored in index.instances(STUDY)] == [later.key]
    assert (index.counts().conflicts, files.exists(gone.key)) == ((0, False) if same else (1, True))


def test_what_comes_back_with_other_content_counts_no_more_than_before(index: Index, files: Files) -> None:
    gone = add(index, files, "1.1 a")
    files.remove(gone.key)
    index.reconcile(files, read_header)
    files.path(gone.key).write_text("1.1 b")

    assert index.reconcile(files, read_header) == Reconciled(unreadable=(gone.key,))
    assert index.instances(STUDY) == []
    assert files.exists(gone.key)


def test_when_most_files_are_missing_the_start_ends_with_what_to_do(index: Index, files: Files) -> None:
    """A disk that is not mounted must not mark every image as lost; a person may say, once, that it is so."""
    keys = [add(index, files, f"1.{number} a").key for number in range(12)]
    away(files)
    with pytest.raises(TryAgain, match=r"12 of 12 files .* is its disk mounted.*files-are-lost"):
        index.reconcile(files, read_header)
    assert len(index.instances(STUDY)) == 12

    word = files.root / "files-are-lost"
    word.touch()
    assert index.reconcile(files, read_header) == Reconciled(lost=tuple(sorted(keys)))
    assert not word.exists()


def test_a_few_missing_files_of_many_are_lost_without_a_question(index: Index, files: Files) -> None:
    keys = [add(index, files, f"1.{number} a").key for number in range(24)]
    for key in keys[:12]:
        files.remove(key)

    assert index.reconcile(files, read_header) == Reconciled(lost=tuple(sorted(keys[:12])))


class Busy(Files):
    """Somebody else does something while the folders are listed."""

    meanwhile: Callable[[], None]

    first = False

    def received_keys(self) -> Iterator[str]:
        """What is there before that, or with `first` after it."""
        keys = [] if self.first else list(super().received_keys())
        self.meanwhile()
        return super().received_keys() if self.first else iter(keys)


def test_what_retention_takes_meanwhile_is_passed_over(index: Index, tmp_path: Path) -> None:
    files = Busy(tmp_path / "content")
    for number in range(12):
        add(index, files, f"1.{number} a")
    version = index.close_version(STUDY, at(60))
    index.set_state(STUDY, version.content_version, State.DONE, "Sent.")

    def retention() -> None:
        index.retention.doom(index.retention.old(Stock.RECEIVED, at(1000)), at(1000), at(2000))
        for key in index.retention.doomed():
            files.remove(key)

    files.meanwhile, files.first = retention, True
    assert index.reconcile(files, read_header) == Reconciled()
    assert list(Files.received_keys(files)) == []


def test_a_file_that_vanishes_meanwhile_is_passed_over(index: Index, tmp_path: Path) -> None:
    """An import removes a repetition that it made."""
    files = Busy(tmp_path / "content")
    add(index, files, "1.1 a")
    again = keep(files, "1.1 a")
    files.meanwhile = lambda: files.remove(again.key)

    assert index.reconcile(files, read_header) == Reconciled()
