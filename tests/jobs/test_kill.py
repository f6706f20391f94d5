"""Kill -9 at random instants: whatever is interrupted, the result reaches the archive and is one result."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.sop_class import Comprehensive3DSRStorage, SegmentationStorage

from service.dicom.archive import Archive
from service.store.records import State
from tests.jobs.conftest import STUDY, Store

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]
KILLS = 3

# A worker whose analysis takes half a second and always makes the same two objects, as the real one does.
WORKER = """
import shutil, sys, threading, time
from datetime import UTC, datetime
from pathlib import Path
from service.dicom.destination import Caller, Verify, parse_destination
from service.jobs.delivery import Courier
from service.jobs.dispatch import Dispatch
from service.jobs.pauses import Pauses
from service.jobs.visit import Means
from service.jobs.engine import Engine, EngineOptions
from service.jobs.messages import Answer, MadeFile
from service.jobs.process import Ended, Limits
from service.jobs.steps import Steps
from service.jobs.worker import Worker
from service.options import AnalysisOptions
from service.store.files import Files
from service.store.index import Index
from service.study.complete import CompletionRule

folder, address = Path(sys.argv[1]), sys.argv[2]
objects = (("seg", "1.2.840.10008.5.1.4.1.1.66.4", "9.1"), ("sr", "1.2.840.10008.5.1.4.1.1.88.34", "9.2"))

def clock():
    return datetime.now(UTC)

def analysis(request, work, limits, progress, stop):
    time.sleep(0.5)
    for role, _, uid in objects:
        shutil.copy(folder / f"{uid}.dcm", work / f"{role}.dcm")
    made = tuple(MadeFile(role, sop_class, uid, f"{role}.dcm") for role, sop_class, uid in objects)
    return Ended(Answer({"verdict": "v"}, made), "", 1, 0.5)

index, files, stop = Index.open(f"sqlite:///{folder / 'index.sqlite'}"), Files(folder / "files"), threading.Event()
means = Means(index, files, Caller(timeout_s=3.0), clock, Pauses(0.5, 1.0), lambda: 0.5)
courier = Courier(means, (parse_destination("pacs", address, verify=Verify.FIND),))
steps = Steps(index, files, courier, AnalysisOptions(), Limits(), folder / "work", stop, analysis)
engine = Engine(EngineOptions(f"sqlite:///{folder / 'engine.sqlite'}"), steps, stop)
engine.start()
Worker(index, engine.submit, CompletionRule(0.1, 0.1), clock).start()
Dispatch(courier).start()
print("started", flush=True)
threading.Event().wait()
"""


def write_object(folder: Path, uid: str, sop_class: str) -> None:
    """One of the two results."""
    item = Dataset()
    item.SOPClassUID, item.SOPInstanceUID = sop_class, uid
    item.StudyInstanceUID, item.SeriesInstanceUID = STUDY, f"{uid}.1"
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    item.save_as(buffer, enforce_file_format=True)
    (folder / f"{uid}.dcm").write_bytes(buffer.getvalue())


def start_worker(folder: Path, archive: Archive) -> subprocess.Popen[str]:
    """A worker that has gone as far as taking jobs."""
    command = [sys.executable, "-c", WORKER, str(folder), archive.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_result_arrives_once_whenever_the_worker_is_killed(store: Store, tmp_path: Path, seed: int) -> None:
    write_object(tmp_path, "9.1", SegmentationStorage)
    write_object(tmp_path, "9.2", Comprehensive3DSRStorage)
    chance = random.Random(seed)  # noqa: S311 - instants, no secrets
    archive = Archive(tmp_path / "archive")
    archive.start()
    try:
        store.receive("1.1")
        for _kill in range(KILLS):
            process = start_worker(tmp_path, archive)
            time.sleep(chance.uniform(0.0, 2.0))
            kill(process)
        process = start_worker(tmp_path, archive)
        wait_until_done(store)
        kill(process)
    finally:
        archive.stop()
    detail = store.index.study(STUDY)
    assert detail is not None
    assert [one.reference.sop_instance_uid for one in archive.stored()] == ["9.1", "9.2"]
    assert [made.sop_instance_uid for made in detail.outputs] == ["9.1", "9.2"]
    assert {delivery.state for delivery in detail.deliveries} == {"verified"}


def wait_until_done(store: Store) -> None:
    deadline = time.monotonic() + 60
    while store.index.studies(1)[0].state is not State.DONE:
        assert time.monotonic() < deadline, store.index.study(STUDY)
        time.sleep(0.1)
