"""SIGTERM: what is in flight is finished, the rest goes on at the next start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journey.conftest import Study
from tests.journey.line import storescu
from tests.journey.orthanc import Orthanc
from tests.journey.running import Running
from tests.journey.waiting import eventually, free_port

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def service(tmp_path: Path, orthanc: Orthanc) -> Iterator[Running]:
    """One of its own, to be stopped."""
    made = Running(tmp_path / "service", port=free_port(), archive=orthanc.port, quiet_s=0.5)
    made.start()
    yield made
    made.stop()


def test_a_stop_in_the_middle_of_an_analysis_finishes_it_and_exits_with_zero(
    service: Running, orthanc: Orthanc, new_study: Callable[[str], Study]
) -> None:
    """A service manager that restarts it costs no second analysis."""
    study = new_study("SIGTERM")
    assert storescu(study.paths, service.port) == study.paths
    eventually(lambda: service.study(study.uid), lambda seen: seen is not None and seen["state"] == "analysing")

    assert service.terminate() == 0, service.log()[-2000:]
    assert "event=stopped" in service.log()

    service.start()
    detail = service.settled(study.uid)
    assert (detail["state"], detail["attempt"]) == ("done", 1)
    assert [event["word"] for event in detail["events"]].count("analysed") == 1
    (name,) = orthanc.studies(study.uid)
    assert orthanc.counts(name) == {"SEG": 1, "SR": 2, "OT": 1}
    assert service.terminate() == 0
