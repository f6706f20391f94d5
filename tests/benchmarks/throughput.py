"""`just bench-engine`: what the engine costs beside analysis and quiet time, and whether a burst loses anything.

The service is real, in a process of its own; its analysis measures nothing (`tests/validation/engine/pretended.py`) and
takes a fixed time, so that what is left of each study's time is the engine's. Two ways of arriving: a burst, as fast as the
sender can, and one after another at the pace of so many an hour.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cyclopts
from pydicom.uid import generate_uid
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import track

from service.dicom.archive import Archive
from service.dicom.destination import Caller, parse_destination
from service.dicom.sender import send
from service.store.index import Index
from service.store.records import ENDED, State, StudyDetail
from tests.dicom.wire import an_image
from tests.journey.test_orthanc import saved
from tests.journey.waiting import LOOK_S, eventually, free_port
from tests.validation import evidence
from tests.validation.engine.parts import Parts

QUIET_S = 0.5  # of the configuration of `Parts`
LONG_S = 3600.0
ANALYSED = re.compile(r"in ([\d.]+) s")


@dataclass(frozen=True, slots=True)
class Study:
    """One study through the service: seconds from complete to done, of which its analysis took some."""

    whole: float
    analysis: float
    done_at: float

    @property
    def engine(self) -> float:
        """What neither the analysis nor the quiet time took; in a burst it holds the waiting for other analyses too."""
        return self.whole - self.analysis


def main(
    burst: int = 200, hourly: int = 40, sustained: int = 10, instances: int = 324, pretend_s: float = 1.0, *, write: bool = True
) -> None:
    """Send `burst` studies at once, then `sustained` at the pace of `hourly`; figures go into docs/evidence.md."""
    console, started = Console(), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        archive = Archive(folder / "archive")
        archive.start()
        parts = Parts(folder / "service", archive.address, port=free_port(), verify="find", pretend_s=pretend_s)
        try:
            parts.start()
            pace = [
                _one(parts, folder, instances, 3600.0 / hourly)
                for _ in track(range(sustained), "One at a time", console=console)
            ]
            began = time.time()
            uids = [_send(parts, folder, instances) for _ in track(range(burst), "A burst", console=console)]
            sent = time.time()
            together = [_done(parts, uid) for uid in track(uids, "Until all are done", console=console)]
        finally:
            parts.stop()
            archive.stop()
    rows = [*_sustained(pace, hourly), *_burst(together, began, sent)]
    head = f"Studies of {instances} instances; an analysis that measures nothing takes {pretend_s:g} s and its start."
    table = evidence.table(("what", "result"), rows)
    body = "\n\n".join([evidence.stamp("just bench-engine", time.monotonic() - started), head, table])
    console.print(Markdown(body))
    if write:
        evidence.replace("bench-engine", body)


def _one(parts: Parts, folder: Path, instances: int, every_s: float) -> Study:
    """A study, and the rest of the time until the next one comes."""
    began = time.monotonic()
    study = _done(parts, _send(parts, folder, instances))
    time.sleep(max(0.0, every_s - (time.monotonic() - began)))
    return study


def _send(parts: Parts, folder: Path, instances: int) -> str:
    uid = str(generate_uid(prefix=None))
    place = folder / uid
    place.mkdir()
    paths = [saved(an_image(study=uid), place) for _ in range(instances)]
    sent = send(paths, parse_destination("service", f"CRYOMARGIN@127.0.0.1:{parts.port}"), Caller("MODALITY", 120.0))
    if refused := [one.error for one in sent if one.error is not None]:
        raise RuntimeError(f"{len(refused)} instances were not taken: {refused[0]}")
    return uid


def _done(parts: Parts, uid: str) -> Study:
    with Index.open(f"sqlite:///{parts.storage / 'index.sqlite'}") as index:
        detail = eventually(lambda: index.study(uid), _has_ended, LONG_S, LOOK_S)
    if detail is None or detail.summary.state is not State.DONE:
        raise RuntimeError(f"not done: {detail and detail.summary.sentence}")
    at: dict[str, datetime] = {event.word: event.at for event in detail.events}
    said = " ".join(event.sentence for event in detail.events if event.word == "analysed")
    (analysis,) = map(float, ANALYSED.findall(said))
    return Study((at["done"] - at["complete"]).total_seconds(), analysis, at["done"].timestamp())


def _has_ended(detail: StudyDetail | None) -> bool:
    return detail is not None and detail.summary.state in ENDED


def _sustained(studies: Sequence[Study], hourly: int) -> list[tuple[str, str]]:
    if not studies:
        return []
    engine = [study.engine for study in studies]
    return [
        (f"{len(studies)} studies at the pace of {hourly} an hour: all done", "yes"),
        ("the engine, a study: median and longest", f"{statistics.median(engine):.2f} s, {max(engine):.2f} s"),
    ]


def _burst(studies: Sequence[Study], began: float, sent: float) -> list[tuple[str, str]]:
    if not studies:
        return []
    last, analysis = max(study.done_at for study in studies), sum(study.analysis for study in studies)
    return [
        (f"a burst of {len(studies)} studies: all done", "yes"),
        ("sending them", f"{sent - began:.0f} s"),
        ("from the first image to the last result verified", f"{last - began:.0f} s"),
        ("of that the analyses, one at a time", f"{analysis:.0f} s"),
        ("beside them, a study", f"{max(last - began - analysis, 0.0) / len(studies):.2f} s"),
    ]


if __name__ == "__main__":
    cyclopts.run(main)
