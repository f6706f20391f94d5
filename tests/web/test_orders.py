"""Orders over the API and by the buttons of the pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.errors import CryomarginError
from service.store.index import Index
from service.store.records import State, StudyDetail
from service.web.allowed import ORDERS, StudyOrder, possible
from service.web.app import create_app
from service.web.info import ServiceInfo
from tests.store.builders import order
from tests.web.conftest import finish, receive
from tests.web.sample import AT, RECEIVING, STUDY


def test_an_order_answers_with_its_line_and_the_new_state(client: TestClient) -> None:
    answer = client.post(f"/api/v1/studies/{RECEIVING}/complete")

    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    line = answer.json()["action"]
    assert (line["who"], line["what"], line["before"], line["after"]) == ("local", "complete", "receiving", "queued")
    assert client.get(f"/api/v1/studies/{RECEIVING}").json()["actions"] == [line]
    assert client.get("/api/v1/actions").json()["items"] == [line]


def test_the_user_is_the_one_that_the_proxy_names(index: Index, info: ServiceInfo) -> None:
    client = TestClient(create_app(index, dataclasses.replace(info, user_header="X-Forwarded-User")))
    for headers in ({"X-Forwarded-User": "m.reader"}, {}):
        client.post(f"/api/v1/studies/{RECEIVING}/{'hold' if headers else 'release'}", headers=headers)

    assert [one.who for one in index.operators.actions()] == ["local", "m.reader"]


def test_a_header_that_is_not_configured_names_nobody(client: TestClient, index: Index) -> None:
    client.post(f"/api/v1/studies/{RECEIVING}/hold", headers={"X-Forwarded-User": "m.reader"})
    assert [one.who for one in index.operators.actions()] == ["local"]


def test_what_the_state_does_not_allow_is_a_problem(client: TestClient) -> None:
    answer = client.post(f"/api/v1/studies/{STUDY}/cancel")

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:cryomargin:problem:order.not_possible")
    assert answer.json()["detail"] == "The study is done: only what waits or is at work can be cancelled."


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/api/v1/studies/{STUDY}/explode", 422),
        ("/api/v1/studies/9.9/hold", 404),
        (f"/api/v1/studies/{STUDY}/destinations/nowhere/resend", 404),
        ("/api/v1/queues/other/pause", 422),
        ("/api/v1/workers/nobody/drain", 409),
    ],
)
def test_what_is_not_there_cannot_be_ordered(client: TestClient, path: str, status: int) -> None:
    assert client.post(path).status_code == status


def test_a_resend_by_the_button_shows_the_study_again(client: TestClient, index: Index) -> None:
    page = client.get(f"/studies/{STUDY}").text
    assert f'action="/studies/{STUDY}/destinations/archive/resend"' in page

    answer = client.post(f"/studies/{STUDY}/destinations/archive/resend", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, f"/studies/{STUDY}")
    assert {one.state for one in index.deliveries(STUDY)} == {"pending"}


def test_queues_and_workers_stand_on_the_page_of_the_service(client: TestClient, index: Index) -> None:
    index.machines.join("worker 1", "node-3", "0.1.0", "2", AT)
    client.post("/queues/analysis/pause")
    client.post("/workers/worker 1/drain")

    page = client.get("/service").text

    assert 'action="/queues/analysis/resume"' in page
    assert 'action="/workers/worker%201/resume"' in page
    assert ">drained<" in page
    answer = client.get("/api/v1/workers").json()
    assert (answer["paused"], answer["items"][0]["draining"]) == (["analysis"], True)


@pytest.mark.parametrize("path", ["queues/analysis/pause", "workers/w/drain", f"studies/{STUDY}/hold"])
@pytest.mark.parametrize("root", ["/api/v1/", "/"])
def test_a_page_of_another_site_can_order_nothing(client: TestClient, index: Index, root: str, path: str) -> None:
    assert client.post(root + path, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert index.operators.actions() == ()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """One index for all cases below, each with a study of its own: to open one costs more than what is done with it."""
    with Index.open(f"sqlite:///{tmp_path_factory.mktemp('orders') / 'index.sqlite'}") as index:
        yield index


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("what", list(StudyOrder))
def test_the_buttons_offer_what_the_index_accepts(together: Index, state: State, what: StudyOrder) -> None:
    """And nothing else: two tables that must not drift apart."""
    study = f"1.2.{list(State).index(state)}.{list(StudyOrder).index(what)}"
    detail = in_state(together, study, state)
    try:
        ORDERS[what](together.operators, study, order())
    except CryomarginError:
        accepted = False
    else:
        accepted = True
    assert accepted == (what in possible(detail))


def in_state(index: Index, study: str, state: State) -> StudyDetail:
    """A study that came into this state on the usual way."""
    receive(index, study, 1)
    if state in {State.DELIVERING, State.DONE}:
        finish(index, study)
    elif state is not State.RECEIVING:
        index.close_version(study, AT)
    found = index.study(study)
    assert found is not None
    if state is State.HELD:
        index.operators.hold(study, order())
    elif state is not State.RECEIVING:
        index.set_state(study, found.summary.content_version, state, "So it is.")
    found = index.study(study)
    assert found is not None
    assert found.summary.state is state
    return found
