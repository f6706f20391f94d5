"""What a person says by the API is kept, remembered for the scanner, and analysed."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.options import RoleRule
from service.store.index import Index
from service.store.records import State
from tests.web.sample import RECEIVING, STUDY

PHASE: dict[str, Any] = {
    "key": f"{STUDY}.5",
    "series_instance_uid": f"{STUDY}.5",
    "series_number": 5,
    "apart_by": "",
    "scanner": "SIEMENS Sola 4711",
    "protocol": "liver",
    "description": "vibe",
    "ordinal": 2,
    "role": "unknown",
    "score": 0.4,
    "reasons": ["too little evidence for arterial"],
    "told": False,
}
RULE = RoleRule("arterial", "SIEMENS Sola 4711", "liver", "vibe", 2)
URL = f"/api/v1/studies/{STUDY}/corrections"


@pytest.fixture
def analysed(index: Index) -> Index:
    """The finished study, whose series were understood."""
    detail = index.study(STUDY)
    assert detail is not None
    index.save_phases(STUDY, detail.summary.content_version, [PHASE])
    return index


def test_a_role_is_remembered_for_scanner_and_protocol_and_the_study_analysed(client: TestClient, analysed: Index) -> None:
    assert client.get(f"/api/v1/studies/{STUDY}").json()["phases"] == [PHASE]
    answer = client.post(URL, json={"roles": [{"phase": PHASE["key"], "role": "arterial"}]})
    assert answer.status_code == 202
    assert analysed.studies(1, state=State.QUEUED)[0].study_instance_uid == STUDY
    assert analysed.role_rules() == (RULE,)
    assert client.get("/api/v1/roles").json()["items"][0]["role"] == "arterial"
    client.post(URL, json={"roles": [{"phase": PHASE["key"], "role": None}]})
    assert analysed.role_rules() == ()


def test_a_point_and_a_time_are_kept_and_what_is_not_said_stays(client: TestClient, analysed: Index) -> None:
    client.post(URL, json={"seeds": [[1, 2.5, -3]]})
    client.post(URL, json={"procedure_at": "2026-02-28T10:00:00"})
    assert analysed.told(STUDY) == {"seeds": [[1.0, 2.5, -3.0]], "procedure_at": "2026-02-28T10:00:00"}
    detail = analysed.study(STUDY)
    assert detail is not None
    assert detail.events[-1].sentence == "A person said: the time of the ablation was given."


@pytest.mark.parametrize(
    "body",
    [
        {"roles": [{"phase": "1.2.3", "role": "arterial"}]},
        {"roles": [{"phase": PHASE["key"], "role": "aorta"}]},
        {"seeds": [[1, 2]]},
        {"procedure_at": "2026-02-28T10:00:00Z"},
        {"zone": 1},
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_kept(client: TestClient, analysed: Index, body: dict[str, Any]) -> None:
    assert client.post(URL, json=body).status_code == 422
    assert (analysed.role_rules(), analysed.told(STUDY), analysed.operators.actions()) == ((), {}, ())


def test_while_images_come_it_is_kept_for_the_analysis_that_follows(client: TestClient, index: Index) -> None:
    url = f"/api/v1/studies/{RECEIVING}/corrections"
    assert client.post(url, json={"seeds": [[1, 2, 3]]}).status_code == 503
    assert index.told(RECEIVING) == {"seeds": [[1.0, 2.0, 3.0]]}


def test_another_site_may_not_correct(client: TestClient, analysed: Index) -> None:
    answer = client.post(URL, json={"seeds": [[1, 2, 3]]}, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert analysed.told(STUDY) == {}


def test_an_unknown_study_is_not_found(client: TestClient) -> None:
    assert client.post("/api/v1/studies/1.9.9/corrections", json={}).status_code == 404
