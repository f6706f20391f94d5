"""One study from files to objects, without engine and network: what the service's child process and `analyse DIR` both do.

What draws and writes the report is imported when there is something to report: it is half of what a process loads, and most
studies of a hospital are none that can be measured.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from service.dicom.drawings import read_drawings
from service.dicom.read import Headers, Unreadable, read_instances, read_planes
from service.errors import Faulty, Unusable
from service.jobs.messages import MadeFile
from service.jobs.software import software
from service.options import AnalysisOptions, Earlier
from service.pipeline import ReadStudy, analyse, choose_phases
from service.report.record import to_record
from service.report.result import Result
from service.report.uids import NOT_ASSESSABLE
from service.study.assemble import DRAWINGS, assemble
from service.study.identity import Compared, compare, identity_of
from service.study.model import Instance, Phase, Study
from service.study.overrule import Understood, rules_for, understood
from service.study.roles import assign_roles
from service.study.timeline import rule_for
from service.volumes.build import PixelPlane

if TYPE_CHECKING:
    from service.regions.table import Segmenter
    from service.report.compose import Made

Progress = Callable[[str, int], None]
NOTHING_EARLIER = Earlier()


@dataclass(frozen=True, slots=True)
class _Content:
    sop_instance_uid: str
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A record with its objects, or the code and sentence why there is none (and the report that says so, where one is wanted).

    `failed` tells our own fault (an object broke a rule) from a study that cannot be analysed. `phases` is how its series were
    understood and `compared` what became of earlier exams, where it came so far.
    """

    record: dict[str, Any] | None = None
    made: tuple[Made, ...] = ()
    code: str = ""
    sentence: str = ""
    failed: bool = False
    phases: tuple[Understood, ...] = ()
    compared: Compared | None = None


