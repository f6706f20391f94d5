"""The status API over a real index."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from service.store.index import Index
from service.store.orders import Order
from service.web.app import create_app
from service.web.info import Check, Probed, ServiceInfo
from tests.web.conftest import PATIENT, finish, receive
from tests.web.sample import AT, RECEIVING, STUDY, VERDICT


def test_live_needs_nothing(client: TestClient) -> None:
    answer = client.get("/api/v1/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive", "version": "0.1.0"})


def test_ready_names_every_check(client: TestClient) -> None:
    answer = client.get("/api/v1/health/ready").json()

    assert answer["status"] == "ready"
    assert [check["name"] for check in answer["checks"]] == ["database", "disk"]


def test_a_failed_check_is_a_problem_that_says_which(index: Index, info: ServiceInfo) -> None:
    worker = Check("worker", lambda: Probed(ok=False, sentence="No heartbeat for 95 s."))
    client = TestClient(create_app(index, dataclasses.replace(info, checks=(*info.checks, worker))))

    answer = client.get("/api/v1/health/ready")

    assert_problem(answer, 503, "not-ready")
    assert answer.json()["detail"] == "worker: No heartbeat for 95 s."
    assert [check["ok"] for check in answer.json()["checks"]] == [True, True, False]


def test_service_counts_studies_in_every_state(client: TestClient) -> None:
    answer = client.get("/api/v1/service").json()

    assert answer["studies"] == {
        "receiving": 1,
        "held": 0,
        "queued": 0,
        "analysing": 0,
        "delivering": 0,
        "done": 1,
        "nothing_to_do": 0,
        "cancelled": 0,
        "failed": 0,
    }
    assert answer["listener"] == "CRYOMARGIN@127.0.0.1:11112"
    assert "For research use" in answer["notice"]


def test_a_destination_tells_what_it_refused(client: TestClient) -> None:
    (answer,) = client.get("/api/v1/destinations").json()["items"]

    assert (
        answer["name"],
        answer["pending"],
        answer["failed"],
        answer["last_failure"],
    ) == ("archive", 0, 1, "the data set does not match")


def test_a_destination_that_is_down_says_since_when_and_what_waits_says_why(client: TestClient, index: Index) -> None:
    """Also what nobody has tried to send, because it is down."""
    held = index.lines.take("archive", "worker", AT)
    assert held is not None
    index.lines.interrupted(held, "archive (PACS@192.0.2.10:104): nothing listens", AT, AT + timedelta(seconds=40))
    index.operators.resend(STUDY, "archive", Order("a person", AT))

    (destination,) = client.get("/api/v1/destinations").json()["items"]
    outputs = client.get(f"/api/v1/studies/{STUDY}").json()["outputs"]
    page = client.get(f"/studies/{STUDY}", headers={"Accept": "text/html"}).text

    again = "2026-03-01T10:30:45Z"
    assert (destination["down_since"], destination["next_try_at"]) == ("2026-03-01T10:30:05Z", again)
    assert destination["sentence"] == "archive (PACS@192.0.2.10:104): nothing listens"
    waiting = [delivery for output in outputs for delivery in output["deliveries"]]
    assert [(one["state"], one["detail"], one["next_try_at"]) for one in waiting] == [
        ("pending", destination["sentence"], again)
    ] * 2
    assert "sent next at" in page
    assert ">down</span>" in client.get("/service", headers={"Accept": "text/html"}).text


def test_the_list_has_state_and_sentence(client: TestClient) -> None:
    answer = client.get("/api/v1/studies").json()

    assert answer["total"] == 2
    done = next(study for study in answer["items"] if study["study_instance_uid"] == STUDY)
    assert (done["state"], done["sentence"]) == ("done", VERDICT)
    assert done["counts"] == {"series": 2, "instances": 1, "ignored": 1, "conflicts": 1}


def test_the_list_never_names_a_patient(index: Index, info: ServiceInfo) -> None:
    """Also not when the patient ID is shown on the page of a study."""
    client = TestClient(create_app(index, dataclasses.replace(info, show_patient_id=True)))

    assert PATIENT not in client.get("/api/v1/studies").text
    assert PATIENT not in client.get("/").text


def test_the_list_is_filtered_by_state(client: TestClient) -> None:
    answer = client.get("/api/v1/studies", params={"state": "receiving"}).json()

    assert (answer["total"], [study["study_instance_uid"] for study in answer["items"]]) == (1, [RECEIVING])


def test_pages_lead_through_all_studies_once(client: TestClient, index: Index) -> None:
    for number in range(3, 8):
        receive(index, f"1.2.3.{number}", 1)
    seen: list[str] = []
    at: str | None = "/api/v1/studies?limit=3"

    while at:
        page = client.get(at).json()
        seen += [study["study_instance_uid"] for study in page["items"]]
        at = page["next"]

    assert (len(seen), len(set(seen))) == (7, 7)
    assert page["previous"] == "/api/v1/studies?limit=3&offset=3"


def test_the_next_page_keeps_the_filter(client: TestClient, index: Index) -> None:
    receive(index, "1.2.3", 1)

    page = client.get("/api/v1/studies?limit=1&state=receiving").json()

    assert page["next"] == "/api/v1/studies?limit=1&offset=1&state=receiving"


def test_a_study_has_all_that_is_known(client: TestClient) -> None:
    study = client.get(f"/api/v1/studies/{STUDY}").json()

    assert [(series["number"], series["instances"], series["reason_ignored"]) for series in study["series"]] == [
        (5, 1, ""),
        (90, 0, "A presentation state takes no part."),
    ]
    assert study["result"]["verdict"] == VERDICT
    assert study["content_version"] == study["result_version"]
    assert [output["role"] for output in study["outputs"]] == ["seg", "sr"]
    assert [f"{STUDY}.5.1"] == [conflict["sop_instance_uid"] for conflict in study["conflicts"]]
    assert study["events"][0]["word"] == "receiving"
    assert [version["ordinal"] for version in study["versions"]] == [1]


def test_the_record_is_passed_on_whole(client: TestClient, index: Index) -> None:
    """The API shows the very record that the report was made from, number for number."""
    detail = index.study(STUDY)
    assert detail is not None
    assert detail.result is not None

    shown = client.get(f"/api/v1/studies/{STUDY}").json()["result"]

    assert dict(detail.result) | {"created_at": shown["created_at"]} == shown


def test_a_refused_object_is_an_error(client: TestClient) -> None:
    (error,) = client.get(f"/api/v1/studies/{STUDY}").json()["errors"]

    assert (error["where"], error["sentence"]) == ("archive", "SR: the data set does not match")


def test_objects_of_an_earlier_result_stay_visible(client: TestClient, index: Index) -> None:
    receive(index, STUDY, 6)
    version = index.close_version(STUDY, AT).content_version
    index.save_result(STUDY, version, {}, [], AT)

    outputs = client.get(f"/api/v1/studies/{STUDY}").json()["outputs"]

    assert [(output["role"], output["size"]) for output in outputs] == [("sr", None), ("seg", None)]
    assert version not in {output["content_version"] for output in outputs}


@pytest.mark.parametrize(("shown", "expected"), [(False, None), (True, PATIENT)])
def test_the_patient_id_is_shown_only_when_configured(
    index: Index, info: ServiceInfo, *, shown: bool, expected: str | None
) -> None:
    client = TestClient(create_app(index, dataclasses.replace(info, show_patient_id=shown)))

    assert expected == client.get(f"/api/v1/studies/{STUDY}").json()["patient_id"]
    assert shown == (PATIENT in client.get(f"/studies/{STUDY}").text)


def test_replay_answers_with_the_job(client: TestClient) -> None:
    answer = client.post(f"/api/v1/studies/{STUDY}/replay")

    assert answer.status_code == 202
    assert re.fullmatch(rf"{STUDY}/[0-9a-f]{{12}}/2", answer.json()["job_id"])
    assert client.get(f"/api/v1/studies/{STUDY}").json()["state"] == "queued"


def test_an_impossible_replay_says_why(client: TestClient) -> None:
    answer = client.post(f"/api/v1/studies/{RECEIVING}/replay")

    assert_problem(answer, 503, "store.not_ended")
    assert answer.json()["detail"] == "The study is still receiving: ask again when that has ended."


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://testserver"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("path", [f"/api/v1/studies/{STUDY}/replay", f"/studies/{STUDY}/analyse"])
def test_a_page_of_another_site_cannot_replay(client: TestClient, path: str, headers: dict[str, str]) -> None:
    assert_problem(client.post(path, headers=headers), 403, "forbidden")
    assert client.get(f"/api/v1/studies/{STUDY}").json()["state"] == "done"


def test_our_own_page_can_replay(client: TestClient) -> None:
    headers = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}

    answer = client.post(f"/studies/{STUDY}/analyse", headers=headers, follow_redirects=False)

    assert (303, f"/studies/{STUDY}") == (answer.status_code, answer.headers["location"])
    assert client.get(f"/api/v1/studies/{STUDY}").json()["state"] == "queued"


def test_a_study_without_images_to_use_is_shown(client: TestClient, index: Index) -> None:
    receive(index, "1.2.9", 1, ignored="A presentation state takes no part.")

    study = client.get("/api/v1/studies/1.2.9").json()

    assert (study["state"], study["result"]) == ("nothing_to_do", None)


def test_a_second_study_does_not_mix_with_the_first(client: TestClient, index: Index) -> None:
    receive(index, "1.2.9", 1)
    finish(index, "1.2.9")

    study = client.get("/api/v1/studies/1.2.9").json()

    assert {"1.2.9.901", "1.2.9.902"} == {output["sop_instance_uid"] for output in study["outputs"]}


def test_the_description_is_complete(client: TestClient) -> None:
    """Each route says what it gives and what can go wrong, each parameter and member of an answer what it is."""
    description = client.get("/api/v1/openapi.json").json()
    routes = [route for methods in description["paths"].values() for route in methods.values()]

    assert description["openapi"][:3] == "3.1"
    for route in routes:
        assert route["summary"]
        assert route["description"]
        assert "500" in route["responses"]
        assert all(
            "application/json" not in answer.get("content", {}) for code, answer in route["responses"].items() if code >= "4"
        )
        assert all(parameter["description"] for parameter in route.get("parameters", []))
    assert all(schema["description"] for schema in description["components"]["schemas"].values() if "enum" not in schema)


def test_every_shape_that_the_description_names_is_in_it(client: TestClient) -> None:
    answer = client.get("/api/v1/openapi.json")

    named = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert {"Study", "ResultRecord", "Problem", "Invalid"} <= named
    assert named <= set(answer.json()["components"]["schemas"])


def assert_problem(answer: Response, status: int, code: str) -> None:
    """The answer is problem details of this kind."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (status, status, f"urn:cryomargin:problem:{code}") == (answer.status_code, body["status"], body["type"])
    assert answer.request.url.path == body["instance"]
    assert body["title"]
    assert body["detail"]
