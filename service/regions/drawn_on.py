"""On which images a contour was drawn, and how far those may lie from the images that are measured.

A patient breathes between two series. A tumor drawn on one and a zone drawn on another lie as far apart as the patient moved,
and nothing in the contours tells. They are taken where they lie, and the doubt goes with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from service.regions.region import Drawing, Exam, Region
from service.study.model import Phase

UNMEASURED = 3.0  # mm, SD along each axis where nothing could be compared: ours; livers in two breath-holds differ by some mm


def images_of(phases: Iterable[Phase]) -> Mapping[str, Mapping[int, str]]:
    """For each SOP Instance UID, by frame number, the key of the phase that it belongs to; the same by Series Instance UID."""
    found: dict[str, dict[int, str]] = {}
    for number, phase in enumerate(phases, start=1):
        found.setdefault(phase.series_instance_uid, {})[-number] = phase.key
        for plane in phase.planes:
            found.setdefault(plane.instance.sop_instance_uid, {})[plane.frame.number] = phase.key
    return found


def place_of(drawing: Drawing, exam: Exam) -> tuple[str, float]:
    """What a drawing was drawn on, and the SD (mm) of its place on the images that are measured.

    Contours with the same first answer were drawn on one image. Where the drawing names several phases it may be any of them.
    """
    keys = sorted({key for uid, number in drawing.images for key in _phases(exam.images.get(uid, {}), number)})
    if not keys:
        return f"object {drawing.source_uid}", UNMEASURED
    furthest = max(exam.offsets.get(key, UNMEASURED) for key in keys)
    return keys[0] if len(keys) == 1 else f"segment {drawing.number} of {drawing.source_uid}", furthest


def _phases(frames: Mapping[int, str], number: int) -> Iterable[str]:
    return [frames[number]] if number in frames else frames.values()


def apart(one: Region | None, other: Region | None) -> float:
    """The SD (mm) of the distance between two contours that comes from the images that they were drawn on."""
    if one is None or other is None or one.drawn_on == other.drawn_on:
        return 0.0
    return float(np.hypot(one.place_sd, other.place_sd))


def said_of_places(regions: Sequence[Region], exam: Exam) -> tuple[str, ...]:
    """What a reader must know of contours that were drawn on another phase than is measured."""
    named = exam.images.values()
    phases = dict.fromkeys(key for frames in named for key in frames.values() if exam.offsets.get(key) != 0.0)
    drawn = {key: [region for region in regions if region.drawn_on == key] for key in phases}
    return tuple(_said(there, exam.offsets.get(key)) for key, there in drawn.items() if there)


def _said(regions: Sequence[Region], offset: float | None) -> str:
    names = ", ".join(f"'{region.label}'" for region in regions)
    away = f"unknown, {UNMEASURED:g} mm are assumed" if offset is None else f"{offset:.1f} mm"
    return f"Drawn on another series than is measured: {names}. How far apart the two may lie: {away}."