def analyse_files(
    paths: Sequence[Path],
    options: AnalysisOptions,
    created_at: datetime,
    *,
    content_version: str,
    earlier: Earlier = NOTHING_EARLIER,
    progress: Progress = lambda _stage, _percent: None,
) -> Outcome:
    """Analyse one study's files; a study that cannot be analysed is an outcome with its sentence, not an exception.

    `progress` hears a stage and percents from 0 to 100.
    """
    read: ReadStudy | None = None
    so_far, headers = Outcome(), dict[str, Dataset]()
    try:
        read = read_study(paths, options, created_at, content_version=content_version, earlier=earlier, headers=headers)
        so_far = Outcome(phases=understood(read.study, read.roles), compared=read.compared)
        progress("read", 20)
        result = analyse(read, options, lambda stage, percent: progress(stage, 20 + percent * 7 // 10), _network(options))
        progress("report", 92)
        from service.report.compose import compose

        made = compose(result, source_headers(result, read.study.drawings, headers), options)
        return replace(so_far, record=to_record(result), made=made)
    except Faulty as fault:
        return replace(so_far, code=fault.code, sentence=fault.sentence, failed=True)
    except Unusable as fault:
        return _refused(read, fault, options, so_far)


def _network(options: AnalysisOptions) -> Segmenter | None:
    if not options.network:
        return None
    from service.jobs.networks import load_network

    return load_network(options.network)


def _refused(read: ReadStudy | None, fault: Unusable, options: AnalysisOptions, so_far: Outcome) -> Outcome:
    """Why there is no result, with the report that says so where one is wanted and the study has an image to report on."""
    refused = replace(so_far, code=fault.code, sentence=fault.sentence)
    if NOT_ASSESSABLE not in options.outputs or read is None or not read.study.phases:
        return refused
    from service.report.compose import compose_refusal

    result = _without_findings(read)
    try:
        made = compose_refusal(result, source_headers(result, (), {}), f"{fault.sentence} [{fault.code}]")
    except Faulty as own:
        return replace(refused, code=own.code, sentence=own.sentence, failed=True)
    return replace(refused, made=made)


def _without_findings(read: ReadStudy) -> Result:
    """What there is to say of a study that cannot be measured: the phases that were looked at."""
    uses = tuple(replace(use, used=True) for use in choose_phases(read))
    return Result(
        study_instance_uid=read.study.study_instance_uid,
        content_version=read.content_version,
        created_at=read.created_at,
        software=read.software,
        verdict="",
        reference=uses[0],
        phases=uses,
        tumors=(),
        predecessors=read.predecessors,
    )


def read_study(
    paths: Sequence[Path],
    options: AnalysisOptions,
    created_at: datetime,
    *,
    content_version: str,
    earlier: Earlier = NOTHING_EARLIER,
    headers: Headers | None = None,
) -> ReadStudy:
    """Headers, roles, pixels of the phases that have a use, and drawings. `headers` gets those of the files of these phases.

    Raises:
        Unusable: No file of it can be read.
    """
    instances, unreadable = read_instances(paths)
    if not instances:
        raise Unusable("study.unreadable", unreadable[0].reason if unreadable else "The study holds no instance.")
    study = assemble(instances)
    drawings = read_drawings(study.drawings, Path, unreadable.append)
    roles = assign_roles(study, options.roles)
    exam = rule_for(study, options.exams)
    # a rule about another scanner or exam changes nothing
    used_options = replace(options, roles=rules_for(study, roles, options.roles), exams=(exam,) if exam else ())
    read = ReadStudy(
        study=study,
        roles=roles,
        planes={},
        drawings=drawings,
        content_version=content_version,
        created_at=created_at,
        predecessors=earlier.predecessors,
        compared=compare(identity_of(study.patient), earlier.exams),
        procedure_at=options.procedure_at,
        exams=used_options.exams,
        seeds=options.seeds,
        software=software(used_options),
        left_out=_left_out(unreadable, study),
    )
    used = (use.phase for use in choose_phases(read) if use.used)  # the pixels of the others are never decoded
    planes, undecoded = _decoded(used, headers)
    return replace(read, planes=planes, undecoded=undecoded)


def content_version_of(paths: Iterable[Path]) -> str:
    """The name that the service gives to this content when its files hold the same bytes."""
    from service.store.versions import content_version

    rows: Any = [_Content(_sop_instance_uid(path), hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths]
    return content_version(rows)


def source_headers(result: Result, drawings: Iterable[Instance], read: Mapping[str, Dataset]) -> tuple[Dataset, ...]:
    """The headers of all instances that the result was measured on: the images in the order of the phases, then drawings.

    Those that were `read` already are not read again.
    """
    images = (plane.instance for use in result.phases if use.used for plane in use.phase.planes)
    unique = dict.fromkeys(instance.content for instance in chain(images, drawings))
    return tuple(read[content] if content in read else _header(Path(content)) for content in unique)


def write_made(outcome: Outcome, folder: Path) -> tuple[MadeFile, ...]:
    """Write the objects into `folder` as DICOM files named by their role."""
    return tuple(_write(made, folder, number) for number, made in enumerate(outcome.made, start=1))


def _write(made: Made, folder: Path, number: int) -> MadeFile:
    name = f"{number}-{made.role}.dcm"
    made.dataset.save_as(folder / name, enforce_file_format=True)
    return MadeFile(made.role, made.sop_class_uid, made.sop_instance_uid, name)


def _left_out(unreadable: Iterable[Unreadable], study: Study) -> tuple[str, ...]:
    """What of the study takes no part although somebody may rely on it: broken files, and drawings that were not used."""
    broken = (f"An object of the study cannot be used: {one.reason}" for one in unreadable)
    drawn = (ignored.reason for ignored in study.ignored if ignored.instance.sop_class_uid in DRAWINGS)
    counted = Counter(chain(broken, drawn))
    return tuple(f"{sentence} ({count} times)" if count > 1 else sentence for sentence, count in counted.items())


def _decoded(phases: Iterable[Phase], headers: Headers | None) -> tuple[dict[str, tuple[PixelPlane, ...]], dict[str, str]]:
    """The planes of each phase that can be decoded, and why the others cannot, by `Phase.key`."""
    planes: dict[str, tuple[PixelPlane, ...]] = {}
    faults: dict[str, str] = {}
    for phase in phases:
        try:
            planes[phase.key] = read_planes(phase, Path, headers)
        except Unusable as fault:
            faults[phase.key] = fault.sentence
    return planes, faults


def _sop_instance_uid(path: Path) -> str:
    return str(_header(path).SOPInstanceUID)


def _header(path: Path) -> Dataset:
    return dcmread(path, stop_before_pixels=True)
