"""An archive that goes away in the middle of the work, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journey.conftest import Study
from tests.journey.line import storescu
from tests.journey.orthanc import Orthanc
from tests.journey.running import Running
from tests.journey.test_orthanc import states
from tests.journey.waiting import eventually, free_port

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def mortal(tmp_path: Path, port: int) -> Iterator[Orthanc]:
    """An Orthanc of its own, which knows the service."""
    made = Orthanc(tmp_path / "orthanc", port)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def service(tmp_path: Path, port: int, mortal: Orthanc) -> Iterator[Running]:
    made = Running(tmp_path / "service", port=port, archive=mortal.port, quiet_s=0.5, verify="commitment")
    made.start()
    yield made
    made.stop()


def test_an_archive_that_is_stopped_in_the_middle_gets_every_result_once_when_it_is_back(
    service: Running, mortal: Orthanc, new_study: Callable[[str], Study]
) -> None:
    """While it is away the study, each object and the destination say why and since when."""
    study = new_study("STOPPED")
    mortal.stop()
    storescu(study.paths, service.port)
    waiting = eventually(lambda: service.study(study.uid) or {}, lambda seen: "and wait" in seen.get("sentence", ""))
    assert waiting["state"] == "delivering"
    assert waiting["sentence"].endswith("nothing listens at this address (connection refused)")
    (destination,) = service.get("/api/v1/destinations")[1]["items"]
    assert destination["down_since"] is not None
    assert destination["sentence"] in waiting["sentence"]

    mortal.start()
    detail = service.settled(study.uid)
    assert (detail["state"], states(detail)) == ("done", {"verified"}), detail["sentence"]
    (name,) = mortal.studies(study.uid)
    assert mortal.counts(name) == {"SEG": 1, "SR": 2, "OT": 1}
