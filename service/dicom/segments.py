"""Segmentations by anybody as masks on their own grid: BINARY, FRACTIONAL and LABELMAP.

Frames may come in any order and empty ones may be left out, so nothing is taken from a frame's index: the grid is made from
the positions alone. Source: DICOM PS3.3 A.51, C.8.20, C.8.31.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from service.codes import DEVICE_UID
from service.dicom.attributes import integer, items, number, text
from service.dicom.frames import Groups, directions, frame_groups, pixel_spacing, vector
from service.dicom.pixels import decode_frames
from service.dicom.source_images import sources_of_frames
from service.errors import Unusable
from service.regions.region import DrawnMask, Images
from service.volumes.volume import Matrix, Volume

PLACE_TOLERANCE = 0.1  # mm between a frame and its place in the grid
TILT_TOLERANCE = 1e-3  # of the cosines
MARGIN = 4  # empty voxels kept around a segment, so that smoothing meets no edge
MOST_VOXELS = 100_000_000  # more is a fault of the positions, and would fill the memory


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Where the frames lie: the affine of the stack, its number of slices, and the slice of each frame."""

    affine: Matrix
    slices: int
    places: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """The decoded frames with the segment that each belongs to (None in a label map), and what a full voxel is stored as."""

    stored: Sequence[NDArray[Any]]
    owners: Sequence[int | None]
    full: float
    labelmap: bool


def read_segments(dataset: Dataset) -> tuple[DrawnMask, ...]:
    """One mask for each segment, cut to what it fills; a segment without frames is an empty mask, background is no segment.

    Outside of its grid a mask is empty.

    Raises:
        Unusable: It has no frames, the frames do not lie on one grid, or they cannot be decoded.
    """
    groups = frame_groups(dataset)
    grid = _grid(dataset, groups)
    frames = _frames(dataset, groups)
    segments = [segment for segment in items(dataset, "SegmentSequence") if integer(segment, "SegmentNumber")]
    numbers = [integer(segment, "SegmentNumber") or 0 for segment in segments]
    return tuple(
        _mask(dataset, segment, _fill(grid, frames, number), sources_of_frames(dataset, _own(groups, frames, number)))
        for segment, number in zip(segments, numbers, strict=True)
    )


def _own(groups: Sequence[Groups], frames: _Frames, segment: int) -> list[Groups]:
    """The functional groups of the frames that hold a segment, or may hold it."""
    return [group for group, owner in zip(groups, frames.owners, strict=True) if owner == segment or frames.labelmap]


def _frames(dataset: Dataset, groups: Sequence[Groups]) -> _Frames:
    kind = text(dataset, "SegmentationType").upper()
    return _Frames(
        stored=decode_frames(dataset, range(1, len(groups) + 1), "The segmentation"),
        owners=[integer(group.first("SegmentIdentificationSequence"), "ReferencedSegmentNumber") for group in groups],
        full=(number(dataset, "MaximumFractionalValue") or 255.0) if kind == "FRACTIONAL" else 1.0,
        labelmap=kind == "LABELMAP",
    )


def _fill(grid: _Grid, frames: _Frames, segment: int) -> Volume:
    """The fraction of each voxel that the segment fills; frames in the same place join."""
    values = np.zeros((grid.slices, *frames.stored[0].shape), dtype=np.float32)
    for place, stored, owner in zip(grid.places, frames.stored, frames.owners, strict=True):
        if frames.labelmap:
            np.maximum(values[place], stored == segment, out=values[place])
        elif owner == segment:
            np.maximum(values[place], stored / np.float32(frames.full), out=values[place])
    return _cropped(Volume(values, grid.affine))


def _cropped(mask: Volume) -> Volume:
    """The mask without the empty rest: an archive's segmentation of fifty organs would not fit into memory otherwise."""
    filled = np.argwhere(mask.values > 0)
    if not len(filled):
        return mask.crop((0, 0, 0), (1, 1, 1))
    low, high = filled.min(axis=0) - MARGIN, filled.max(axis=0) + 1 + MARGIN
    part = mask.crop((int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2])))
    return part.with_values(part.values.copy())


def _mask(dataset: Dataset, segment: Dataset, mask: Volume, images: Images) -> DrawnMask:
    return DrawnMask(
        source_uid=text(dataset, "SOPInstanceUID"),
        number=integer(segment, "SegmentNumber") or 0,
        label=text(segment, "SegmentLabel"),
        codes=segment_codes(segment),
        mask=Volume(np.clip(mask.values, 0, 1), mask.affine, text(dataset, "FrameOfReferenceUID")),
        fractional=_is_fractional(dataset),
        by_us=text(dataset, "DeviceUID") == DEVICE_UID,
        tracking_uid=text(segment, "TrackingUID"),
        images=images,
    )


