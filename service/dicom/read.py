"""Stored content becomes records: headers to instances, pixels to planes; see `drawings` for what people drew."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import Dataset

from service.dicom.attributes import BROKEN
from service.dicom.headers import read_instance
from service.dicom.pixels import Maps, ValueMap, decode_frames, read_dataset, read_maps
from service.errors import Unusable
from service.study.model import Instance, Phase, Plane
from service.volumes.build import PixelPlane
from service.volumes.volume import Array

OpenPath = Callable[[str], Path]
Headers = MutableMapping[str, Dataset]
_PIXELS = 0x7FE00000  # the first tag of the group that holds them
_MOSAIC_WORDS = frozenset({"MOSAIC", "VFRAME"})


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Content that gave no record, and why (one sentence)."""

    content: str
    reason: str


def read_instances(paths: Iterable[Path]) -> tuple[list[Instance], list[Unreadable]]:
    """What the headers of these files say, and which files say nothing.

    `Instance.content` is the path as text.
    """
    found: list[Instance] = []
    unreadable: list[Unreadable] = []
    for path in paths:
        try:
            found.append(read_file(path, str(path)))
        except Unusable as fault:
            unreadable.append(Unreadable(str(path), fault.sentence))
    return found, unreadable


def read_file(path: Path, content: str) -> Instance:
    """One instance from its file.

    Raises:
        Unusable: The file is no DICOM, is broken, or does not say where it belongs.
    """
    dataset = read_dataset(path, pixels=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_instance(dataset, content)
    except BROKEN as fault:
        raise Unusable("dicom.unreadable", f"The header cannot be understood ({type(fault).__name__}).") from fault


def read_planes(phase: Phase, open_path: OpenPath, headers: Headers | None = None) -> tuple[PixelPlane, ...]:
    """The decoded planes of a phase in its order, float32. What was read beside the pixels goes into `headers`, by content.

    Stored values pass through the real-world map when every plane of the phase has one, else through each plane's own
    rescale: a volume never mixes the two units.

    Raises:
        Unusable: A plane does not say where it lies, holds no single grey image, or cannot be decoded.
    """
    for plane in phase.planes:
        _require_place(plane)
    stored = [frame for instance, planes in _by_instance(phase) for frame in _stored(instance, planes, open_path, headers)]
    real = all(maps.real_world is not None for _, maps in stored)
    values = (_chosen(maps, real=real).apply(frame) for frame, maps in stored)
    return tuple(_pixel_plane(plane, array) for plane, array in zip(phase.planes, values, strict=True))


def _by_instance(phase: Phase) -> list[tuple[Instance, list[Plane]]]:
    """Runs of planes of the same instance, so that each file is opened once."""
    runs = groupby(phase.planes, key=lambda plane: plane.instance.sop_instance_uid)
    return [(run[0].instance, run) for _, planes in runs if (run := list(planes))]


def _stored(
    instance: Instance, planes: list[Plane], open_path: OpenPath, headers: Headers | None
) -> list[tuple[NDArray[Any], Maps]]:
    """The frames of one instance as they were stored, with their maps."""
    dataset = read_dataset(open_path(instance.content), pixels=True)
    numbers = [plane.frame.number for plane in planes]
    found = list(zip(decode_frames(dataset, numbers, _name(planes[0])), read_maps(dataset, numbers), strict=True))
    if headers is not None:
        headers[instance.content] = _without_pixels(dataset)
    return found


def _without_pixels(dataset: Dataset) -> Dataset:
    for tag in [tag for tag in dataset.keys() if tag >= _PIXELS]:  # noqa: SIM118 - a data set iterates over elements
        del dataset[tag]
    return dataset


def _chosen(maps: Maps, *, real: bool) -> ValueMap:
    return maps.real_world if real and maps.real_world is not None else maps.rescale


def _require_place(plane: Plane) -> None:
    frame, name = plane.frame, _name(plane)
    if _MOSAIC_WORDS & set(frame.image_type):
        raise Unusable(
            "geometry.mosaic",
            f"{name} is a mosaic: many slices tiled into one picture; export the series as single slices or Enhanced MR.",
        )
    missing = [word for word, value in _place(plane) if value is None]
    if missing:
        raise Unusable(
            "geometry.no_position", f"{name} does not give its {' and '.join(missing)}, so it has no place in a volume."
        )
    if plane.instance.samples != 1:
        raise Unusable("pixels.colour", f"{name} is a colour picture, not a measured image.")


def _place(plane: Plane) -> tuple[tuple[str, object], ...]:
    frame = plane.frame
    return ("position", frame.position), ("orientation", frame.orientation), ("pixel spacing", frame.spacing)


def _pixel_plane(plane: Plane, values: Array) -> PixelPlane:
    frame = plane.frame
    if frame.position is None or frame.orientation is None or frame.spacing is None:
        raise Unusable("geometry.no_position", f"{_name(plane)} does not say where it lies.")
    return PixelPlane(
        values, frame.position, frame.orientation, frame.spacing, plane.instance.frame_of_reference_uid, _name(plane)
    )


def _name(plane: Plane) -> str:
    """What an operator can look the plane up by."""
    frame = f" frame {plane.frame.number}" if len(plane.instance.frames) > 1 else ""
    series, image = plane.instance.series_number, plane.instance.instance_number
    return f"Image {'?' if image is None else image}{frame} of series {'?' if series is None else series}"
