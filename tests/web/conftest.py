"""A real index with one study in each of the states that matter, and the application in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.store.index import Index
from service.store.records import DeliveryState, MadeObject, Received, State
from service.web.app import create_app
from service.web.info import Check, DestinationInfo, Probed, ServiceInfo
from tests.store.builders import mark
from tests.web.sample import AT, RECEIVING, STUDY, VERDICT, record

PATIENT = "PAT-4711"
HOSTILE = "<b>T1 VIBE</b> portal venous"


def receive(
    index: Index, study_uid: str, number: int, *, content: str = "", ignored: str = "", description: str = "T1"
) -> None:
    """One instance of series `number` arrives."""
    index.add_instance(
        Received(
            study_instance_uid=study_uid,
            series_instance_uid=f"{study_uid}.{number}",
            sop_instance_uid=f"{study_uid}.{number}.1",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            modality="PR" if ignored else "MR",
            series_number=number,
            series_description=description,
            patient_id=PATIENT,
            key=f"{study_uid}-{number}-{content}",
            sha256=f"{content or number}",
            size=1000,
            calling_ae="PACS",
            association_id="a",
            received_at=AT,
            relevant=not ignored,
            reason_ignored=ignored,
        )
    )


def finish(index: Index, study_uid: str) -> str:
    """The study is complete, was measured, and its SR is refused by the archive; gives the content version."""
    version = index.close_version(study_uid, AT).content_version
    made = [
        MadeObject("seg", "1.2.840.10008.5.1.4.1.1.66.4", f"{study_uid}.901", "seg", 150_000),
        MadeObject("sr", "1.2.840.10008.5.1.4.1.1.88.34", f"{study_uid}.902", "sr", 25_000),
    ]
    index.save_result(study_uid, version, record(study_uid, version), made, AT + timedelta(seconds=9))
    index.plan_deliveries(study_uid, version, ["archive"], AT)
    mark(index, (f"{study_uid}.901", "archive"), DeliveryState.VERIFIED, 0, "found again by C-FIND", AT)
    mark(index, (f"{study_uid}.902", "archive"), DeliveryState.FAILED, 0xA900, "the data set does not match", AT)
    index.set_state(study_uid, version, State.DONE, VERDICT)
    return version


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one finished study that has all that can be shown, and one that is being received."""
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    with Index.open(f"sqlite:///{path}") as index:
        receive(index, STUDY, 5, description=HOSTILE)
        receive(index, STUDY, 5, content="other", description=HOSTILE)
        receive(index, STUDY, 90, ignored="A presentation state takes no part.")
        finish(index, STUDY)
        receive(index, RECEIVING, 1)
    return path


@pytest.fixture
def index(filled: Path, tmp_path: Path) -> Iterator[Index]:
    """An index of its own for each test."""
    path = tmp_path / "index.sqlite"
    shutil.copyfile(filled, path)
    with Index.open(f"sqlite:///{path}") as index:
        yield index


@pytest.fixture
def info() -> ServiceInfo:
    """A service with one destination whose disk is fine."""
    return ServiceInfo(
        version="0.1.0",
        listener="CRYOMARGIN@127.0.0.1:11112",
        destinations=(DestinationInfo("archive", "PACS@192.0.2.10:104"),),
        checks=(Check("disk", lambda: Probed(ok=True, sentence="212 GB free.")),),
        settings_hash="3f9a1c20b7de",
        free_bytes=lambda: 7_000_000_000,
    )


@pytest.fixture
def client(index: Index, info: ServiceInfo) -> Iterator[TestClient]:
    """A client that gets the answer even when the service fails, as a real one would."""
    with TestClient(create_app(index, info), raise_server_exceptions=False) as client:
        yield client