def _is_fractional(dataset: Dataset) -> bool:
    """Whether the values are fractions of voxels that are filled; a probability is no fraction, its 0.5 level is the edge."""
    return text(dataset, "SegmentationType").upper() == "FRACTIONAL"


def segment_codes(segment: Dataset) -> tuple[str, ...]:
    """Category, type and anatomic region as "scheme:value"."""
    keywords = ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence")
    return tuple(code for keyword in keywords for entry in items(segment, keyword) if (code := code_text(entry)))


def code_text(entry: Dataset) -> str:
    """A coded entry as "scheme:value"; "" when it has no value."""
    value = text(entry, "CodeValue") or text(entry, "LongCodeValue")
    return f"{text(entry, 'CodingSchemeDesignator')}:{value}" if value else ""


# The grid


def _grid(dataset: Dataset, groups: Sequence[Groups]) -> _Grid:
    positions, axes, spacing = _places(groups)
    along = (positions - positions[0]) @ axes[:, 0]
    distance = _distance(groups, along)
    index = np.rint((along - along.min()) / distance).astype(np.int64)
    origin = positions[int(np.argmin(along))]
    expected = origin + index[:, None] * distance * axes[:, 0]
    off = float(np.linalg.norm(positions - expected, axis=1).max())
    if off > PLACE_TOLERANCE:
        raise _off_grid(f"a frame lies {off:.2f} mm off the grid of the others")
    slices = int(index.max()) + 1
    if slices * (integer(dataset, "Rows") or 0) * (integer(dataset, "Columns") or 0) > MOST_VOXELS:
        raise _off_grid(f"its frames reach over {slices} slices")
    affine: Matrix = np.eye(4)
    affine[:3, :3] = axes * np.array((distance, *spacing))
    affine[:3, 3] = origin
    return _Grid(affine, slices, index)


def _places(groups: Sequence[Groups]) -> tuple[Matrix, Matrix, tuple[float, float]]:
    """Positions (frames, 3), the unit vectors of (slice, row, column) index as columns, and the pixel spacing."""
    found = [
        (
            vector(group.first("PlanePositionSequence"), "ImagePositionPatient"),
            directions(group.first("PlaneOrientationSequence")),
            pixel_spacing(group.first("PixelMeasuresSequence")),
        )
        for group in groups
    ]
    known = [(position, cosines, size) for position, cosines, size in found if position and cosines and size]
    if not known or len(known) < len(found):
        raise _off_grid("not every frame says where in the patient it lies")
    cosines = np.array([item[1] for item in known])
    if np.abs(cosines - cosines[0]).max() > TILT_TOLERANCE or len({item[2] for item in known}) > 1:
        raise _off_grid("its frames differ in orientation or pixel size")
    return np.array([item[0] for item in known], dtype=np.float64), _axes(cosines[0]), known[0][2]


def _axes(cosines: Matrix) -> Matrix:
    along_row = cosines[:3] / np.linalg.norm(cosines[:3])
    normal = np.cross(along_row, cosines[3:])
    normal /= np.linalg.norm(normal)
    return np.stack([normal, np.cross(normal, along_row), along_row], axis=1)


def _distance(groups: Sequence[Groups], along: Matrix) -> float:
    """Between slices, mm: as stated where all frames fit it, else the smallest step between frames.

    Left-out frames make steps larger, and the statement is optional: neither is trusted alone. The thickness counts for a
    single frame only: slices may be thinner than their distance.
    """
    measures = groups[0].first("PixelMeasuresSequence")
    stated = number(measures, "SpacingBetweenSlices") or 0.0
    steps = np.diff(np.sort(along))
    steps = steps[steps > PLACE_TOLERANCE]
    if not len(steps):
        return stated if stated > 0 else number(measures, "SliceThickness") or 1.0
    smallest = float(steps.min())
    if not 0 < stated <= smallest + PLACE_TOLERANCE:
        return _refined(along, smallest)
    off = along - along.min() - np.rint((along - along.min()) / stated) * stated
    return stated if float(np.abs(off).max()) <= PLACE_TOLERANCE else _refined(along, smallest)


def _refined(along: Matrix, step: float) -> float:
    """The step that fits the whole extent: rounding of one step would grow with the number of slices."""
    extent = float(np.ptp(along))
    return extent / max(1, round(extent / step))


def _off_grid(fault: str) -> Unusable:
    return Unusable("drawing.geometry", f"The segmentation cannot be placed: {fault}. Draw it again on one series.")
