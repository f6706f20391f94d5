"""The service put together: started, used over the wire, stopped, started again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from service.app import Parts, Service
from service.dicom.destination import Caller, Destination, parse_destination
from service.dicom.sender import echo
from service.errors import TryAgain
from service.jobs import engine
from service.jobs.engine import Engine, EngineOptions
from service.jobs.pauses import Pauses
from service.settings import Database, Delivery, ListenerTable, Metrics, Settings, Storage, Web, Worker

pytestmark = pytest.mark.timeout(120)


def settings_in(folder: Path, **tables: Any) -> Settings:
    """Settings that use free ports and no self-test."""
    defaults: dict[str, Any] = {
        "storage": Storage(folder=folder / "storage", minimum_free_mb=1),
        "listener": ListenerTable(port=0),
        "web": Web(port=0),
        "worker": Worker(self_test=False, drain_s=1.0),
    }
    return Settings(**(defaults | tables))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start services that are stopped at the end."""
    started: list[Service] = []

    def begin(settings: Settings | None = None, parts: Parts | None = None) -> Service:
        service = Service(settings or settings_in(tmp_path), parts)
        service.start()
        started.append(service)
        return service

    yield begin
    for service in started:
        service.stop()


def get(service: Service, path: str) -> tuple[int, Any]:
    """Status and JSON of the service's API."""
    place = urlsplit(service.web_address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_all_parts_answer_and_say_that_they_are_well(start: Callable[..., Service]) -> None:
    service = start()
    echo(parse_destination("service", service.listener_address), Caller())
    status, ready = get(service, "/api/v1/health/ready")
    assert status == 200, ready
    assert {"disk", "listener", "worker"} <= {check["name"] for check in ready["checks"]}


def test_the_service_starts_again_on_what_it_left(start: Callable[..., Service], tmp_path: Path) -> None:
    first = Service(settings_in(tmp_path))
    first.start()
    first.stop()
    assert start().listener_address != ""


def test_an_address_in_use_is_one_sentence(start: Callable[..., Service], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TryAgain, match=f"web address 127.0.0.1:{port}: is in use by another program"):
            start(settings_in(tmp_path, web=Web(port=port)))
        with pytest.raises(TryAgain, match=f"listener address 127.0.0.1:{port}: is in use"):
            start(settings_in(tmp_path, listener=ListenerTable(port=port)))
    start()  # what had started before the fault is not left behind


def test_a_second_worker_of_the_same_name_is_refused(start: Callable[..., Service]) -> None:
    """It would take the running jobs of the first for abandoned ones."""
    start(parts=Parts(listener=False, web=False))
    with pytest.raises(TryAgain, match="a worker of this name runs already"):
        start(parts=Parts(listener=False, web=False))


def test_a_folder_that_cannot_be_made_is_one_sentence(start: Callable[..., Service], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TryAgain, match=r"storage\.folder"):
        start(settings_in(tmp_path, storage=Storage(folder=tmp_path / "file" / "storage")))


def test_parts_run_apart(start: Callable[..., Service]) -> None:
    listener = start(parts=Parts(worker=False, web=False))
    page = start(parts=Parts(worker=False, listener=False))
    echo(parse_destination("service", listener.listener_address), Caller())
    assert (listener.web_address, page.listener_address) == ("", "")
    assert get(page, "/api/v1/studies")[0] == 200


def test_an_unknown_caller_is_rejected(start: Callable[..., Service], tmp_path: Path) -> None:
    service = start(settings_in(tmp_path, listener=ListenerTable(port=0, allowed_calling_ae=("MR1",))))
    address = parse_destination("service", service.listener_address)
    with pytest.raises(TryAgain, match=r"(?i)rejected"):
        echo(address, Caller("SOMEBODY"))
    echo(address, Caller("MR1"))


def test_a_phantom_that_is_missed_keeps_the_service_closed(
    start: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from service.jobs import selftest
    from service.jobs.selftest import SelfTest

    monkeypatch.setattr(selftest, "self_test", lambda *_options: SelfTest(False, "The self-test phantom was missed.", 1.0))
    with pytest.raises(TryAgain, match="was missed"):
        start(settings_in(tmp_path, worker=Worker(self_test=True)))


@pytest.mark.parametrize(("asked", "said"), [("on", "All were met. (1.2 s at the start)"), ("off", "Switched off")])
def test_health_says_what_the_self_test_said(
    start: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, said: str
) -> None:
    from service.jobs import selftest
    from service.jobs.selftest import SelfTest

    monkeypatch.setattr(selftest, "self_test", lambda *_options: SelfTest(True, "All were met.", 1.2))
    service = start(settings_in(tmp_path, worker=Worker(self_test=asked == "on", drain_s=1.0)))
    status, ready = get(service, "/api/v1/health/ready")
    (check,) = (check for check in ready["checks"] if check["name"] == "self-test")
    assert (status, check["ok"]) == (200, True)
    assert check["sentence"].startswith(said)


def test_a_stop_closes_the_doors(tmp_path: Path) -> None:
    service = Service(settings_in(tmp_path))
    service.start()
    address = parse_destination("service", service.listener_address)
    started = time.monotonic()
    service.stop()
    assert time.monotonic() - started < 20
    with pytest.raises(TryAgain, match="connection refused"):
        echo(Destination("service", address.ae_title, address.host, address.port), Caller())


def test_databases_can_be_elsewhere(start: Callable[..., Service], tmp_path: Path) -> None:
    database = Database(url=f"sqlite:///{tmp_path / 'a.sqlite'}", system_url=f"sqlite:///{tmp_path / 'b.sqlite'}")
    start(settings_in(tmp_path, database=database))
    assert (tmp_path / "a.sqlite").exists()
    assert (tmp_path / "b.sqlite").exists()


def test_the_log_never_quotes_a_header() -> None:
    """The DICOM library quotes values that it finds odd: a patient's name must not reach the log that way."""
    code = (
        "from service.startup import configure_log\n"
        "configure_log('debug')\n"
        "from pydicom import Dataset\n"
        "item = Dataset()\n"
        "item.PatientID = 'Secret^Patient' * 10\n"
        "item.StudyInstanceUID = 'Secret^Patient'\n"
        "item.PatientBirthDate = 'Secret^Patient'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "Secret" not in done.stdout + done.stderr


def test_a_listener_apart_shows_its_metrics_at_a_port_of_its_own(start: Callable[..., Service], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TryAgain, match=f"metrics address 127.0.0.1:{port}: is in use"):
            start(settings_in(tmp_path, metrics=Metrics(port=port)), Parts(worker=False, web=False))
    start(settings_in(tmp_path, metrics=Metrics(port=port)), Parts(worker=False, web=False))
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    assert b"cryomargin_instances_total" in connection.getresponse().read()
    connection.close()


def test_an_analysis_that_cannot_begin_is_tried_again_as_the_settings_say(
    start: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[EngineOptions] = []

    class Noting(Engine):
        def __init__(self, options: EngineOptions, *others: Any) -> None:
            given.append(options)
            super().__init__(options, *others)

    monkeypatch.setattr(engine, "Engine", Noting)
    delivery = Delivery(first_pause_s=1.5, longest_pause_s=7.0, give_up_after_s=99.0)
    start(settings_in(tmp_path, delivery=delivery), Parts(listener=False, web=False))
    assert given[0].pauses == Pauses(1.5, 7.0, 99.0)
