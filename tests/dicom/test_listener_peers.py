from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from service.dicom.reception import file_head
from tests.dicom.conftest import Station
from tests.dicom.wire import EXPLICIT, MR, STUDY, an_image, encode
from tests.peers import real_data, require_program

Serve = Callable[..., Station]
JPEG_2000 = "1.2.840.10008.1.2.4.90"


def dcmtk(name: str) -> str:
    """A program of DCMTK; pynetdicom puts programs of the same names beside the interpreter."""
    ours = Path(sys.executable).parent
    folders = [folder for folder in os.get_exec_path() if Path(folder) != ours]
    return require_program(shutil.which(name, path=os.pathsep.join(folders)) or f"{name} of DCMTK")


@pytest.mark.peer
def test_dcmtk_is_answered_and_rejected_as_it_should(serve: Serve) -> None:
    echoscu = dcmtk("echoscu")
    host, port = serve(calling_ae_titles=("DCMTK",)).address

    def echo(calling: str, called: str) -> subprocess.CompletedProcess[str]:
        command = [echoscu, "-v", "-aet", calling, "-aec", called, host, str(port)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert echo("DCMTK", "CRYOMARGIN").returncode == 0
    assert "Calling AE Title Not Recognized" in str(echo("OTHER", "CRYOMARGIN"))
    assert "Called AE Title Not Recognized" in str(echo("DCMTK", "OTHER"))


@pytest.mark.peer
@pytest.mark.parametrize("option", ["-xe", "-xb", "-xi"])
def test_storescu_sends_in_every_uncompressed_syntax(serve: Serve, tmp_path: Path, option: str) -> None:
    storescu = dcmtk("storescu")
    station = serve()
    source = tmp_path / "one.dcm"
    source.write_bytes(file_head(MR, "1.2.3", EXPLICIT) + encode(an_image("1.2.3")))
    host, port = station.address
    command = [storescu, "-v", option, "-aec", "CRYOMARGIN", host, str(port), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    (stored,) = station.index.instances(STUDY)
    image = dcmread(station.files.path(stored.key))
    assert (image.SOPInstanceUID, image.SeriesDescription, image.PixelData) == ("1.2.3", "portal venös", bytes(range(128)))


@pytest.mark.peer
@pytest.mark.real_data
def test_dcmsend_sends_compressed_images_as_they_are(serve: Serve) -> None:
    """One image in nine transfer syntaxes arrives in each of them, with its pixels untouched."""
    dcmsend = dcmtk("dcmsend")
    folder = real_data("transfer_syntax", "one_image_nine_syntaxes")
    sources = {str(dcmread(path).SOPInstanceUID): dcmread(path) for path in folder.rglob("*") if is_dicom(path)}
    station = serve()
    host, port = station.address
    command = [
        dcmsend,
        "-v",
        "-aec",
        "CRYOMARGIN",
        "--decompress-never",
        "--no-halt",
        "+sd",
        "+r",
        host,
        str(port),
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    received = [dcmread(station.files.path(key)) for key in station.files.received_keys()]
    assert len(received) == len(sources) > 0, done.stderr
    for image in received:
        source = sources[str(image.SOPInstanceUID)]
        # dcmsend itself turns one uncompressed encoding into the other; what is compressed it sends as it is.
        if source.file_meta.TransferSyntaxUID.is_compressed:
            assert image.file_meta.TransferSyntaxUID == source.file_meta.TransferSyntaxUID
            assert image.PixelData == source.PixelData


def is_dicom(path: Path) -> bool:
    """Whether the file begins as DICOM files do."""
    return path.is_file() and path.read_bytes()[128:132] == b"DICM"
