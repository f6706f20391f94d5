from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from service.errors import Unusable
from service.store.files import Files
from service.store.index import Index
from service.store.records import Added, Kept, MadeObject, Reconciled, State, received
from tests.store.builders import MR, SR, STUDY, at


@dataclass(frozen=True)
class FakeHeader:
    """The content of a test file is its SOP Instance UID, a blank and anything."""

    sop_instance_uid: str
    study_instance_uid: str = STUDY
    series_instance_uid: str = "1.2.3.1"
    sop_class_uid: str = MR
    transfer_syntax_uid: str = "1.2.840.10008.1.2.1"
    modality: str = "MR"
    series_number: int | None = None
    series_description: str = ""
    patient_id: str = "P1"
    reason_ignored: str = ""


def read_header(path: Path) -> FakeHeader:
    uid = path.read_text().split()[0]
    if uid == "broken":
        raise Unusable("header.not_dicom", "This is not DICOM.")
    return FakeHeader(uid)


def keep(files: Files, text: str) -> Kept:
    with files.receive() as incoming:
        incoming.write(text.encode())
        return incoming.commit()


def add(index: Index, files: Files, text: str) -> Kept:
    kept = keep(files, text)
    index.add_instance(received(read_header(files.path(kept.key)), kept, at(0), "SCANNER", ""))
    return kept


def test_when_all_agrees_nothing_changes(index: Index, files: Files) -> None:
    add(index, files, "1.1 a")

    assert index.reconcile(files, read_header) == Reconciled()


def test_a_file_whose_row_was_never_written_gets_it(index: Index, files: Files) -> None:
    """The process died between the rename and the row."""
    kept = keep(files, "1.1 a")

    assert index.reconcile(files, read_header) == Reconciled(added=(kept.key,))
    (stored,) = index.instances(STUDY)
    assert (stored.key, stored.sha256, stored.size) == (kept.key, kept.sha256, kept.size)
    assert [activity.study_instance_uid for activity in index.activities()] == [STUDY]
    assert index.reconcile(files, read_header) == Reconciled()


def test_a_repetition_whose_row_was_never_written_is_removed(index: Index, files: Files) -> None:
    add(index, files, "1.1 a")
    again = keep(files, "1.1 a")

    assert index.reconcile(files, read_header) == Reconciled(duplicates=(again.key,))
    assert not files.exists(again.key)
    assert index.counts().instances == 1


def test_of_two_contents_the_older_stays_the_first(index: Index, files: Files) -> None:
    first, second = keep(files, "1.1 a"), keep(files, "1.1 b")
    os.utime(files.path(first.key), (100, 100))
    os.utime(files.path(second.key), (200, 200))
    index.reconcile(files, read_header)

    assert [stored.key for stored in index.instances(STUDY)] == [first.key]
    assert index.counts().conflicts == 1


def test_a_file_that_cannot_be_read_is_reported_and_kept(index: Index, files: Files) -> None:
    kept = keep(files, "broken")

    assert index.reconcile(files, read_header) == Reconciled(unreadable=(kept.key,))
    assert files.exists(kept.key)


def test_a_row_without_a_file_no_longer_counts_as_there(index: Index, files: Files) -> None:
    """Otherwise the same instance, sent again, would be thrown away as a repetition."""
    gone = add(index, files, "1.1 a")
    files.remove(gone.key)

    assert index.reconcile(files, read_header) == Reconciled(lost=(gone.key,))
    assert index.instances(STUDY) == []

    again = keep(files, "1.1 a")
    header = read_header(files.path(again.key))
    assert index.add_instance(received(header, again, at(100))) is Added.NEW
    assert [stored.key for stored in index.instances(STUDY)] == [again.key]


def test_content_that_comes_back_gives_its_version_back(index: Index, files: Files) -> None:
    """The result that exists stands: there is no second job."""
    gone = add(index, files, "1.1 a")
    version = index.close_version(STUDY, at(60))
    index.set_state(STUDY, version.content_version, State.DONE, "Sent.")
    files.remove(gone.key)
    index.reconcile(files, read_header)
    add(index, files, "1.1 a")

    after = index.close_version(STUDY, at(120))
    assert after == index.version(STUDY, version.content_version)
    assert (after.state, after.attempt, after.ordinal) == (State.DONE, 1, 1)


def test_a_version_whose_job_gave_up_meanwhile_gets_another(index: Index, files: Files) -> None:
    gone = add(index, files, "1.1 a")
    version = index.close_version(STUDY, at(60))
    index.set_state(STUDY, version.content_version, State.ANALYSING, "At it.")
    files.remove(gone.key)
    index.reconcile(files, read_header)
    add(index, files, "1.1 a")

    after = index.close_version(STUDY, at(120))
    assert (after.state, after.attempt) == (State.QUEUED, 2)
    assert index.instances(STUDY, after.content_version) == index.instances(STUDY) != []


def test_an_object_that_no_row_names_is_removed_once_it_is_old(index: Index, files: Files) -> None:
    """A repeated analysis writes its objects anew; a young one may be about to get its row."""
    add(index, files, "1.1 a")
    version = index.close_version(STUDY, at(60))
    named, left, young = (files.write_object(b"object") for _ in range(3))
    index.save_result(STUDY, version.content_version, {}, [MadeObject("sr", SR, "1.9.1", named.key, 6)], at(60))
    for kept in (named, left):
        os.utime(files.path(kept.key), (100, 100))

    assert index.reconcile(files, read_header) == Reconciled(orphans=(left.key,))
    assert [files.exists(kept.key) for kept in (named, left, young)] == [True, False, True]


def test_own_objects_are_not_instances(index: Index, files: Files) -> None:
    files.write_object(b"1.1 report")

    assert index.reconcile(files, read_header) == Reconciled()


def test_a_header_with_a_reason_is_added_as_ignored(index: Index, files: Files) -> None:
    keep(files, "1.1 a")
    index.reconcile(files, lambda path: replace(read_header(path), reason_ignored="A report."))

    assert (index.counts().instances, index.counts().ignored) == (0, 1)


def away(files: Files) -> Path:
    """Take all that was received away, as a disk that is not mounted does; gives where it is."""
    kept = files.root.with_name("away")
    (files.root / "received").rename(kept)
    Files(files.root)
    return kept


def back(files: Files, kept: Path) -> None:
    shutil.rmtree(files.root / "received")
    kept.rename(files.root / "received")


def test_files_that_come_back_count_again(index: Index, files: Files) -> None:
    """Their rows are there and lost: a second row of the same file let no start succeed any more."""
    keys = [add(index, files, f"1.{number} a").key for number in range(3)]
    version = index.close_version(STUDY, at(60))
    index.set_state(STUDY, version.content_version, State.DONE, "Sent.")
    kept = away(files)
    assert index.reconcile(files, read_header) == Reconciled(lost=tuple(sorted(keys)))
    back(files, kept)

    assert sorted(index.reconcile(files, read_header).returned) == sorted(keys)
    assert index.reconcile(files, read_header) == Reconciled()
    assert [stored.key for stored in index.instances(STUDY)] == keys
    detail = index.study(STUDY)
    assert detail is not None
    assert detail.summary.state is State.DONE
    assert [event.word for event in detail.events].count("returned") == 1
