from __future__ import annotations

import socket
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from service.commands import doctor
from service.dicom.archive import Archive
from service.jobs import selftest
from service.jobs.selftest import SelfTest
from service.settings import DestinationTable, DestinationTls, ListenerTable, ListenerTls, Settings, Storage, Web
from tests.dicom.authority import Authority


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measurement has its own test; here it is always met."""
    monkeypatch.setattr(selftest, "self_test", lambda *_options: SelfTest(True, "The self-test phantom was met.", 1.0))


def examine(folder: Path, **tables: object) -> tuple[int, str]:
    """Exit status and text of the doctor."""
    defaults = {"storage": Storage(folder=folder, minimum_free_mb=1), "listener": ListenerTable(port=0), "web": Web(port=0)}
    console = Console(file=StringIO(), width=300)
    status = doctor.examine(console, Settings(**(defaults | tables)))  # type: ignore[arg-type]
    return status, console.file.getvalue()  # type: ignore[attr-defined]


def test_all_is_well_with_a_destination_that_answers(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.start()
    try:
        status, text = examine(tmp_path, destination=(DestinationTable(name="pacs", address=archive.address),))
    finally:
        archive.stop()
    assert status == 0
    assert "FAIL" not in text


def test_a_destination_that_is_down_is_ill(tmp_path: Path) -> None:
    status, text = examine(tmp_path, destination=(DestinationTable(name="pacs", address="PACS@127.0.0.1:1"),))
    assert status == 1
    assert "FAIL destination pacs" in text
    assert "connection refused" in text


def test_a_port_of_somebody_else_is_ill(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        status, text = examine(tmp_path, web=Web(port=other.getsockname()[1]))
    assert status == 1
    assert "FAIL web" in text


def test_our_own_service_on_the_port_is_well(tmp_path: Path) -> None:
    service = Archive(tmp_path / "x", ae_title="CRYOMARGIN")
    service.start()
    try:
        port = int(service.address.rsplit(":", 1)[1])
        status, text = examine(tmp_path, listener=ListenerTable(port=port))
    finally:
        service.stop()
    assert status == 0
    assert "the service answers at" in text


def test_a_full_disk_is_ill(tmp_path: Path) -> None:
    status, text = examine(tmp_path, storage=Storage(folder=tmp_path, minimum_free_mb=10**9))
    assert status == 1
    assert "FAIL storage" in text


def test_a_missed_phantom_is_ill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "self_test", lambda *_options: SelfTest(False, "The self-test phantom was missed.", 1.0))
    status, text = examine(tmp_path)
    assert status == 1
    assert "FAIL measurement" in text


def test_certificates_are_looked_at(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, late = authority.issue("good"), authority.issue("late", days=(-9, -1))
    tls = ListenerTls(certificate=str(good.certificate), key=str(good.key), ca=str(good.ca))
    pacs = DestinationTable(
        name="pacs",
        address="PACS@127.0.0.1:1",
        tls=DestinationTls(ca=str(late.ca), certificate=str(late.certificate), key=str(late.key)),
    )
    status, text = examine(tmp_path, listener=ListenerTable(port=0, tls=tls), destination=(pacs,))

    assert status == 1
    assert "ok   TLS of the listener: valid until" in text
    assert "FAIL TLS of destination pacs: expired on" in text
