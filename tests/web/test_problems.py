"""Every error is problem details of RFC 9457, with the security headers of every other answer."""

from __future__ import annotations

from typing import NoReturn, cast

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from service.errors import CryomarginError, Refused, TryAgain, Unusable
from service.store.database import Database
from service.store.index import Index
from service.web.app import create_app
from service.web.headers import SECURITY_HEADERS
from service.web.info import ServiceInfo
from tests.web.sample import STUDY
from tests.web.test_api import assert_problem


class BrokenDatabase:
    """A database that answers every question with the same failure."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def read(self) -> NoReturn:
        """Fails."""
        raise self.failure

    def mark(self) -> NoReturn:
        """Fails."""
        raise self.failure


def broken(failure: Exception, info: ServiceInfo) -> TestClient:
    """A client of a service whose database fails."""
    index = Index(cast(Database, BrokenDatabase(failure)))
    return TestClient(create_app(index, info), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/studies/9.9.9", 404, "study-unknown"),
        ("POST", "/api/v1/studies/9.9.9/replay", 404, "study-unknown"),
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/static/nothing.css", 404, "not-found"),
        ("GET", "/static/../app.py", 404, "not-found"),
        ("GET", "/docs", 404, "not-found"),
        ("DELETE", "/api/v1/studies", 405, "method-not-allowed"),
        ("GET", f"/api/v1/studies/{STUDY}/replay", 405, "method-not-allowed"),
        ("GET", "/api/v1/studies?limit=0", 422, "invalid-request"),
        ("GET", "/api/v1/studies?limit=501", 422, "invalid-request"),
        ("GET", "/api/v1/studies?offset=-1", 422, "invalid-request"),
        ("GET", "/api/v1/studies?offset=99999999999999999999", 422, "invalid-request"),
        ("GET", "/api/v1/studies?state=happy", 422, "invalid-request"),
        ("GET", f"/api/v1/studies/{'1' * 65}", 422, "invalid-request"),
        ("GET", "/?state=happy", 422, "invalid-request"),
    ],
)
def test_what_is_asked_wrongly_is_a_problem(client: TestClient, method: str, path: str, status: int, code: str) -> None:
    assert_problem(client.request(method, path), status, code)


def test_a_wrong_parameter_is_named(client: TestClient) -> None:
    answer = client.get("/api/v1/studies?limit=0&state=happy").json()

    assert [error["where"] for error in answer["errors"]] == ["query.limit", "query.state"]


def test_a_wrong_method_says_which_are_right(client: TestClient) -> None:
    assert client.delete("/api/v1/studies").headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (RuntimeError("secret: /var/lib"), 500, "internal-error"),
        (OperationalError("SELECT 1", {}, Exception("no route to host")), 503, "database-down"),
        (TryAgain("store.locked", "The index is being migrated."), 503, "store.locked"),
        (Unusable("study.empty", "Nothing can be done."), 409, "study.empty"),
        (Refused("peer.no", "The archive said no.", 0xA700), 502, "peer.no"),
        (CryomarginError("odd", "Something odd."), 500, "odd"),
    ],
)
def test_a_failure_is_a_problem(info: ServiceInfo, failure: Exception, status: int, code: str) -> None:
    answer = broken(failure, info).get("/api/v1/studies/1.2.3")

    assert_problem(answer, status, code)
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


def test_a_database_that_is_down_is_not_ready(info: ServiceInfo) -> None:
    answer = broken(OperationalError("SELECT 1", {}, Exception("no route to host")), info).get("/api/v1/health/ready")

    assert_problem(answer, 503, "not-ready")
    assert not answer.json()["checks"][0]["ok"]


def test_a_browser_gets_a_page(client: TestClient) -> None:
    answer = client.get("/studies/9.9.9", headers={"accept": "text/html,*/*"})

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "No study 9.9.9 was received." in answer.text


def test_the_api_answers_a_browser_with_problem_details_too(client: TestClient) -> None:
    assert_problem(client.get("/api/v1/studies/9.9.9", headers={"accept": "text/html"}), 404, "study-unknown")


def test_what_was_asked_cannot_write_into_the_page(client: TestClient) -> None:
    answer = client.get("/nothing/<script>alert(1)<%2Fscript>", headers={"accept": "text/html"})

    assert answer.status_code == 404
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    "path", ["/", f"/studies/{STUDY}", "/api/v1/studies", "/nothing", "/static/style.css", "/api/v1/studies?limit=0"]
)
def test_every_answer_has_the_security_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert SECURITY_HEADERS.items() <= {name: answer.headers.get(name) for name in SECURITY_HEADERS}.items()


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_failure_has_the_security_headers(info: ServiceInfo, accept: str) -> None:
    answer = broken(RuntimeError("x"), info).get("/", headers={"accept": accept})

    assert answer.status_code == 500
    assert SECURITY_HEADERS.items() <= {name: answer.headers.get(name) for name in SECURITY_HEADERS}.items()
