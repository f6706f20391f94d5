"""GET /metrics as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from service import metrics
from service.store.records import State
from tests.web.sample import STUDY


def samples(client: TestClient) -> Mapping[tuple[str, tuple[str, ...]], float]:
    """Every value by its name and its labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_what_there_is_now_is_read_from_the_index(client: TestClient) -> None:
    seen = samples(client)

    assert seen["cryomargin_studies", ("done",)] == 1
    assert seen["cryomargin_studies", ("receiving",)] == 1
    assert seen["cryomargin_studies", ("failed",)] == 0
    assert {labels[0] for name, labels in seen if name == "cryomargin_studies"} == {state.value for state in State}
    assert seen["cryomargin_deliveries", ("archive", "verified")] == 1
    assert seen["cryomargin_deliveries", ("archive", "failed")] == 1
    assert seen["cryomargin_associations_open", ()] == 0
    assert seen["cryomargin_disk_free_bytes", ()] == 7e9
    assert seen["cryomargin_build_info", ("0.1.0",)] == 1


def test_what_was_counted_is_shown(client: TestClient) -> None:
    before = samples(client).get(("cryomargin_instances_total", ("0xC000",)), 0.0)
    metrics.answered(0xC000, 100)

    assert samples(client)["cryomargin_instances_total", ("0xC000",)] == before + 1


def test_no_study_and_no_patient_is_named(client: TestClient) -> None:
    text = client.get("/metrics").text

    assert STUDY not in text
    assert "PAT-4711" not in text


def test_a_peer_cannot_make_ever_new_values_of_a_label(client: TestClient) -> None:
    """Each would cost memory here and in Prometheus for ever."""
    for number in range(500):
        metrics.association_rejected(f"invented {number}")

    reasons = {labels for name, labels in samples(client) if name == "cryomargin_associations_rejected_total"}
    assert len(reasons) <= 41
    assert ("other",) in reasons
