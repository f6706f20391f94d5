"""What goes wrong with the slices of a series between scanner and archive. Only headers and the list change."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from enum import StrEnum

import numpy as np
from pydicom import Dataset

from service.phantom.uids import uid_from


class Fault(StrEnum):
    """One kind of damage."""

    MISSING_FIRST = "missing_first"
    MISSING_MIDDLE = "missing_middle"
    MISSING_LAST = "missing_last"
    DUPLICATE = "duplicate"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"
    GAP = "gap"
    MIXED_SPACING = "mixed_spacing"
    MIXED_PIXEL_SPACING = "mixed_pixel_spacing"
    TILTED_SLICE = "tilted_slice"
    JITTER = "jitter"
    TWO_FRAMES_OF_REFERENCE = "two_frames_of_reference"


def damage(slices: list[Dataset], fault: Fault) -> list[Dataset]:
    """The slices of one series, in order of position, with a fault; their data sets are changed in place."""
    return DAMAGES[fault](slices)


def _without(index: Callable[[int], int]) -> Callable[[list[Dataset]], list[Dataset]]:
    def drop(slices: list[Dataset]) -> list[Dataset]:
        gone = index(len(slices)) % len(slices)
        return slices[:gone] + slices[gone + 1 :]

    return drop


def _duplicate(slices: list[Dataset]) -> list[Dataset]:
    """The middle slice twice, the second time as another instance."""
    middle = len(slices) // 2
    again = deepcopy(slices[middle])
    again.SOPInstanceUID = uid_from(again.SOPInstanceUID, "duplicate")
    return [*slices, again]


def _reversed(slices: list[Dataset]) -> list[Dataset]:
    """Slices numbered from head to feet."""
    numbers = [item.InstanceNumber for item in slices]
    for item, number in zip(slices, reversed(numbers), strict=True):
        item.InstanceNumber = number
    return slices[::-1]


def _shuffled(slices: list[Dataset]) -> list[Dataset]:
    """Slices numbered and sent in an order that says nothing."""
    order = np.random.default_rng(len(slices)).permutation(len(slices))
    for item, number in zip(slices, order, strict=True):
        item.InstanceNumber = int(number) + 1
    return [slices[n] for n in np.argsort(order)]


def _gap(slices: list[Dataset]) -> list[Dataset]:
    """The upper half one slice further away."""
    return _move(slices, lambda k, count: 1.0 if k >= count // 2 else 0.0)


def _mixed_spacing(slices: list[Dataset]) -> list[Dataset]:
    """The upper half with slices 1.5 times as far apart."""
    return _move(slices, lambda k, count: 0.5 * max(0, k - count // 2))


def _jitter(slices: list[Dataset]) -> list[Dataset]:
    """Positions rounded as some scanners do: 1 % of a slice to and fro."""
    return _move(slices, lambda k, _: 0.007 * (-1) ** k)


def _mixed_pixel_spacing(slices: list[Dataset]) -> list[Dataset]:
    item = slices[len(slices) // 2]
    item.PixelSpacing = [1.1 * float(value) for value in item.PixelSpacing]
    return slices


def _tilted(slices: list[Dataset]) -> list[Dataset]:
    """The middle slice turned by 5 degrees about its rows."""
    item = slices[len(slices) // 2]
    row, column = (np.array(item.ImageOrientationPatient[n : n + 3], dtype=float) for n in (0, 3))
    turned = np.cos(np.radians(5)) * column + np.sin(np.radians(5)) * np.cross(row, column)
    item.ImageOrientationPatient = [f"{value:.8f}" for value in (*row, *turned)]
    return slices


def _two_frames(slices: list[Dataset]) -> list[Dataset]:
    for item in slices[len(slices) // 2 :]:
        item.FrameOfReferenceUID = uid_from(item.SeriesInstanceUID, "other frame")
    return slices


DAMAGES: dict[Fault, Callable[[list[Dataset]], list[Dataset]]] = {
    Fault.MISSING_FIRST: _without(lambda _: 0),
    Fault.MISSING_MIDDLE: _without(lambda count: count // 2),
    Fault.MISSING_LAST: _without(lambda count: count - 1),
    Fault.DUPLICATE: _duplicate,
    Fault.REVERSED: _reversed,
    Fault.SHUFFLED: _shuffled,
    Fault.GAP: _gap,
    Fault.MIXED_SPACING: _mixed_spacing,
    Fault.MIXED_PIXEL_SPACING: _mixed_pixel_spacing,
    Fault.TILTED_SLICE: _tilted,
    Fault.JITTER: _jitter,
    Fault.TWO_FRAMES_OF_REFERENCE: _two_frames,
}


def _move(slices: list[Dataset], by: Callable[[int, int], float]) -> list[Dataset]:
    """Each slice moved along the normal by `by(index, count)` slice distances."""
    positions = [np.array(item.ImagePositionPatient, dtype=float) for item in slices]
    step = positions[1] - positions[0]
    for k, (item, position) in enumerate(zip(slices, positions, strict=True)):
        item.ImagePositionPatient = [f"{value:.6f}" for value in position + by(k, len(slices)) * step]
    return slices
