"""`analyse DIR`: the service's analysis on a folder, without engine and network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from service.commands.table import findings
from service.configured import options_of
from service.dicom.header_scan import read_header
from service.errors import Unusable
from service.settings import Settings

if TYPE_CHECKING:
    from service.jobs.analysis import Outcome

FOUND, NOTHING = 0, 1
RECORD_FILE = "findings.json"


def analyse_folder(console: Console, settings: Settings, folder: Path, out: Path, *, as_json: bool) -> int:
    """Analyse every study below `folder`; gives the exit status: 0 when each one gave findings."""
    if not folder.is_dir():
        console.print(f"{folder} is no folder.", highlight=False, markup=False, soft_wrap=True)
        return NOTHING
    studies = studies_in(folder)
    if not studies:
        console.print(f"No DICOM instance that takes part in an analysis lies below {folder}.", highlight=False)
        return NOTHING
    outcomes = [_one(console, settings, paths, out / f"study-{n}", as_json) for n, paths in enumerate(studies.values(), 1)]
    return FOUND if all(outcome.record is not None for outcome in outcomes) else NOTHING


def studies_in(folder: Path) -> dict[str, list[Path]]:
    """The files below a folder that take part in an analysis, by StudyInstanceUID; what is no DICOM is passed over."""
    studies: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            header = read_header(path)
        except Unusable:
            continue
        if not header.reason_ignored:
            studies.setdefault(header.study_instance_uid, []).append(path)
    return studies


def _one(console: Console, settings: Settings, paths: list[Path], out: Path, as_json: bool) -> Outcome:  # noqa: FBT001
    from service.jobs.analysis import analyse_files, content_version_of, write_made  # only where there is something to analyse

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{len(paths)} instances", total=100)
        outcome = analyse_files(
            paths,
            options_of(settings),
            _newest(paths),
            content_version=content_version_of(paths),
            progress=lambda stage, percent: progress.update(task, description=stage, completed=percent),
        )
    if outcome.record is None:
        console.print(f"{outcome.sentence} [{outcome.code}]", highlight=False, markup=False)
        return outcome
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(outcome.record, indent=1)
    (out / RECORD_FILE).write_text(text, encoding="utf-8")
    made = write_made(outcome, out)
    if as_json:
        console.out(text, highlight=False)
        return outcome
    console.print(findings(outcome.record))
    console.print(f"Written to {out}: {RECORD_FILE}, {', '.join(one.name for one in made)}", highlight=False, soft_wrap=True)
    return outcome


def _newest(paths: Iterable[Path]) -> datetime:
    """The time that stands in the objects: when the folder was complete, so that a repeat makes the same ones."""
    return datetime.fromtimestamp(max(path.stat().st_mtime for path in paths), UTC)
