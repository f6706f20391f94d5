"""Results to be sent, and a courier's whole way with them."""

from __future__ import annotations

import socket
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.sop_class import Comprehensive3DSRStorage, SegmentationStorage

from service.jobs.delivery import Courier
from service.jobs.job import Job
from service.store.records import Delivery, State
from tests.jobs.conftest import STUDY, Store


def made(uid: str, study: str, sop_class: str = Comprehensive3DSRStorage) -> bytes:
    """A result object as a file."""
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID = sop_class, uid
    item.StudyInstanceUID, item.SeriesInstanceUID = study, f"{uid}.1"
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    item.file_meta.MediaStorageSOPClassUID = sop_class
    item.file_meta.MediaStorageSOPInstanceUID = uid
    buffer = BytesIO()
    item.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def result(store: Store, study: str = STUDY, root: str = "9") -> Job:
    """A study whose analysis is ready to be sent: a segmentation `root`.1 and a report `root`.2."""
    store.receive(f"{study}.5", study)
    job = store.close(study)
    objects = [
        store.keep_object(f"{root}.1", made(f"{root}.1", study, SegmentationStorage), "seg"),
        store.keep_object(f"{root}.2", made(f"{root}.2", study), "sr"),
    ]
    store.index.save_result(study, job.content_version, {}, objects, store.now)
    return job


def deliver(courier: Courier, job: Job) -> None:
    """Plan, visit every destination once, and end what has arrived."""
    courier.plan(job)
    index = courier.means.index
    index.set_state(job.study_instance_uid, job.content_version, State.DELIVERING, courier.outlook())
    for destination in courier.destinations:
        courier.visit(destination)
    courier.settle()


def outbox(delivery: Delivery) -> tuple[str, str, str, int]:
    """What a row of the outbox says."""
    return delivery.sop_instance_uid, delivery.state.value, delivery.detail, delivery.attempts


def the_study(store: Store, study: str = STUDY) -> tuple[State, str]:
    """State and sentence of a study."""
    detail = store.index.study(study)
    assert detail is not None
    return detail.summary.state, detail.summary.sentence


def free_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
