"""What may leave, and that it leaves whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from service.dicom.header_scan import read_header
from service.errors import Unusable
from service.store.files import Files
from service.store.index import Index
from service.store.records import Added, Begin, DeliveryState, MadeObject, State, Version
from service.store.retention import Old, Stock
from service.store.way import Noted
from tests.store.builders import STUDY, arrival, at, mark, order

DAY = 86400.0
BEFORE, NOW = at(DAY), at(10 * DAY)


def keep(files: Files, content: bytes = b"content") -> str:
    """The key of an object of ours."""
    return files.write_object(content).key


def finished(index: Index, files: Files, study: str = STUDY, seconds: float = 0) -> Version:
    """A study that ended, with its result at the archive and files of everything."""
    with files.receive() as incoming:
        incoming.write(f"image of {study}".encode())
        kept = incoming.commit()
    row = arrival(int(study.rpartition(".")[2]), study=study, seconds=seconds)
    index.add_instance(replace(row, key=kept.key, sha256=kept.sha256, size=kept.size))
    version = index.close_version(study, at(seconds + 60))
    objects = [MadeObject("sr", "1.2.840.10008.5.1.4.1.1.88.34", f"{study}.9", keep(files), 7)]
    index.save_result(study, version.content_version, {"tumors": []}, objects, at(seconds + 70))
    index.work.keep_output((study, version.content_version, 1), "what it wrote")
    index.plan_deliveries(study, version.content_version, ["archive"], at(seconds + 70))
    mark(index, (f"{study}.9", "archive"), DeliveryState.VERIFIED, 0, "found", at(seconds + 71))
    index.set_state(study, version.content_version, State.DONE, "The results are at: archive.")
    return version


def on_disk(files: Files) -> int:
    return len([*files.received_keys(), *files.made_keys()])


def test_of_a_study_that_ended_everything_may_leave_in_its_time(index: Index, files: Files) -> None:
    finished(index, files)
    for stock in Stock:
        assert index.retention.old(stock, at(-1)) == []
        assert index.retention.old(stock, BEFORE) == [Old(stock, STUDY)]
        assert index.retention.doom([Old(stock, STUDY)], BEFORE, NOW)
        assert index.retention.old(stock, BEFORE) == []

    detail = index.study(STUDY)
    assert detail is not None
    assert (detail.summary.state, detail.summary.instances, detail.result, detail.output) == (State.DONE, 0, None, "")
    assert (detail.outputs, detail.deliveries) == ((), ())
    assert [event.word for event in detail.events][-3:] == ["removed"] * 3
    assert len(index.retention.doomed()) == 2


Happens = Callable[[Index, Version], object]


def fails(index: Index, version: Version) -> object:
    mark(index, (f"{STUDY}.9", "archive"), DeliveryState.FAILED, 0xA900, "no", at(80))
    return version


def waits(index: Index, version: Version) -> object:
    mark(index, (f"{STUDY}.9", "archive"), DeliveryState.PENDING, None, "down", at(80))
    return version


def comes_again(index: Index, version: Version) -> object:
    index.add_instance(arrival(77, seconds=100))
    return version


def is_asked_for_again(index: Index, version: Version) -> object:
    return index.operators.rerun(STUDY, Begin.ANALYSE, order(90)), version


def ends_badly(index: Index, version: Version) -> object:
    return index.set_state(STUDY, version.content_version, State.FAILED, "It crashed.")


def is_held(index: Index, version: Version) -> object:
    index.operators.rerun(STUDY, Begin.DELIVER, order(90))
    return index.operators.hold(STUDY, order(91)), version


@pytest.mark.parametrize("happens", [fails, waits, comes_again, is_asked_for_again, ends_badly, is_held])
def test_what_is_unsent_held_failed_or_awaited_stays(index: Index, files: Files, happens: Happens) -> None:
    """Also when it happens after the study was found."""
    happens(index, finished(index, files))

    for stock in Stock:
        assert index.retention.old(stock, BEFORE) == []
        assert not index.retention.doom([Old(stock, STUDY)], BEFORE, NOW)
    assert index.retention.doomed() == []


def test_what_awaits_its_commitment_stays(index: Index, files: Files) -> None:
    version = finished(index, files)
    index.operators.resend(STUDY, "archive", order(80))
    held = index.lines.take("archive", "worker", at(90))
    assert held is not None
    index.lines.mark([f"{STUDY}.9"], held, Noted(DeliveryState.SENT, at(81), 0, "", at(90), tried=True))
    index.set_state(STUDY, version.content_version, State.DONE, "Stored, not verified yet.")
    assert index.retention.old(Stock.RECEIVED, BEFORE) == []


def test_a_result_that_went_nowhere_stays(index: Index, files: Files) -> None:
    index.add_instance(arrival(1))
    version = index.close_version(STUDY, at(60))
    index.save_result(STUDY, version.content_version, {}, [MadeObject("sr", "1", "9.1", keep(files), 7)], at(70))
    index.set_state(STUDY, version.content_version, State.DONE, "No destination is configured.")

    assert index.retention.old(Stock.RESULTS, BEFORE) == []
    assert index.retention.old(Stock.RECEIVED, BEFORE) == [Old(Stock.RECEIVED, STUDY)]


def test_a_start_after_a_crash_takes_no_doomed_file_for_a_new_one(index: Index, files: Files) -> None:
    finished(index, files)
    assert index.retention.doom([Old(Stock.RECEIVED, STUDY)], BEFORE, NOW)
    found = index.reconcile(files, read_header)

    assert (found.added, found.unreadable, found.lost) == ((), (), ())
    assert index.counts().instances == 0
    assert len(index.retention.doomed()) == 1


def test_without_images_a_study_cannot_be_analysed_again(index: Index, files: Files) -> None:
    """It would be found unusable, and lose the result that it has."""
    finished(index, files)
    index.retention.doom([Old(Stock.RECEIVED, STUDY)], BEFORE, NOW)
    with pytest.raises(Unusable, match="no longer here: send it again"):
        index.operators.rerun(STUDY, Begin.ANALYSE, order(99))
    index.operators.rerun(STUDY, Begin.DELIVER, order(99))


def test_the_same_image_is_new_when_it_comes_again(index: Index, files: Files) -> None:
    finished(index, files)
    index.retention.doom([Old(Stock.RECEIVED, STUDY)], BEFORE, NOW)
    row = arrival(3, seconds=20 * DAY)
    assert index.add_instance(row) is Added.NEW
    detail = index.study(STUDY)
    assert detail is not None
    assert (detail.summary.state, detail.summary.instances) == (State.RECEIVING, 1)
