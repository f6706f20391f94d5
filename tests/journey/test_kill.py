"""Kill -9 of the whole process tree, twenty times: nothing acknowledged is lost, and each result arrives once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from service.store.files import Files
from service.store.index import Index
from tests.journey.conftest import Study
from tests.journey.line import Sending, SlowLine, storescu
from tests.journey.orthanc import Orthanc, read
from tests.journey.running import Running
from tests.journey.test_orthanc import states
from tests.journey.waiting import eventually, free_port

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

# While it is received, a study waits longer than a sender needs to come back after a restart, so that it is one content.
PATIENT_S, QUIET_S = 120.0, 1.0
CLOSE_S = 0.15  # between two looks at a study that is to be killed in a state that may be short
PAUSE_S, SENDING_PAUSE_S = 0.002, 0.01
ORDER = ("", "receiving", "queued", "analysing", "delivering", "done")  # "": not heard of yet
REPORT = 92  # percent when the analysis is done and the objects are being composed
# Where a study is when the service is killed: twenty instants in two studies. It is "complete" about when it is closed.
LIVES = 2
LIFE = ("receiving",) * 3 + ("waiting", "complete") + ("analysing",) * 2 + ("composing",) + ("delivering",) * 2


@dataclass(slots=True)
class Victim:
    """A service that is killed, the study that is sent to it again and again, and what it has acknowledged."""

    service: Running
    study: Study
    chance: random.Random
    acknowledged: set[Path] = field(default_factory=set)
    killed_in: list[str] = field(default_factory=list)

    @property
    def rest(self) -> list[Path]:
        """What a sender would send again."""
        return [path for path in self.study.paths if path not in self.acknowledged]

    def seen(self) -> dict[str, Any]:
        """Where the study is, as the API says."""
        return self.service.study(self.study.uid) or {"state": "", "percent": 0, "counts": {"instances": 0}}

    def kill_while_receiving(self) -> None:
        """After a random number of instances, in the middle of an association: a third of the rest is under way at most."""
        target = len(self.acknowledged) + self.chance.randint(0, len(self.rest) // 3)
        with SlowLine(self.service.port, SENDING_PAUSE_S) as line, Sending(self.rest, line.port) as sending:
            eventually(self.seen, lambda seen: seen["counts"]["instances"] >= target, longest_pause=CLOSE_S)
            self.end(self.chance.uniform(0, 0.2))
            self.acknowledged.update(sending.acknowledged())
        assert self.rest, "killed too late to interrupt anything"
        self.begin()

    def send_the_rest(self) -> None:
        """The sender comes back, and now gets through."""
        self.acknowledged.update(storescu(self.rest, self.service.port))
        assert self.rest == []

    def kill_in(self, phase: str) -> None:
        """At a random instant after the study got that far."""
        state, percent, span = {
            "waiting": ("receiving", 0, 1.0),
            "complete": ("receiving", 0, QUIET_S + 1.0),
            "analysing": ("analysing", self.chance.choice((0, 20, 40, 60)), 1.0),
            "composing": ("analysing", REPORT, 0.7),
            "delivering": ("delivering", 0, 1.0),
        }[phase]
        eventually(self.seen, lambda seen: far(seen) >= (ORDER.index(state), percent), longest_pause=CLOSE_S)
        self.end(self.chance.uniform(0, span))
        self.begin()

    def end(self, after_s: float) -> None:
        """Kill it that much later."""
        time.sleep(after_s)
        seen = self.seen()
        self.killed_in.append("composing" if far(seen) == (ORDER.index("analysing"), REPORT) else seen["state"])
        self.service.kill()

    def begin(self) -> None:
        """Go on with what is left: everything acknowledged must be there."""
        begin(self.service, PATIENT_S if self.rest else QUIET_S)
        assert self.seen()["counts"]["instances"] >= len(self.acknowledged)


def begin(service: Running, quiet_s: float) -> None:
    """Start with another quiet time than the configuration's."""
    service.start(CRYOMARGIN_COMPLETION__QUIET_AFTER_RELEASE_S=str(quiet_s))


def far(seen: dict[str, Any]) -> tuple[int, int]:
    """How far a study is: its place in the order of states, then percent of the analysis."""
    return ORDER.index(seen["state"]), seen["percent"] if seen["state"] == "analysing" else 0


@pytest.fixture
def service(tmp_path: Path, orthanc: Orthanc) -> Iterator[Running]:
    """A service with a slow line to the archive, so that a delivery has an inside."""
    with SlowLine(orthanc.port, PAUSE_S) as line:
        made = Running(tmp_path / "service", port=free_port(), archive=line.port, quiet_s=PATIENT_S)
        yield made
        made.stop()


def test_whenever_it_is_killed_the_result_arrives_once(
    service: Running, orthanc: Orthanc, new_study: Callable[[str], Study]
) -> None:
    begin(service, PATIENT_S)
    victims = [live(service, new_study(f"KILLED-{number}"), random.Random(number)) for number in range(LIVES)]  # noqa: S311

    killed_in = [state for victim in victims for state in victim.killed_in]
    assert len(killed_in) == LIVES * len(LIFE) == 20
    assert {"receiving", "analysing", "delivering"} <= set(killed_in), killed_in
    for victim in victims:
        assert_once(orthanc, victim)
    assert service.terminate() == 0
    for victim in victims:
        assert_kept(service, victim.study)


def live(service: Running, study: Study, chance: random.Random) -> Victim:
    """One study from its first image to its end, through all the kills."""
    victim = Victim(service, study, chance)
    for phase in LIFE:
        if phase == "receiving":
            victim.kill_while_receiving()
            continue
        if phase == "waiting":
            victim.send_the_rest()
        victim.kill_in(phase)
    return victim


def assert_once(orthanc: Orthanc, victim: Victim) -> None:
    """Every object once in the archive, verified there, and they are the ones that the service knows of."""
    detail = victim.service.settled(victim.study.uid)
    assert (detail["state"], len(detail["versions"]), detail["errors"]) == ("done", 1, [])
    assert states(detail) == {"verified"}
    (name,) = orthanc.studies(victim.study.uid)
    assert orthanc.counts(name) == {"SEG": 1, "SR": 2, "OT": 1}
    arrived = [read(file).SOPInstanceUID for modality in ("SEG", "SR", "OT") for file in orthanc.results(name, modality)]
    assert sorted(arrived) == sorted(output["sop_instance_uid"] for output in detail["outputs"])


def assert_kept(service: Running, study: Study) -> None:
    """Every instance is in the index and on disk as it was sent, and no other file is."""
    files = Files(service.storage)
    with Index.open(f"sqlite:///{service.storage / 'index.sqlite'}") as index:
        stored = {one.sop_instance_uid: dcmread(files.path(one.key)) for one in index.instances(study.uid)}
    sent = {str(image.SOPInstanceUID): image for image in map(dcmread, study.paths)}
    assert stored.keys() == sent.keys()
    assert all(stored[uid] == image for uid, image in sent.items())
    assert sum(1 for _ in files.received_keys()) == LIVES * len(sent)
