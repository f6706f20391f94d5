"""One patient for all journeys, one archive and one service for those of a file: an idle service is not for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread

from service.jobs.example import example_patient
from service.phantom.patient import PhantomPatient
from service.phantom.story import Story
from service.phantom.write import write_study
from service.study.model import Role
from tests.journey.orthanc import Orthanc
from tests.journey.running import Running
from tests.journey.waiting import free_port

FEWER = frozenset({Role.T2, Role.DELAYED})  # three series are a whole study, and quicker to analyse than five


@dataclass(frozen=True, slots=True)
class Study:
    """The files of a phantom study, in the order of sending."""

    uid: str
    paths: list[Path]

    def of_series(self, name: str) -> list[Path]:
        """The files of the series whose folder holds `name`."""
        return [path for path in self.paths if name in path.parent.name]


@pytest.fixture(scope="session")
def patient() -> PhantomPatient:
    return example_patient()


@pytest.fixture
def new_study(patient: PhantomPatient, tmp_path: Path) -> Callable[[str], Study]:
    """Write a study of its own for the patient with this ID; liver, zone, tumor and vessel are drawn in it."""

    def write(name: str) -> Study:
        paths = write_study(patient, tmp_path / name, seg="fractional", story=Story(patient_id=name, drop=FEWER))
        return Study(str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID), paths)

    return write


@pytest.fixture(scope="module")
def service_port() -> int:
    """Where the shared service listens: the archive must know it from the start."""
    return free_port()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, service_port: int) -> Iterator[Orthanc]:
    made = Orthanc(tmp_path_factory.mktemp("archive") / "orthanc", service_port)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, orthanc: Orthanc, service_port: int) -> Iterator[Running]:
    """The shared service; it lives through all the tests that use it, as it does in a hospital."""
    folder = tmp_path_factory.mktemp("running") / "service"
    made = Running(folder, port=service_port, archive=orthanc.port, quiet_s=0.5, verify="commitment")
    try:
        made.start()
        yield made
    finally:
        made.stop()
