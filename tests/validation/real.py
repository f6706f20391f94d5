"""`just validate-real`: the volumes that real series of other people hold, and how an exam of them ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cyclopts

from service.dicom.read import read_instances, read_planes
from service.errors import Unusable
from service.jobs.analysis import analyse_files
from service.options import AnalysisOptions
from service.study.assemble import assemble, by_study
from service.study.model import Phase
from service.volumes.build import build_volume
from tests.real.test_service import SERIES, files
from tests.validation import evidence

WHEN = datetime(2024, 3, 12, tzinfo=UTC)
HEAD = ("series", "instances", "volumes (slices x rows x columns, mm)", "how an exam of it ends")


def main(*, write: bool = True) -> None:
    """Print the table and put it into docs/evidence.md."""
    began = time.monotonic()
    rows = [(series, len(files(series)), "; ".join(_volumes(files(series))), _ending(files(series))) for series in SERIES]
    body = f"{evidence.stamp('just validate-real', time.monotonic() - began)}\n\n{evidence.table(HEAD, rows)}"
    print(body)  # noqa: T201
    if write:
        evidence.replace("real", body)


def _volumes(paths: list[Path]) -> Iterator[str]:
    """Each kind of volume (or of refusal) once, with how many there are of it."""
    instances, _ = read_instances(paths)
    said = Counter(_volume(phase) for members in by_study(instances).values() for phase in assemble(members).phases)
    yield from (sentence if count == 1 else f"{count} of {sentence}" for sentence, count in said.items())


def _volume(phase: Phase) -> str:
    try:
        built = build_volume(read_planes(phase, Path))
    except Unusable as fault:
        return f"refused ({fault.code})"
    return f"{' x '.join(map(str, built.shape))}, {' x '.join(f'{step:.3g}' for step in built.spacing)}"


def _ending(paths: list[Path]) -> str:
    outcome = analyse_files(paths, AnalysisOptions(), WHEN, content_version="validation")
    return outcome.sentence.replace("|", "/")


if __name__ == "__main__":
    cyclopts.run(main)
