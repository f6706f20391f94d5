"""TLS with the programs of others, in both directions."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from service.dicom.destination import Caller, Destination
from service.dicom.reception import file_head
from service.dicom.sender import send
from service.dicom.tls import Credentials
from service.errors import TryAgain
from tests.dicom.authority import Authority
from tests.dicom.conftest import Station
from tests.dicom.wire import EXPLICIT, MR, STUDY, an_image, encode, eventually
from tests.peers import require_program

pytestmark = pytest.mark.peer

Serve = Callable[..., Station]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "one.dcm"
    path.write_bytes(file_head(MR, "1.2.3", EXPLICIT) + encode(an_image("1.2.3")))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A server of somebody else, until the block ends."""
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            assert eventually(lambda: answers(port)), log.read_text(errors="replace")
            yield
        finally:
            process.terminate()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def options(tls: Credentials) -> list[str]:
    """What DCMTK is told."""
    return ["+tls", str(tls.key), str(tls.certificate), "+cf", str(tls.ca)]


def test_storescu_stores_over_tls_and_not_without(serve: Serve, authority: Authority, source: Path) -> None:
    storescu = require_program("storescu")
    station = serve(tls=authority.issue("service"))
    host, port = station.address
    command = [storescu, "-v", "-aec", "CRYOMARGIN", host, str(port), str(source)]
    plain = subprocess.run(command, capture_output=True, check=False, timeout=60)
    secure = subprocess.run(
        [*command, *options(authority.issue("scu"))], capture_output=True, text=True, check=False, timeout=60
    )

    assert secure.returncode == 0, secure.stderr
    assert plain.returncode != 0
    assert [one.sop_instance_uid for one in station.index.instances(STUDY)] == ["1.2.3"]
    assert eventually(lambda: bool(station.index.rejections()))
    assert station.index.rejections()[0].reason == "No TLS: it does not speak TLS (plain DICOM?)."


def test_storescp_takes_results_over_tls(authority: Authority, source: Path, tmp_path: Path) -> None:
    storescp, port = require_program("storescp"), free_port()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    command = [storescp, *options(authority.issue("scp")), "-od", str(inbox), str(port)]
    pacs = Destination("pacs", "ANY", "127.0.0.1", port, tls=authority.issue("service"))
    with running(command, port, tmp_path / "storescp.log"):
        with pytest.raises(TryAgain):
            send([source], replace(pacs, tls=None), Caller(timeout_s=10))
        (sent,) = send([source], pacs, Caller())

    assert (sent.status, sent.error) == (0, None)
    assert len(list(inbox.iterdir())) == 1


def orthanc_config(folder: Path, dicom: int, http: int, tls: Credentials, service: int) -> Path:
    config = folder / "orthanc.json"
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomAet": "ORTHANC",
        "DicomPort": dicom,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(tls.certificate),
        "DicomTlsPrivateKey": str(tls.key),
        "DicomTlsTrustedCertificates": str(tls.ca),
        "DicomModalities": {"cryomargin": {"AET": "CRYOMARGIN", "Host": "127.0.0.1", "Port": service, "UseDicomTls": True}},
        "Plugins": [],
    }
    config.write_text(json.dumps(settings))
    return config


def post(port: int, path: str, body: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body)
        return connection.getresponse().status
    finally:
        connection.close()


def test_orthanc_stores_and_is_stored_to_over_tls(serve: Serve, authority: Authority, source: Path, tmp_path: Path) -> None:
    orthanc, dicom, http = require_program("Orthanc", "/usr/sbin/Orthanc"), free_port(), free_port()
    station, ours = serve(tls=authority.issue("service")), authority.issue("scu")
    config = orthanc_config(tmp_path, dicom, http, authority.issue("orthanc"), station.address[1])
    pacs = Destination("pacs", "ORTHANC", "127.0.0.1", dicom, tls=ours)
    with running([orthanc, str(config)], http, tmp_path / "orthanc.log"):
        assert eventually(lambda: answers(dicom))
        (sent,) = send([source], pacs, Caller())
        status = post(http, "/modalities/cryomargin/store", json.dumps(identifiers(http)))

    assert sent.status == 0
    assert status == 200
    assert [one.sop_instance_uid for one in station.index.instances(STUDY)] == ["1.2.3"]


def identifiers(http: int) -> list[str]:
    """Orthanc's names of what it holds."""
    connection = HTTPConnection("127.0.0.1", http, timeout=60)
    try:
        connection.request("GET", "/instances")
        return list(json.loads(connection.getresponse().read()))
    finally:
        connection.close()
