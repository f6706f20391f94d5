"""An archive with one study that has results and one that has none, and a viewer beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread

from service.jobs.specimen import make_specimens
from service.jobs.trials import dynamic
from service.options import AnalysisOptions
from tests.journey.orthanc import Orthanc
from tests.peers import require_program
from tests.viewers.browser import Browser
from tests.viewers.package import ohif
from tests.viewers.serving import served
from tests.viewers.viewer import Viewer

SIZE = (1400, 900)
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@dataclass(frozen=True, slots=True)
class Objects:
    """The results by their role."""

    by_role: dict[str, Dataset]

    @property
    def study_uid(self) -> str:
        """The study that they are results of."""
        return str(self.by_role["seg"].StudyInstanceUID)

    def series(self, role: str) -> str:
        """What the list of series calls it."""
        return str(self.by_role[role].SeriesDescription)


class WebArchive(Orthanc):
    """Orthanc with the web services that viewers read from, at `port_of_web`."""

    @property
    def port_of_web(self) -> int:
        """Where it answers HTTP."""
        return self.http

    def _config(self) -> dict[str, Any]:
        return super()._config() | {"Plugins": [require_program("libOrthancDicomWeb.so", PLUGIN)], "DicomWeb": {"Enable": True}}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebArchive]:
    made = WebArchive(tmp_path_factory.mktemp("archive") / "orthanc", service_port=1)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def viewer(archive: WebArchive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    with served(ohif(), archive.port_of_web) as address, Browser(tmp_path_factory.mktemp("browser"), SIZE) as browser:
        yield Viewer(browser, address)


@pytest.fixture(scope="module")
def objects(archive: WebArchive, tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Images and results of the phantom, in the archive."""
    folder = tmp_path_factory.mktemp("objects")
    made = make_specimens(folder, AnalysisOptions())
    for path in sorted(folder.rglob("*.dcm")):
        archive.keep(path)
    return Objects({one.role: dcmread(folder / one.name) for one in made})


@pytest.fixture(scope="module")
def unanalysed(archive: WebArchive, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The UID of a study in the archive with the same images and no results."""
    trial = dynamic()
    folder = tmp_path_factory.mktemp("unanalysed")
    paths = replace(trial, story=replace(trial.story, patient_id="UNANALYSED")).write(folder)
    for path in paths:
        archive.keep(path)
    return str(_header(paths[0]).StudyInstanceUID)


def _header(path: Path) -> Dataset:
    return dcmread(path, stop_before_pixels=True)
