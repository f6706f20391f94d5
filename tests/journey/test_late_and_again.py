"""What the running service does with a study that comes late, twice, or back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage, generate_uid

from service.app import Service
from service.dicom.archive import Archive
from service.dicom.destination import Caller, parse_destination
from service.dicom.sender import send
from service.phantom.patient import PhantomPatient
from service.phantom.story import Story
from service.phantom.write import write_study
from service.settings import Completion, DestinationTable, ListenerTable, Settings, Storage, Web, Worker
from service.store.orders import Order
from service.store.records import ENDED, State, StudyDetail
from tests.journey.conftest import FEWER
from tests.journey.waiting import eventually
from tests.store.builders import replay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "archive")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def service(tmp_path: Path, archive: Archive) -> Iterator[Service]:
    made = Service(
        Settings(
            storage=Storage(folder=tmp_path / "storage", minimum_free_mb=1),
            listener=ListenerTable(port=0),
            web=Web(port=0),
            completion=Completion(quiet_s=60.0, quiet_after_release_s=0.5, require=("portal_venous|arterial",)),
            destination=(DestinationTable(name="archive", address=archive.address, verify="find"),),
            worker=Worker(self_test=False),
        )
    )
    made.start()
    yield made
    made.stop()


def whole_study(patient: PhantomPatient, folder: Path) -> list[Path]:
    """Three series with a reader's contours."""
    return write_study(patient, folder / "phantom", seg="fractional", story=Story(drop=FEWER))


def deliver(service: Service, paths: Sequence[Path]) -> None:
    """Send to the service; every instance must be taken."""
    sent = send(paths, parse_destination("service", service.listener_address), Caller("MR"))
    assert [one.error for one in sent] == [None] * len(paths)


def settled(service: Service, versions: int) -> StudyDetail:
    """The only study, once the given number of versions is closed and the newest has ended."""
    deadline = time.monotonic() + 120
    while True:
        (summary,) = service.index.studies(2)
        detail = service.index.study(summary.study_instance_uid)
        if detail is not None and len(detail.versions) == versions and summary.state in ENDED:
            return detail
        assert time.monotonic() < deadline, detail
        time.sleep(0.2)


def reports(archive: Archive) -> list[Path]:
    """The structured reports of the findings in the archive, in the order of arrival."""
    return [one.path for one in archive.stored() if one.sop_class_uid == Comprehensive3DSRStorage]


def test_late_instances_give_a_result_that_names_its_predecessor_and_repeats_give_none(
    service: Service, archive: Archive, patient: PhantomPatient, tmp_path: Path
) -> None:
    paths = whole_study(patient, tmp_path)
    late = [path for path in paths if "arterial" in str(path)][-3:]

    deliver(service, [path for path in paths if path not in late])
    first_time = settled(service, 1)
    assert first_time.summary.state is State.DONE, first_time
    assert len(reports(archive)) == 1

    deliver(service, late)
    assert settled(service, 2).summary.state is State.DONE
    first, second = (dcmread(path) for path in reports(archive))
    named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == first.SOPInstanceUID

    deliver(service, paths)  # the whole study once more
    deliver(service, [one.path for one in archive.stored()])  # and our own results
    detail = settled(service, 2)  # at once: what opens a study does so before it is acknowledged
    assert detail.summary.state is State.DONE
    assert detail.summary.attempt == 1
    assert len(reports(archive)) == 2


def test_a_replay_sends_the_same_objects_and_only_the_same_person_goes_on_from_it(
    service: Service, archive: Archive, patient: PhantomPatient, tmp_path: Path
) -> None:
    paths = whole_study(patient, tmp_path)
    deliver(service, paths)
    detail = settled(service, 1)
    before = {made.sop_instance_uid for made in detail.outputs}
    replay(service.index, detail.summary.study_instance_uid)
    again = settled(service, 1)
    assert again.summary.attempt == 2
    assert {made.sop_instance_uid for made in again.outputs} == before
    assert len(archive.stored()) == len(before) == 4

    for number, (birth_date, word) in enumerate([("19600101", "prior"), ("19710809", "prior_refused")]):
        study = later_exam(paths, tmp_path / f"later-{number}", birth_date)
        deliver(service, [tmp_path / f"later-{number}"])
        seen = eventually(partial(service.index.study, study), ended, 120)
        assert seen is not None
        assert [one.word for one in seen.events if one.word.startswith("prior")] == [word]
        said = next(one.sentence for one in seen.events if one.word == word)
        assert detail.summary.study_instance_uid in said
        assert birth_date not in said


def later_exam(paths: Sequence[Path], path: Path, birth_date: str) -> str:
    """One image of another exam under the same patient ID; gives its study."""
    dataset = dcmread(next(path for path in paths if "arterial" in str(path)))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = (generate_uid() for _uid in range(3))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.PatientBirthDate = birth_date
    dataset.save_as(path, enforce_file_format=True)
    return str(dataset.StudyInstanceUID)


def ended(seen: StudyDetail | None) -> bool:
    """Whether the study has ended."""
    return seen is not None and seen.summary.state in ENDED


def test_a_study_without_contrast_waits_for_it_then_ends_with_its_reason_and_nothing_is_sent(
    service: Service, archive: Archive, patient: PhantomPatient, tmp_path: Path
) -> None:
    paths = write_study(patient, tmp_path / "phantom")
    deliver(service, [path for path in paths if "t2" in str(path)])
    said = "Waiting for a portal venous or arterial series, until "
    waiting = eventually(lambda: service.index.studies(1)[0], lambda seen: seen.sentence.startswith(said), 120)
    assert waiting.state is State.RECEIVING
    service.index.operators.complete(waiting.study_instance_uid, Order("a person", datetime.now(UTC)))
    detail = settled(service, 1)
    assert detail.summary.attempt == 2
    assert detail.summary.state is State.NOTHING_TO_DO
    assert "not a post-ablation liver exam" in detail.summary.sentence
    assert archive.stored() == ()
