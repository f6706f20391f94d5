"""What the output objects of one result are written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from service.report.result import Result
from service.report.segments import Segments


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """One finished output object: `role` names its line in the table of outputs."""

    role: str
    sop_class_uid: str
    sop_instance_uid: str
    dataset: Dataset


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """A result with the headers of its sources, its segments, and the objects already made of it (in sending order)."""

    result: Result
    sources: Sequence[Dataset]
    segments: Segments
    made: tuple[Made, ...] = ()
    patient_on_page: str = "none"
