"""`demo`: the whole journey on one machine, with a patient whose truth is known."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.uid import UID
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from service.app import Service
from service.commands.orthanc import Orthanc
from service.dicom import sender
from service.dicom.archive import Archive, Archived
from service.dicom.destination import Caller, parse_destination
from service.errors import TryAgain
from service.jobs.example import example_patient
from service.jobs.truth import Verdict, compare
from service.phantom.patient import PhantomPatient
from service.phantom.recipe import Size
from service.phantom.write import write_study
from service.settings import Completion, DestinationTable, ListenerTable, Log, Settings, Storage, Web
from service.startup import configure_log
from service.store.records import ENDED, State, StudyDetail

LOOK_S = 0.2
LONGEST_S = 600.0
SENDER = Caller("MR-DEMO")
SHOWN, MISSED = 0, 1


@dataclass(frozen=True, slots=True)
class Choice:
    """What to show: phantom size, contours by a reader or found automatically, which archive, and what to leave behind."""

    size: Size = "small"
    drawn: bool = True
    orthanc: bool = False
    keep: bool = False
    folder: Path | None = None


class StandIn(Protocol):
    """An archive that stands for the PACS."""

    @property
    def address(self) -> str:
        """AETITLE@host:port."""

    def start(self) -> None:
        """Listen."""

    def stop(self) -> None:
        """Stop listening."""

    def stored(self) -> Sequence[Archived]:
        """What it holds."""


def show(console: Console, choice: Choice, wait: Callable[[], object]) -> int:
    """Everything from the scanner to the archive; gives the exit status: 0 when the results arrived and none is wrong."""
    configure_log("warning")
    folder = choice.folder or Path(tempfile.mkdtemp(prefix="cryomargin-demo-"))
    if folder.exists() and any(folder.iterdir()):
        raise TryAgain("demo.folder", f"{folder} is not empty: name a new folder, so that nothing old is taken for a result")
    with ExitStack() as undo:
        archive = _archive(choice, folder)
        archive.start()
        undo.callback(archive.stop)
        service = Service(_settings(folder, archive.address))
        with console.status("The service starts and tests itself on a small phantom"):
            service.start()
        undo.callback(service.stop)
        console.print(f"Service {service.listener_address}, archive {archive.address}", highlight=False)
        status = _journey(console, choice, folder, service, archive)
        _places(console, folder, service, keep=choice.keep)
        if choice.keep:
            wait()
    return status


def _archive(choice: Choice, folder: Path) -> StandIn:
    return Orthanc(folder / "archive") if choice.orthanc else Archive(folder / "archive")


def _settings(folder: Path, archive: str) -> Settings:
    return Settings(
        storage=Storage(folder=folder / "service", minimum_free_mb=100),
        listener=ListenerTable(port=0, allowed_calling_ae=(SENDER.ae_title,)),
        completion=Completion(quiet_s=60.0, quiet_after_release_s=1.0),
        destination=(DestinationTable(name="archive", address=archive, verify="find"),),
        web=Web(port=0),
        log=Log(level="warning"),
    )


def _journey(console: Console, choice: Choice, folder: Path, service: Service, archive: StandIn) -> int:
    started = time.monotonic()
    patient = example_patient(choice.size)
    paths = write_study(patient, folder / "phantom", seg="fractional" if choice.drawn else None)
    console.print(f"Phantom patient made: {len(paths)} instances ({time.monotonic() - started:.1f} s)", highlight=False)
    study_uid = _send(console, paths, service)
    detail = _follow(console, service, study_uid)
    if detail.result is None:
        console.print(f"{detail.summary.state}: {detail.summary.sentence}", highlight=False)
        return MISSED
    right = _findings(console, detail, patient)
    arrived = _arrived(console, detail, archive)
    return SHOWN if right and arrived and detail.summary.state is State.DONE else MISSED


def _send(console: Console, paths: Sequence[Path], service: Service) -> str:
    """C-STORE to the service as a scanner would; gives the StudyInstanceUID."""
    started = time.monotonic()
    sent = sender.send(paths, parse_destination("service", service.listener_address), SENDER)
    taken = sum(one.error is None for one in sent)
    if not taken:
        raise TryAgain("demo.send", f"The service took nothing: {sent[0].error}")
    console.print(f"Sent over C-STORE: {taken} of {len(sent)} ({time.monotonic() - started:.1f} s)", highlight=False)
    return service.index.studies(1)[0].study_instance_uid


def _follow(console: Console, service: Service, study_uid: str) -> StudyDetail:
    """Show state and progress until the study has ended, or for ten minutes."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + LONGEST_S
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("receiving", total=100)
        detail = _detail(service, study_uid)
        while detail.summary.state not in ENDED and time.monotonic() < deadline:
            summary = detail.summary
            progress.update(task, description=f"{summary.state} {summary.stage}", completed=summary.percent)
            time.sleep(LOOK_S)
            detail = _detail(service, study_uid)
    for event in detail.events:
        console.print(f"  {event.at:%H:%M:%S} {event.word}: {event.sentence}", highlight=False, markup=False)
    return detail


def _detail(service: Service, study_uid: str) -> StudyDetail:
    detail = service.index.study(study_uid)
    if detail is None:
        raise TryAgain("demo.study", "The service no longer knows the study that it took.")
    return detail


def _findings(console: Console, detail: StudyDetail, patient: PhantomPatient) -> bool:
    """Findings beside the truth; True when something is asserted and nothing of it is wrong."""
    record = detail.result or {}
    rows = compare(record, patient.truth)
    table = Table(title=record["verdict"], caption=record["research_use"], title_justify="left")
    for column in ("Finding", "Measured", "Truth", ""):
        table.add_column(column)
    for row in rows:
        table.add_row(row.title, row.measured, row.truth, row.verdict)
    console.print(table)
    verdicts = {row.verdict for row in rows}
    return Verdict.RIGHT in verdicts and Verdict.WRONG not in verdicts


def _arrived(console: Console, detail: StudyDetail, archive: StandIn) -> bool:
    """Show what the archive holds of the results; True when all of them are there."""
    stored = {one.reference.sop_instance_uid: one for one in archive.stored()}
    for made in detail.outputs:
        there = stored.get(made.sop_instance_uid)
        place = str(there.path) if there else "NOT in the archive"
        console.print(f"{UID(made.sop_class_uid).name}: {place}", highlight=False, soft_wrap=True)
    return bool(detail.outputs) and all(made.sop_instance_uid in stored for made in detail.outputs)


def _places(console: Console, folder: Path, service: Service, *, keep: bool) -> None:
    console.print(f"All files are below {folder}", highlight=False, soft_wrap=True)
    if keep:
        console.print(f"Status page: {service.web_address} (Ctrl-C ends service and archive)", highlight=False)
    else:
        console.print(f"The status page was at {service.web_address}; --keep leaves it running", highlight=False)
