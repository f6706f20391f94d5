"""What the worker and the analysis process say to each other, as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from service.options import AnalysisOptions, Earlier
from service.study.identity import Compared
from service.study.overrule import Understood
from service.study.required import Groups


@dataclass(frozen=True, slots=True)
class Request:
    """Analyse these files. `created_at` stands in the objects, so it comes from the job and not from a clock.

    Nothing is analysed where a series of one of the roles of each group in `required` is not there.
    """

    paths: tuple[Path, ...]
    content_version: str
    created_at: datetime
    earlier: Earlier = field(default_factory=Earlier)
    options: AnalysisOptions = field(default_factory=AnalysisOptions)
    required: Groups = ()


@dataclass(frozen=True, slots=True)
class MadeFile:
    """An object that was made; `name` is its file in the folder of the answer."""

    role: str
    sop_class_uid: str
    sop_instance_uid: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: a record with its objects, or the code and sentence why there is none; `failed`: by our own fault.

    Without a record there may be an object that says why. `lacks` names the series that were required and are not there:
    then nothing was analysed.

    `phases` is how the series were understood and `compared` what became of earlier exams, where the analysis came so far.
    """

    record: dict[str, Any] | None = None
    made: tuple[MadeFile, ...] = ()
    code: str = ""
    sentence: str = ""
    failed: bool = False
    phases: tuple[Understood, ...] = ()
    compared: Compared | None = None
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What people said about one study, as the index keeps it."""

    seeds: tuple[tuple[float, float, float], ...] = ()
    procedure_at: datetime | None = None


TOLD = TypeAdapter(Told)
REQUEST = TypeAdapter(Request)
ANSWER = TypeAdapter(Answer)
