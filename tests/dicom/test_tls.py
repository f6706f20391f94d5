"""TLS in both directions: who is believed, who is not and why, and that a silent or plain peer harms nobody."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from structlog.testing import capture_logs

from service.dicom.destination import Caller, Destination
from service.dicom.reception import file_head
from service.dicom.sender import echo, send
from service.dicom.tls import Credentials, requestor_context, why
from service.errors import TryAgain
from tests.dicom.authority import Authority, pem
from tests.dicom.conftest import Station
from tests.dicom.wire import EXPLICIT, MR, an_image, encode, eventually

Serve = Callable[..., Station]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Credentials:
    return authority.issue("service")


@pytest.fixture(scope="module")
def theirs(authority: Authority) -> Credentials:
    return authority.issue("peer")


def at(station: Station, tls: Credentials | None, **more: str) -> Destination:
    """The listener as a destination."""
    return replace(Destination("pacs", "CRYOMARGIN", *station.address, tls=tls), **more)  # type: ignore[arg-type]


def refusals(station: Station) -> set[str]:
    """Why somebody was turned away."""
    return {one.reason for one in station.index.rejections()}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_carry_an_association(
    serve: Serve, ours: Credentials, theirs: Credentials, version: ssl.TLSVersion
) -> None:
    context = requestor_context(theirs)
    context.minimum_version = context.maximum_version = version
    entity = AE(ae_title="SCANNER")
    entity.add_requested_context(Verification)
    address = serve(tls=ours).address
    association = entity.associate(*address, ae_title="CRYOMARGIN", tls_args=(context, "127.0.0.1"))

    assert association.is_established
    assert association.dul.socket.socket.version() == version.name.replace("_", ".")
    assert "GCM" in association.dul.socket.socket.cipher()[0] or "CHACHA20" in association.dul.socket.socket.cipher()[0]
    assert association.send_c_echo().Status == 0x0000
    association.release()


def test_what_is_sent_over_tls_arrives(serve: Serve, ours: Credentials, theirs: Credentials, tmp_path: Path) -> None:
    station = serve(tls=ours)
    paths = []
    for number in range(3):
        uid = generate_uid()
        image = an_image(uid, {"Rows": 512, "Columns": 512, "PixelData": os.urandom(512 * 512 * 2)})
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(file_head(MR, uid, EXPLICIT) + encode(image))

    assert {sent.status for sent in send(paths, at(station, theirs), Caller())} == {0x0000}
    assert sorted(station.stored()) == sorted(path.read_bytes() for path in paths)


def test_a_sender_that_need_not_show_a_certificate_is_let_in(serve: Serve, ours: Credentials, authority: Authority) -> None:
    echo(at(serve(tls=replace(ours, ca=None)), Credentials(ca=authority.ca)), Caller())


def unlike(authority: Authority, folder: Path) -> dict[str, Credentials | None]:
    """Peers that must not be let in, by what the listener says of them."""
    other = Authority(folder, "other")
    return {
        "it does not speak TLS (plain DICOM?)": None,
        "it showed no certificate": Credentials(ca=authority.ca),
        "its certificate is not trusted (unable to get local issuer certificate)": other.issue("stranger", ca=authority.ca),
        "its certificate is not trusted (certificate has expired)": authority.issue("late", days=(-9, -1)),
    }


@pytest.mark.parametrize("fast", [True, False])
def test_whoever_is_not_known_is_turned_away_with_the_reason(
    serve: Serve, ours: Credentials, theirs: Credentials, authority: Authority, tmp_path: Path, *, fast: bool
) -> None:
    station = serve(tls=ours, fast=fast)
    peers = unlike(authority, tmp_path)
    with capture_logs() as logs:
        for tls in peers.values():
            with pytest.raises(TryAgain):
                echo(at(station, tls), Caller(timeout_s=10))
        assert eventually(lambda: len(refusals(station)) == len(peers))

    wanted = {f"No TLS: {reason}." for reason in peers}
    assert refusals(station) == wanted
    assert wanted == {line["reason"] for line in logs if line["event"] == "association_rejected"}
    assert station.stored() == []
    echo(at(station, theirs), Caller())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(serve: Serve, ours: Credentials, theirs: Credentials) -> None:
    station = serve(tls=ours)
    context = requestor_context(theirs)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection(station.address) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="127.0.0.1")

    assert eventually(lambda: refusals(station) == {"No TLS: it offers only TLS versions before 1.2."})


@pytest.mark.parametrize("fast", [True, False])
def test_a_peer_that_is_silent_keeps_nobody_waiting(
    serve: Serve, ours: Credentials, theirs: Credentials, *, fast: bool
) -> None:
    station = serve(tls=ours, acse_timeout_s=2, fast=fast)
    silent = [socket.create_connection(station.address) for _ in range(10)]
    began = time.monotonic()
    echo(at(station, theirs), Caller())
    waited = time.monotonic() - began

    assert all(peer.recv(1) == b"" for peer in silent)
    assert waited < 10
    for peer in silent:
        peer.close()


def replaced(old: Credentials, new: Credentials) -> None:
    """Put the files of `new` in the place of those of `old`, as a renewal does."""
    for before, after in ((old.certificate, new.certificate), (old.key, new.key)):
        assert before is not None
        assert after is not None
        shutil.copyfile(after, before.with_suffix(".new"))
        before.with_suffix(".new").replace(before)


def serial(station: Station, theirs: Credentials) -> bytes:
    """The certificate that the listener shows now."""
    context = requestor_context(theirs)
    with (
        socket.create_connection(station.address) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_counts_from_the_next_connection_on(
    serve: Serve, authority: Authority, theirs: Credentials, tmp_path: Path
) -> None:
    first = Authority(tmp_path, "here").issue("renewed", ca=authority.ca)
    replaced(first, authority.issue("first"))
    station = serve(tls=first)
    before = serial(station, theirs)
    replaced(first, authority.issue("second"))
    after = serial(station, theirs)

    assert before != after == serial(station, theirs)


def test_half_a_renewal_leaves_the_old_certificate_in_force(serve: Serve, authority: Authority, theirs: Credentials) -> None:
    files = authority.issue("half")
    station = serve(tls=files)
    before = serial(station, theirs)
    assert files.key is not None
    other = authority.issue("other-half")
    assert other.key is not None
    with capture_logs() as logs:
        shutil.copyfile(other.key, files.key)
        assert serial(station, theirs) == serial(station, theirs) == before

    assert [line["reason"] for line in logs if line["event"] == "tls_not_renewed"] == ["the key is not that of the certificate"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"host_name": "pacs.example.org"}, "its certificate is not trusted (Hostname mismatch"),
        ({"tls": "stranger"}, "its certificate is not trusted ("),
        ({"tls": "no certificate"}, "it wants a certificate from us"),
        ({"tls": "plain"}, "no TLS: it"),
    ],
)
def test_a_destination_that_is_not_who_it_should_be_gets_nothing(
    serve: Serve, ours: Credentials, theirs: Credentials, tmp_path: Path, change: dict[str, str], sentence: str
) -> None:
    station = serve(tls=None if change.get("tls") == "plain" else ours)
    tls = {
        "stranger": replace(theirs, ca=Authority(tmp_path, "other").ca),
        "no certificate": Credentials(ca=theirs.ca),
    }.get(change.get("tls", ""), theirs)
    with pytest.raises(TryAgain) as fault:
        echo(at(station, tls, host_name=change.get("host_name", "")), Caller(timeout_s=10))

    assert sentence in fault.value.sentence


def test_a_name_in_the_certificate_other_than_the_host_can_be_configured(
    serve: Serve, authority: Authority, theirs: Credentials
) -> None:
    station = serve(tls=authority.issue("named", host="pacs.example.org"))
    echo(at(station, theirs, host_name="pacs.example.org"), Caller())


def test_files_that_cannot_be_used_are_named(theirs: Credentials, tmp_path: Path) -> None:
    missing = replace(theirs, ca=tmp_path / "missing.pem")
    with pytest.raises(TryAgain, match=r"missing\.pem cannot be used for TLS: No such file"):
        echo(Destination("pacs", "PACS", "127.0.0.1", 1, tls=missing), Caller())


def test_a_key_with_a_password_is_an_error_and_no_question_at_the_terminal(theirs: Credentials, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    assert theirs.key is not None
    secret = tmp_path / "secret.key"
    secret.write_bytes(pem(load_pem_private_key(theirs.key.read_bytes(), None), b"secret"))  # type: ignore[arg-type]
    with pytest.raises(OSError, match=r".") as fault:
        requestor_context(replace(theirs, key=secret))
    assert why(fault.value)
