"""`just soak`: the service is killed again and again in the middle of its work, and nothing is lost or made twice.

Each study meets a few kill -9 of the whole process tree at random instants: the first while it is sent, the others once all
of it was. The sender sends again only what was not acknowledged, so an acknowledged instance that is lost would be missed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cyclopts
from pydicom import dcmread
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import Progress

from service.dicom.archive import Archive
from service.dicom.destination import Caller, parse_destination
from service.dicom.sender import send
from service.errors import TryAgain
from service.jobs.example import example_patient
from service.phantom.patient import PhantomPatient
from service.phantom.story import Story
from service.phantom.write import write_study
from service.study.model import Role
from tests.journey.running import Running
from tests.journey.waiting import free_port
from tests.validation import evidence, killing

SENDING_S = 1.0  # by then a small study has been sent
LATEST_S = 6.0  # by then its results have arrived at the archive when nobody kills
RESULTS = 2  # segmentation and report
FEWER = frozenset({Role.T2, Role.ARTERIAL, Role.DELAYED})


@dataclass(slots=True)
class Tally:
    """What happened so far; `faults` are sentences, one for each study that did not end as it must."""

    studies: int = 0
    failed: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def main(
    kills: int = 60, each: int = 3, minutes: float = 10.0, seed: int = 1, *, receiving: int = 0, write: bool = True
) -> None:
    """Kill the service `kills` times, `each` times a study, for at most `minutes`; figures go into docs/evidence.md.

    With `receiving` the listener alone is killed that often, in the middle of what eight senders store.
    """
    if receiving:
        killing.soak(receiving, seed, write=write)
    console, started = Console(), time.monotonic()
    chance, tally, patient = random.Random(seed), Tally(), example_patient()  # noqa: S311 instants, no secrets
    with tempfile.TemporaryDirectory() as place, Progress(console=console) as progress:
        folder, bar = Path(place), progress.add_task("Kills", total=kills)
        archive = Archive(folder / "archive")
        archive.start()
        running = Running(folder / "service", port=free_port(), archive=int(archive.address.rpartition(":")[2]), quiet_s=0.5)
        try:
            while tally.kills.total() < kills and time.monotonic() - started < 60 * minutes:
                paths = _write(patient, folder, tally.studies)
                instants = [chance.uniform(0.0, LATEST_S if number else SENDING_S) for number in range(each)]
                _one_study(running, archive, paths, instants, tally)
                progress.update(bar, completed=tally.kills.total())
            _again(running, archive, paths, tally)
        finally:
            running.stop()
            archive.stop()
        resent = sum(one.copies > 1 for one in archive.stored())
    body = f"{evidence.stamp('just soak', time.monotonic() - started)}\n\n{_figures(tally, resent)}"
    console.print(Markdown(body))
    if write:
        evidence.replace("soak", body)
    sys.exit(1 if tally.faults else 0)


def _write(patient: PhantomPatient, folder: Path, number: int) -> list[Path]:
    story = Story(patient_id=f"SOAK-{number}", drop=FEWER)
    return write_study(patient, folder / f"study-{number}", seg="fractional", story=story)


def _one_study(running: Running, archive: Archive, paths: Sequence[Path], instants: Sequence[float], tally: Tally) -> None:
    """A study that meets a kill at each of these instants (s), then is left in peace."""
    study_uid = _study_uid(paths)
    left = list(paths)
    for number, instant in enumerate(instants):
        if number > 0 or tally.studies == 0:  # else it still runs from the study before
            running.start()
        sending = _Sending(running, left)
        if number > 0:
            sending.join()
        time.sleep(instant)
        seen = running.study(study_uid)
        tally.kills[seen["state"] if seen else "nothing received"] += 1
        running.kill()
        left = sending.join()
    running.start()
    left = _send(running, left)
    seen = running.settled(study_uid)
    tally.studies += 1
    faults = _faults(seen, archive, paths, left)
    tally.failed += bool(faults)
    tally.faults += [f"study {tally.studies}: {fault}" for fault in faults]


class _Sending:
    """A sender at work in a thread."""

    def __init__(self, running: Running, paths: list[Path]) -> None:
        self._left: list[Path] = []
        self._thread = threading.Thread(target=lambda: self._left.extend(_send(running, paths)))
        self._thread.start()

    def join(self) -> list[Path]:
        """What was not acknowledged by the time it ended."""
        self._thread.join()
        return self._left


def _send(running: Running, paths: list[Path]) -> list[Path]:
    if not paths:
        return []
    try:
        sent = send(paths, parse_destination("service", f"CRYOMARGIN@127.0.0.1:{running.port}"), Caller("MR"))
    except TryAgain:
        return paths
    return [path for path, one in zip(paths, sent, strict=True) if one.error is not None]


def _again(running: Running, archive: Archive, paths: Sequence[Path], tally: Tally) -> None:
    """The last study once more: nothing may come of it."""
    left = _send(running, list(paths))
    time.sleep(3.0)
    tally.faults += [f"sent again: {fault}" for fault in _faults(running.settled(_study_uid(paths)), archive, paths, left)]


def _faults(seen: dict[str, Any], archive: Archive, paths: Sequence[Path], left: Sequence[Path]) -> list[str]:
    """What is not as it must be: everything received, done, and the newest result in the archive with nothing unknown to us.

    A study whose sender was cut off for long may be analysed in part first; its whole then supersedes that.
    """
    archived = [one for one in archive.stored() if one.reference.study_instance_uid == seen["study_instance_uid"]]
    there = {one.reference.sop_instance_uid for one in archived}
    made = [one["sop_instance_uid"] for one in seen["outputs"]]
    received = seen["counts"]["instances"]
    checks = {
        f"{len(left)} instances were refused": not left,
        f"{received} of {len(paths)} instances are there": received == len(paths),
        f"it is {seen['state']}: {seen['sentence']}": seen["state"] == "done",
        f"{RESULTS} objects of the newest result must be in the archive": set(made[:RESULTS]) <= there and len(made) >= RESULTS,
        f"{len(there)} objects are in the archive, {len(made)} were made": there <= set(made),
        f"the result is of {seen['result_version']}": seen["result_version"] == seen["content_version"],
    }
    return [fault for fault, held in checks.items() if not held]


def _study_uid(paths: Sequence[Path]) -> str:
    return str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)


def _figures(tally: Tally, resent: int) -> str:
    when = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in tally.kills.most_common())
    rows = [
        ("kill -9 of the whole process tree", tally.kills.total()),
        ("state of the study at that instant", when),
        ("studies", tally.studies),
        (
            "studies with every acknowledged instance used and their one newest result in the archive",
            tally.studies - tally.failed,
        ),
        ("objects sent to the archive more than once (the same object, which replaces itself)", resent),
        ("faults", "; ".join(tally.faults) or "none"),
    ]
    return evidence.table(("what", "result"), rows)


if __name__ == "__main__":
    cyclopts.run(main)
