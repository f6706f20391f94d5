from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import MRImageStorage

from service.dicom.archive import Archive
from service.dicom.association import associate
from service.dicom.destination import Caller, parse_destination


def store(archive: Archive, **attributes: str) -> int:
    """Send a data set as it is, without a file."""
    made = Dataset()
    made.SOPClassUID = MRImageStorage
    for name, value in attributes.items():
        setattr(made, name, value)
    made.file_meta = Dataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    destination = parse_destination("archive", archive.address)
    with associate(destination, Caller(), [build_context(MRImageStorage, ExplicitVRLittleEndian)]) as association:
        return int(association.send_c_store(made).Status)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "archive")
    made.start()
    yield made
    made.stop()


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # the invalid UID is the point
def test_a_uid_is_data_and_not_a_path(archive: Archive) -> None:
    """A hostile UID must not choose where the file goes."""
    assert store(archive, SOPInstanceUID="../../evil", StudyInstanceUID="/1") == 0x0000
    (stored,) = archive.stored()
    assert stored.path.parent == archive.folder
    assert stored.reference.sop_instance_uid == "../../evil"


def test_what_cannot_be_found_again_is_refused(archive: Archive) -> None:
    assert store(archive, SOPInstanceUID="1.2") == 0xC000
    assert archive.stored() == ()


def test_a_taken_address_is_an_error(archive: Archive, tmp_path: Path) -> None:
    port = int(archive.address.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="Address already in use"):
        Archive(tmp_path, port=port).start()
