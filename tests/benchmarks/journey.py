"""`just bench`: from the last image of a clinical exam to the report in the archive, the configured quiet time apart.

The running service in a process of its own, the product's small archive as the destination. The analysis alone is timed
stage by stage in the same child process that the service uses. Wall time suffers from whatever else the machine does, so
processor time stands beside it.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cyclopts
from pydicom import dcmread
from rich.console import Console
from rich.markdown import Markdown

from service.dicom.archive import Archive
from service.dicom.destination import Caller, parse_destination
from service.dicom.sender import send
from service.jobs.example import example_patient
from service.jobs.messages import Request
from service.jobs.process import Ended, Limits, run_analysis, work_folder
from service.options import AnalysisOptions
from service.phantom.patient import PhantomPatient
from service.phantom.story import Story
from service.phantom.write import write_study
from tests.journey.running import Running
from tests.journey.waiting import LOOK_S, eventually, free_port
from tests.validation import evidence

QUIET_S = 1.0
GOAL_S, GOAL_MB = 15.0, 2048
REPORT = "1.2.840.10008.5.1.4.1.1.88."
STAGES = {
    "read": "start and read headers and pixels",
    "volumes": "",
    "align": "volumes",
    "segment": "align",
    "measure": "segment",
    "report": "measure",
    "end": "compose and write",
}


@dataclass(frozen=True, slots=True)
class Journey:
    """One study through the service, s: sending it, then from the last acknowledgement to the report without quiet time."""

    sending: float
    waiting: float
    analysis: float
    delivery: float

    @property
    def total(self) -> float:
        """From the last acknowledgement to the report."""
        return self.waiting + self.analysis + self.delivery


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analysis alone: seconds of each stage, processor seconds in all, peak memory in MB."""

    stages: dict[str, float]
    processor: float
    peak_mb: int

    @property
    def total(self) -> float:
        """Wall time."""
        return sum(self.stages.values())


def main(runs: int = 3, *, write: bool = True) -> None:
    """Do `runs` journeys with contours and as many without, print the figures and put them into docs/evidence.md."""
    console, started = Console(), time.monotonic()
    with console.status("Making a phantom of clinical size") as status, tempfile.TemporaryDirectory() as place:
        patient, folder = example_patient("clinical"), Path(place)
        parts = []
        for drawn in (True, False):
            name = "a reader's contours" if drawn else "no contours"
            status.update(f"Journeys with {name}")
            journeys = _journeys(patient, folder / str(drawn), runs, drawn=drawn)
            status.update(f"Analyses with {name}")
            study = _write(patient, folder / f"alone-{drawn}", "ALONE", drawn=drawn)
            parts.append(_part(name, len(study), journeys, [_analysis(study, folder) for _ in range(runs)]))
    head = (
        "Five series of 320 x 260 x 72 (T2: 256 x 208 x 36); the best of {} runs, the range in brackets. Goal: {:g} s, {} MB."
    )
    body = "\n\n".join([evidence.stamp("just bench", time.monotonic() - started), head.format(runs, GOAL_S, GOAL_MB), *parts])
    console.print(Markdown(body))
    if write:
        evidence.replace("bench", body)


def _write(patient: PhantomPatient, folder: Path, name: str, *, drawn: bool) -> list[Path]:
    return write_study(patient, folder, seg="fractional" if drawn else None, story=Story(patient_id=name))


def _journeys(patient: PhantomPatient, folder: Path, runs: int, *, drawn: bool) -> list[Journey]:
    archive = Archive(folder / "archive")
    archive.start()
    port = int(archive.address.rpartition(":")[2])
    running = Running(folder / "service", port=free_port(), archive=port, quiet_s=QUIET_S)
    try:
        running.start()
        return [
            _journey(_write(patient, folder / f"study-{n}", f"BENCH-{n}", drawn=drawn), running, archive) for n in range(runs)
        ]
    finally:
        running.stop()
        archive.stop()


def _journey(paths: Sequence[Path], running: Running, archive: Archive) -> Journey:
    study_uid = str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    began = time.time()
    sent = send(paths, parse_destination("service", f"CRYOMARGIN@127.0.0.1:{running.port}"), Caller("MR"))
    last = time.time()
    if faults := [one.error for one in sent if one.error]:
        raise RuntimeError(f"not taken: {faults[0]}")
    eventually(lambda: _has_report(archive, study_uid), lambda there: there, longest_pause=LOOK_S)
    arrived = time.time()
    seen = running.settled(study_uid)
    at = {event["word"]: datetime.fromisoformat(event["at"]).timestamp() for event in seen["events"]}
    complete, analysed = at["complete"], at["analysed"]
    return Journey(last - began, complete - last - QUIET_S, analysed - complete, arrived - analysed)


def _has_report(archive: Archive, study_uid: str) -> bool:
    stored = archive.stored()
    return any(one.reference.study_instance_uid == study_uid and one.sop_class_uid.startswith(REPORT) for one in stored)


def _analysis(paths: Sequence[Path], folder: Path) -> Analysis:
    marks = [("", time.monotonic())]
    before = _processor()
    request = Request(tuple(paths), "benchmark", datetime(2024, 3, 12, tzinfo=UTC), options=AnalysisOptions())
    with work_folder(folder) as work:
        ended: Ended = run_analysis(
            request, work, Limits(), lambda stage, _: marks.append((stage, time.monotonic())), lambda: None
        )
    if ended.answer is None:
        raise RuntimeError(ended.fault)
    marks.append(("end", time.monotonic()))
    stages = {name: now - then for (_, then), (name, now) in pairwise(marks)}
    return Analysis(stages, _processor() - before, ended.peak_mb)


def _processor() -> float:
    """Processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _part(name: str, instances: int, journeys: Sequence[Journey], analyses: Sequence[Analysis]) -> str:
    best, alone = min(journeys, key=lambda one: one.total), min(analyses, key=lambda one: one.processor)
    rows: list[tuple[str, str]] = [
        ("**last image to report in the archive**", f"**{best.total:.1f} s** {_range([one.total for one in journeys], 's')}"),
        ("- until the study counts as complete, beyond the quiet time", f"{best.waiting:.1f} s"),
        ("- analysis with its start", f"{best.analysis:.1f} s"),
        ("- objects kept and delivered", f"{best.delivery:.1f} s"),
        ("analysis alone, processor time", f"{alone.processor:.1f} s {_range([one.processor for one in analyses], 's')}"),
        ("analysis alone, wall time", f"{alone.total:.1f} s {_range([one.total for one in analyses], 's')}"),
        *((f"- {title}", f"{alone.stages[stage]:.1f} s") for stage, title in STAGES.items() if title),
        ("analysis alone, most memory", f"{max(one.peak_mb for one in analyses)} MB"),
        (f"sending {instances} instances to the service", f"{best.sending:.1f} s"),
    ]
    return f"With {name}:\n\n{evidence.table(('what', 'result'), rows)}"


def _range(values: Sequence[float], unit: str) -> str:
    return f"({min(values):.1f} to {max(values):.1f} {unit})"


if __name__ == "__main__":
    cyclopts.run(main)
