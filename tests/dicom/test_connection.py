from __future__ import annotations

import ssl
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.dicom.tls import Credentials
from tests.dicom.conftest import Station
from tests.dicom.raw import ACCEPTED, RELEASE, STORE, Raw, associate_request, fragments, p_data
from tests.dicom.wire import STUDY, an_image, encode
from tests.peers import require_program

Serve = Callable[..., Station]
IMAGE = encode(an_image("1.2.3"))
SUCCESS = struct.pack("<HHLH", 0, 0x0900, 2, 0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tls") / "both.pem"
    command = [
        require_program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    made = [*command, "-subj", "/CN=localhost", "-keyout", str(place), "-out", str(place.with_suffix(".crt"))]
    subprocess.run(made, check=True, capture_output=True)
    place.write_text(place.read_text() + place.with_suffix(".crt").read_text())
    return place


def test_tls_is_spoken_and_a_silent_or_plain_peer_keeps_nobody_waiting(serve: Serve, certificate: Path) -> None:
    station = serve(tls=Credentials(certificate=certificate.with_suffix(".crt"), key=certificate))
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with capture_logs() as logs, Raw(station.address), Raw(station.address).send(associate_request()) as plain:
        assert plain.receive()[0] != ACCEPTED
        with Raw(station.address) as peer:
            peer.socket = trusting.wrap_socket(peer.socket)
            long = IMAGE + struct.pack("<HH2s2xL", 0x7FE1, 0x1010, b"OB", 300_000) + bytes(300_000)
            _, content = peer.associate().send(p_data(STORE, control=3), *fragments(long, 100_000)).receive()
            peer.send(RELEASE).receive()

    assert SUCCESS in content
    assert len(station.index.instances(STUDY)) == 1
    assert any("no tls" in f"{entry.get('cause', '')} {entry.get('reason', '')}".lower() for entry in logs)
