"""Instances as a scanner would make them, for tests of the study package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from service.study.assemble import ENHANCED_MR, MR_IMAGE
from service.study.model import Acquisition, Frame, Instance, Patient, Plane, Study

START = datetime.fromisoformat("2024-03-02T10:00:00")
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
VIBE = Acquisition(
    scanning_sequence=("GR",), sequence_variant=("SP",), acquisition_type="3D", repetition_time=4.0, flip_angle=10.0
)
HASTE = Acquisition(scanning_sequence=("SE",), acquisition_type="2D", repetition_time=1200.0, echo_train_length=120)


def frame(z: float = 0.0, number: int = 1, **other: Any) -> Frame:
    """An axial frame at height z mm."""
    defaults: dict[str, Any] = {
        "position": (-100.0, -100.0, z),
        "orientation": AXIAL,
        "spacing": (1.2, 1.2),
        "acquired_at": START,
        "echo_time": 1.8,
        "image_type": ("ORIGINAL", "PRIMARY", "M"),
    }
    return Frame(number=number, **{**defaults, **other})


def instance(series: str, number: int, frames: Iterable[Frame], **other: Any) -> Instance:
    """An MR instance of study 1.2."""
    all_frames = tuple(frames)
    defaults: dict[str, Any] = {
        "study_instance_uid": "1.2",
        "series_instance_uid": series,
        "sop_instance_uid": f"{series}.{number}",
        "sop_class_uid": MR_IMAGE if len(all_frames) == 1 else ENHANCED_MR,
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "content": f"{series}.{number}",
        "modality": "MR",
        "series_number": int(series.rsplit(".", 1)[-1]),
        "instance_number": number,
        "frame_of_reference_uid": "1.9",
        "rows": 208,
        "columns": 256,
        "slice_thickness": 3.0,
        "acquisition": VIBE,
        "patient": Patient("P1", "", "19500101", "F"),
    }
    return Instance(**{**defaults, **other}, frames=all_frames)


def series(
    uid: str, *, slices: int = 8, seconds: float = 0, of_frame: dict[str, Any] | None = None, **other: Any
) -> list[Instance]:
    """A series of single-frame axial instances, 3 mm apart, made `seconds` after the start."""
    at = START + timedelta(seconds=seconds)
    return [instance(uid, 1 + k, [frame(3.0 * k, acquired_at=at, **(of_frame or {}))], **other) for k in range(slices)]


def renumbered(instances: Iterable[Instance], by: int) -> list[Instance]:
    """The same instances with other numbers and SOP Instance UIDs."""
    return [
        replace(
            item,
            instance_number=(item.instance_number or 0) + by,
            sop_instance_uid=f"{item.series_instance_uid}.{(item.instance_number or 0) + by}",
        )
        for item in instances
    ]


def with_frames(instances: Iterable[Instance], **change: Any) -> list[Instance]:
    """The same instances with something changed in every frame."""
    return [replace(item, frames=tuple(replace(part, **change) for part in item.frames)) for item in instances]


def planes(instances: Iterable[Instance]) -> list[Plane]:
    """All planes of these instances."""
    return [Plane(item, part) for item in instances for part in item.frames]


def sizes(study: Study) -> list[int]:
    """Number of planes of each phase."""
    return [len(phase.planes) for phase in study.phases]
