"""STOW-RS and QIDO-RS with Orthanc's plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom.sop_class import SecondaryCaptureImageStorage

from service.dicom.carrier import echo, find, send
from service.dicom.destination import Caller, Destination, parse_destination
from service.dicom.query import Reference
from service.errors import Refused
from tests.dicom.test_sender import write_object
from tests.journey.orthanc import Orthanc
from tests.journey.waiting import free_port
from tests.peers import require_program

pytestmark = pytest.mark.peer

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Destination]:
    plugin = require_program("Orthanc's plugin for DICOMweb (Debian: orthanc-dicomweb)", PLUGIN)
    orthanc = Orthanc(tmp_path_factory.mktemp("web") / "orthanc", free_port(), [plugin])
    orthanc.start()
    yield parse_destination("web", orthanc.dicom_web)
    orthanc.stop()


def test_what_was_stored_is_found_and_nothing_else(web: Destination, tmp_path: Path) -> None:
    echo(web, Caller())
    path = write_object(tmp_path, SecondaryCaptureImageStorage)
    first, again = send([path, path], web, Caller())
    assert (first.status, first.error, again.error) == (0x0000, None, None)
    here, away = Reference("1.2.3", "1.2.3.4", path.stem), Reference("1.2.3", "1.2.3.4", "9.9")
    assert find([here, away], web, Caller()) == {path.stem}


def test_what_is_no_dicom_is_refused(web: Destination, tmp_path: Path) -> None:
    path = write_object(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:132] + whole[132:300])
    (sent,) = send([path], web, Caller())
    assert isinstance(sent.error, Refused), sent
