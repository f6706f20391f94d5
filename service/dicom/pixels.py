"""Decoded frames as numbers that mean something: stored values through their real-world map or rescale.

Source: DICOM PS3.3 C.7.6.16.2.9 (Pixel Value Transformation), C.7.6.16.2.11 (Real World Value Mapping), C.11.1.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels

from service.dicom.attributes import BROKEN, integer, item, number, values
from service.dicom.frames import Groups, frame_groups
from service.errors import Unusable
from service.volumes.volume import Array


@dataclass(frozen=True, slots=True, eq=False)
class ValueMap:
    """How stored values become values: `table[stored - first]` where there is a table, else slope and intercept."""

    slope: float = 1.0
    intercept: float = 0.0
    first: int = 0
    table: NDArray[np.float32] | None = None

    def apply(self, stored: NDArray[Any]) -> Array:
        """The values, float32, of the same shape."""
        if self.table is not None:
            index = np.clip(stored.astype(np.int64) - self.first, 0, len(self.table) - 1)
            return self.table[index]
        return (stored.astype(np.float64) * self.slope + self.intercept).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """The two maps of one frame; `real_world` is None when the frame has none."""

    rescale: ValueMap
    real_world: ValueMap | None


def read_dataset(path: Path, *, pixels: bool) -> Dataset:
    """The data set of a file, with or without its pixels, read quietly.

    Raises:
        Unusable: It is no DICOM file, or it is broken beyond reading.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(path, stop_before_pixels=not pixels)
    except BROKEN as fault:
        raise Unusable("dicom.unreadable", f"The file cannot be read as DICOM ({type(fault).__name__}).") from fault


def decode_frames(dataset: Dataset, numbers: Sequence[int], name: str) -> list[NDArray[Any]]:
    """Stored values of the frames with these numbers (from 1), each (rows, columns), in that order.

    Raises:
        Unusable: There are no such pixels, or no decoder can read them; the sentence begins with `name`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if integer(dataset, "BitsAllocated") == 1 and not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
                return _bits(dataset, numbers)
            return list(iter_pixels(dataset, indices=[number - 1 for number in numbers]))
    except BROKEN as fault:
        cause = f"{type(fault).__name__}: {str(fault)[:160]}"
        raise Unusable("pixels.undecodable", f"{name} cannot be decoded ({cause}).") from fault


def _bits(dataset: Dataset, numbers: Sequence[int]) -> list[NDArray[Any]]:
    """Frames of one bit a pixel; they follow each other without a gap, so that one may begin within a byte.

    pydicom loses such a frame when it is read by itself. Source: DICOM PS3.5 8.1.1 and D.
    """
    shape = int(dataset.Rows), int(dataset.Columns)
    size = shape[0] * shape[1]
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, dtype=np.uint8), bitorder="little")
    return [bits[(number - 1) * size : number * size].reshape(shape) for number in numbers]


def read_maps(dataset: Dataset, numbers: Iterable[int]) -> tuple[Maps, ...]:
    """The maps of the frames with these numbers (from 1)."""
    groups = frame_groups(dataset) or (Groups(dataset, dataset),)
    return tuple(_maps(dataset, groups[min(number, len(groups)) - 1]) for number in numbers)


def _maps(dataset: Dataset, groups: Groups) -> Maps:
    scale = groups.first("PixelValueTransformationSequence") or dataset
    real = groups.first("RealWorldValueMappingSequence") or item(dataset, "RealWorldValueMappingSequence")
    return Maps(_linear(scale, "RescaleSlope", "RescaleIntercept") or ValueMap(), _real_world(real))


def _linear(dataset: Dataset, slope_keyword: str, intercept_keyword: str) -> ValueMap | None:
    slope, intercept = number(dataset, slope_keyword), number(dataset, intercept_keyword)
    if slope is None or slope == 0:
        return None
    return ValueMap(slope=slope, intercept=intercept or 0.0)


def _real_world(real: Dataset) -> ValueMap | None:
    table = values(real, "RealWorldValueLUTData")
    first = integer(real, "RealWorldValueFirstValueMapped")
    if table and first is not None:
        return ValueMap(first=first, table=np.asarray(table, dtype=np.float32))
    return _linear(real, "RealWorldValueSlope", "RealWorldValueIntercept")
