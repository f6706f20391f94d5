"""A real index and real files, with one study in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.dicom.destination import Caller
from service.jobs.job import Job
from service.jobs.pauses import Pauses
from service.jobs.visit import Means
from service.store.files import Files
from service.store.index import Index
from service.store.records import Added, MadeObject, Received

NOW = datetime(2024, 3, 12, 10, 0, tzinfo=UTC)
STUDY = "1.2.3"


@dataclass
class Store:
    """The index and files of a test, and a clock that stands still unless told otherwise."""

    index: Index
    files: Files
    now: datetime = NOW

    def clock(self) -> datetime:
        """The time of the test."""
        return self.now

    def means(self, pauses: Pauses = Pauses(5.0, 900.0, 86400.0), timeout_s: float = 3.0) -> Means:  # noqa: B008 frozen
        """What deliveries work with; nothing is left to chance."""
        return Means(self.index, self.files, Caller(timeout_s=timeout_s), self.clock, pauses, lambda: 0.5)

    def receive(self, uid: str, study: str = STUDY, modality: str = "MR") -> Added:
        """An instance arrives."""
        with self.files.receive() as incoming:
            incoming.write(f"content of {uid}".encode())
            kept = incoming.commit()
        row = Received(
            study_instance_uid=study,
            series_instance_uid="1.2.3.4",
            sop_instance_uid=uid,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.4",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            modality=modality,
            series_number=1,
            series_description="T1",
            patient_id="p",
            key=kept.key,
            sha256=kept.sha256,
            size=kept.size,
            calling_ae="MR",
            association_id="",
            received_at=self.now,
        )
        return self.index.add_instance(row)

    def close(self, study: str = STUDY) -> Job:
        """The study is complete."""
        version = self.index.close_version(study, self.now)
        return Job(study, version.content_version, version.attempt)

    def keep_object(self, uid: str, content: bytes, role: str = "sr") -> MadeObject:
        """An object of ours in the files."""
        kept = self.files.write_object(content)
        return MadeObject(role, "1.2.840.10008.5.1.4.1.1.88.34", uid, kept.key, kept.size)

    def later_by(self, seconds: float) -> datetime:
        """The time then."""
        return self.now + timedelta(seconds=seconds)

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Index.open(f"sqlite:///{tmp_path / 'index.sqlite'}") as index:
        yield Store(index, Files(tmp_path / "files"))
