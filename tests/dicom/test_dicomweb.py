"""DICOMweb against a small server that answers in every way one can."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from service.dicom.carrier import echo, find, negotiate, send
from service.dicom.destination import Caller, Destination, Login, parse_destination
from service.dicom.query import Reference
from service.dicom.tls import Credentials, acceptor_context
from service.errors import Refused, TryAgain
from tests.dicom.authority import Authority
from tests.dicom.test_sender import write_object

CALLER = Caller(timeout_s=5.0)
Answers = dict[str, tuple[int, Any]]


class Server(ThreadingHTTPServer):
    """Answers by method and last part of the path; keeps what came."""

    def __init__(self, answers: Answers, shown: Credentials | None = None) -> None:
        self.answers = answers
        self.came: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)
        if shown is not None:
            self.socket = acceptor_context(shown).wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us is no news."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        """A query."""
        self._answer()

    def do_POST(self) -> None:
        """A store."""
        self._answer()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing on the terminal."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.came.append((f"{self.command} {self.path}", dict(self.headers), body))
        status, said = self.server.answers[f"{self.command} {self.path.partition('?')[0].rpartition('/')[2]}"]
        if status == 0:
            self.connection.close()
            return
        content = json.dumps(said).encode() if said is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(answers: Answers, shown: Credentials | None = None) -> Iterator[tuple[Server, Destination]]:
    """A server with these answers, which shows this certificate, and how it stands in the configuration."""
    server = Server(answers, shown)
    scheme = "http" if shown is None else "https"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server, parse_destination("web", f"{scheme}://127.0.0.1:{server.server_address[1]}/dicom-web/")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(uid: str, **status: int) -> dict[str, Any]:
    """A store response about one instance."""
    tags = {"FailureReason": "00081197", "WarningReason": "00081196"}
    item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}}
    item |= {tags[name]: {"vr": "US", "Value": [value]} for name, value in status.items()}
    return {"00081198" if "FailureReason" in status else "00081199": {"vr": "SQ", "Value": [item]}}


def test_an_object_is_stored_as_it_is(tmp_path: Path) -> None:
    path = write_object(tmp_path)
    with serving({"POST studies": (200, said(path.stem))}) as (server, web):
        (sent,) = send([path], web, CALLER)
    request, headers, body = server.came[0]
    assert (sent.status, sent.error, sent.note) == (0x0000, None, "")
    assert request == "POST /dicom-web/studies"
    boundary = headers["Content-Type"].rpartition("boundary=")[2]
    assert headers["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    head, rest = body.split(b"\r\n\r\n", 1)
    assert head == f"--{boundary}\r\nContent-Type: application/dicom".encode()
    assert rest == path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()


@pytest.mark.parametrize(
    ("http", "status", "error"),
    [
        (202, {"WarningReason": 0xB000}, None),
        (409, {"FailureReason": 0xA700}, TryAgain),
        (409, {"FailureReason": 0x0122}, Refused),
        (202, {"FailureReason": 0xC000}, Refused),
    ],
)
def test_what_the_answer_says_about_the_object_counts(
    tmp_path: Path, http: int, status: dict[str, int], error: type[Exception] | None
) -> None:
    path = write_object(tmp_path)
    with serving({"POST studies": (http, said(path.stem, **status))}) as (_, web):
        (sent,) = send([path], web, CALLER)
    assert sent.status == next(iter(status.values()))
    assert type(sent.error) is (error or type(None))


@pytest.mark.parametrize(
    ("http", "error", "sentence"),
    [
        (503, TryAgain, "web cannot store it now (HTTP 503)"),
        (429, TryAgain, "web cannot store it now (HTTP 429)"),
        (413, Refused, "web refused the object (HTTP 413)"),
        (415, Refused, "web refused the object (HTTP 415)"),
        (0, TryAgain, "web ended the connection"),
    ],
)
def test_else_the_status_of_the_answer_counts(tmp_path: Path, http: int, error: type[Exception], sentence: str) -> None:
    with serving({"POST studies": (http, None)}) as (_, web):
        (sent,) = send([write_object(tmp_path)], web, CALLER)
    assert (type(sent.error), sent.error and sent.error.sentence) == (error, sentence)


@pytest.mark.parametrize("http", [401, 403, 404, 302])
def test_what_is_wrong_with_the_configuration_is_no_fault_of_the_object(tmp_path: Path, http: int) -> None:
    """The results flow by themselves once somebody has put that right."""
    with serving({"POST studies": (http, None), "GET studies": (http, None)}) as (_, web):
        with pytest.raises(TryAgain, match=f"HTTP {http}"):
            send([write_object(tmp_path)], web, CALLER)
        with pytest.raises(TryAgain, match=f"HTTP {http}"):
            echo(web, CALLER)


def test_a_server_that_is_down_is_said_so(tmp_path: Path) -> None:
    with serving({}) as (_, web):
        pass
    with pytest.raises(TryAgain, match=r"nothing listens at this address \(connection refused\)"):
        send([write_object(tmp_path)], web, CALLER)


HERE, AWAY = Reference("1.2", "1.3", "1.4"), Reference("1.2", "1.3", "1.5")


def test_a_search_finds_what_is_there() -> None:
    shown = [{"00080018": {"vr": "UI", "Value": ["1.4"]}}]
    with serving({"GET instances": (200, shown)}) as (server, web):
        assert find([HERE, AWAY], web, CALLER) == {"1.4"}
    assert server.came[0][0] == "GET /dicom-web/studies/1.2/series/1.3/instances?SOPInstanceUID=1.4"


@pytest.mark.parametrize("status", [204, 404])
def test_a_search_without_result_is_an_answer(status: int) -> None:
    with serving({"GET instances": (status, None)}) as (_, web):
        assert find([HERE], web, CALLER) == frozenset()


def test_where_no_search_is_offered_the_object_itself_is_asked_for() -> None:
    with serving({"GET instances": (501, None), "GET metadata": (200, [])}) as (server, web):
        assert find([HERE], web, CALLER) == {"1.4"}
        server.answers["GET metadata"] = (404, None)
        assert find([HERE], web, CALLER) == frozenset()


def test_a_server_that_may_not_be_asked_is_told_from_one_that_cannot_answer_now() -> None:
    with serving({"GET instances": (403, None)}) as (server, web):
        with pytest.raises(Refused, match="HTTP 403"):
            find([HERE], web, CALLER)
        server.answers["GET instances"] = (503, None)
        with pytest.raises(TryAgain, match="HTTP 503"):
            find([HERE], web, CALLER)


def test_the_password_comes_from_its_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    with serving({"GET studies": (200, [])}) as (server, web):
        known = Destination("web", "", "h", 443, url=web.url, login=Login("margin", file))
        echo(known, CALLER)
        assert server.came[0][1]["Authorization"] == "Basic bWFyZ2luOnMzY3JldA=="
        assert "s3cret" not in repr(known)
        file.unlink()
        with pytest.raises(TryAgain, match="password_file cannot be read"):
            echo(known, CALLER)


def test_over_tls_both_ends_show_who_they_are(tmp_path: Path) -> None:
    hospital = Authority(tmp_path)
    ours, path = hospital.issue("service"), write_object(tmp_path)
    with serving({"POST studies": (200, None)}, hospital.issue("pacs")) as (_, web):
        (sent,) = send([path], replace(web, tls=ours), CALLER)
        assert sent.error is None
        with pytest.raises(TryAgain, match="no TLS: its certificate is not trusted"):
            send([path], web, CALLER)
        stranger = Authority(tmp_path, "stranger").issue("other", ca=hospital.ca)
        with pytest.raises(TryAgain, match="web"):
            echo(replace(web, tls=stranger), CALLER)
        with pytest.raises(TryAgain, match="the files of its TLS cannot be used"):
            echo(replace(web, tls=Credentials(ca=tmp_path / "nothing.pem")), CALLER)


def test_a_certificate_for_another_host_is_not_trusted(tmp_path: Path) -> None:
    hospital = Authority(tmp_path)
    shown = replace(hospital.issue("pacs", host="192.0.2.1"), ca=None)
    with serving({}, shown) as (_, web), pytest.raises(TryAgain, match="not trusted"):
        echo(replace(web, tls=Credentials(ca=hospital.ca)), CALLER)


def test_every_kind_may_be_offered() -> None:
    assert negotiate({"1.2"}, parse_destination("web", "https://h/dicom-web"), CALLER) == {"1.2": ("1.2.840.10008.1.2.1",)}


def test_an_address_says_what_is_spoken() -> None:
    web = parse_destination("web", "https://pacs.example:8443/dicom-web/")
    assert (web.address, web.host, web.port) == ("https://pacs.example:8443/dicom-web", "pacs.example", 8443)
    with pytest.raises(ValueError, match="neither"):
        parse_destination("web", f"https://name:{generate_uid()}@host/")
