"""Planes to a volume: sorted along their normal, stacked, and refused when they are not a regular grid.

Nothing is repaired or guessed: a wrong slice distance is a wrong margin. Source: DICOM PS3.3 C.7.6.2.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from service.errors import Unusable
from service.study.model import Vector
from service.volumes.volume import Array, Matrix, Volume

POSITION_TOLERANCE = 0.1  # mm: scanners round positions and tables creep; 0.02 is common, 0.1 is not visible
SPACING_TOLERANCE = 1e-3  # mm, of pixel spacing
TILT_TOLERANCE = 0.05  # degrees between planes: 0.2 mm at the edge of a 400 mm field
SHEAR_TOLERANCE = 0.1  # degrees between the stack and its normal
SQUARE_TOLERANCE = 1e-3  # of the cosines: unit length and right angle
GOOD_SPACING, LARGEST_SPACING = 4.0, 5.0  # mm between slices, quality gate Q2


@dataclass(frozen=True, slots=True, eq=False)
class PixelPlane:
    """One decoded plane: `values` (rows, columns); position and cosines of its first pixel's centre, LPS mm.

    `orientation` holds the cosines of the rows, then of the columns; `spacing` the distance between rows, then columns.
    `name` is how sentences call the plane.
    """

    values: Array
    position: Vector
    orientation: tuple[float, float, float, float, float, float]
    spacing: tuple[float, float]
    frame_of_reference_uid: str = ""
    name: str = "An image"


class SliceQuality(StrEnum):
    """How far the distance between slices lets a margin be measured."""

    GOOD = "good"
    THICK = "thick"
    TOO_THICK = "too_thick"


def slice_quality(volume: Volume) -> tuple[SliceQuality, str]:
    """The grade of the slice distance, and a sentence for any but a good one.

    >>> slice_quality(Volume(np.zeros((2, 2, 2), np.float32), np.diag([6.0, 1.0, 1.0, 1.0])))[0].value
    'too_thick'
    """
    distance = volume.spacing[0]
    if distance <= GOOD_SPACING + SPACING_TOLERANCE:
        return SliceQuality.GOOD, ""
    if distance <= LARGEST_SPACING + SPACING_TOLERANCE:
        return SliceQuality.THICK, f"Slices are {distance:.1f} mm apart: margins are less certain than with 4 mm or less."
    return (
        SliceQuality.TOO_THICK,
        f"Slices are {distance:.1f} mm apart: too far for a margin of 3 mm; send a series with at most 5 mm.",
    )


def build_volume(planes: Sequence[PixelPlane], frame_of_reference_uid: str = "") -> Volume:
    """The volume whose voxels are exactly the pixels of the planes, slices sorted along row x column.

    Args:
        planes: In any order; at least two.
        frame_of_reference_uid: That of the phase; "" takes the one that the planes name.

    Raises:
        Unusable: The planes are no regular grid; code and sentence name the fault, the image and what to do.
    """
    _require_one_frame(planes, frame_of_reference_uid)
    _require_enough(planes)
    _require_one_size(planes)
    axes = _axes(planes)
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    along = positions @ axes[:, 0]
    order = np.argsort(along, kind="stable")
    distance = _distance(along[order], [planes[index].name for index in order])
    origin = _origin(positions[order], axes[:, 0] * distance, [planes[index].name for index in order])
    return Volume(
        values=np.stack([np.asarray(planes[index].values, dtype=np.float32) for index in order]),
        affine=_affine(axes, (distance, *planes[0].spacing), origin),
        frame_of_reference_uid=frame_of_reference_uid or planes[0].frame_of_reference_uid,
    )


def _require_one_frame(planes: Sequence[PixelPlane], uid: str) -> None:
    named = {plane.frame_of_reference_uid for plane in planes} | {uid}
    if len(named - {""}) > 1:
        odd = next(plane.name for plane in planes if plane.frame_of_reference_uid != (uid or planes[0].frame_of_reference_uid))
        raise Unusable(
            "geometry.frame_of_reference",
            f"{odd} has another frame of reference than the rest of the phase, so their positions cannot be compared; "
            "send the series as one acquisition.",
        )


def _require_enough(planes: Sequence[PixelPlane]) -> None:
    if len(planes) < 2:
        raise Unusable(
            "geometry.too_few", f"The phase has {len(planes)} slice(s), a volume needs at least 2; send the whole series."
        )


def _require_one_size(planes: Sequence[PixelPlane]) -> None:
    first = planes[0]
    for plane in planes:
        if plane.values.shape != first.values.shape:
            sizes = f"{_pair(plane.values.shape)} pixels and {first.name} {_pair(first.values.shape)}"
            raise Unusable("geometry.mixed_size", f"{plane.name} has {sizes}; send a series of one matrix size.")
        if not np.allclose(plane.spacing, first.spacing, rtol=0, atol=SPACING_TOLERANCE):
            sizes = f"pixels of {_pair(plane.spacing)} mm and {first.name} of {_pair(first.spacing)} mm"
            raise Unusable("geometry.mixed_spacing", f"{plane.name} has {sizes}; send a series of one pixel size.")


def _pair(pair: tuple[float, ...]) -> str:
    return f"{pair[0]:g} x {pair[1]:g}"


def _axes(planes: Sequence[PixelPlane]) -> Matrix:
    """Unit vectors of the slice, row and column index as the columns of a 3x3 matrix."""
    cosines = np.array([plane.orientation for plane in planes], dtype=np.float64).reshape(-1, 2, 3)
    _require_square(planes, cosines)
    _require_parallel(planes, cosines)
    mean = cosines.mean(axis=0)
    along_row = mean[0] / np.linalg.norm(mean[0])
    normal = np.cross(along_row, mean[1])
    normal /= np.linalg.norm(normal)
    return np.stack([normal, np.cross(normal, along_row), along_row], axis=1)


def _require_square(planes: Sequence[PixelPlane], cosines: Matrix) -> None:
    lengths = np.abs(np.linalg.norm(cosines, axis=2) - 1).max(axis=1)
    skew = np.abs((cosines[:, 0] * cosines[:, 1]).sum(axis=1))
    worst = int(np.argmax(np.maximum(lengths, skew)))
    if max(lengths[worst], skew[worst]) > SQUARE_TOLERANCE:
        raise Unusable(
            "geometry.orientation",
            f"{planes[worst].name} has rows and columns that are not at right angles; send the series again from the scanner.",
        )


def _require_parallel(planes: Sequence[PixelPlane], cosines: Matrix) -> None:
    """Against the median orientation, so that the odd plane is named and not its neighbours."""
    median = np.median(cosines, axis=0)
    chords = np.linalg.norm(cosines - median, axis=2).max(axis=1)
    worst = int(np.argmax(chords))
    degrees = float(np.degrees(2 * np.arcsin(min(1.0, chords[worst] / 2))))
    if degrees > TILT_TOLERANCE:
        raise Unusable(
            "geometry.orientation",
            f"{planes[worst].name} is tilted by {degrees:.2f} degrees against the other slices; "
            "send a series of parallel slices.",
        )


def _distance(along: Matrix, names: Sequence[str]) -> float:
    """The one distance between sorted slices, mm."""
    steps = np.diff(along)
    _require_apart(steps, names)
    _require_whole(steps, names)
    fit = np.polynomial.Polynomial.fit(np.arange(len(along)), along, 1).convert()
    distance = float(fit.coef[1])
    off = np.abs(along - fit(np.arange(len(along))))
    if max(np.ptp(steps) / 2, off.max()) > POSITION_TOLERANCE:
        worst = int(np.argmax(np.abs(steps - np.median(steps))))
        raise Unusable(
            "geometry.spacing",
            f"{names[worst + 1]} lies {steps[worst]:.2f} mm from its neighbour, the other slices "
            f"{float(np.median(steps)):.2f} mm; send a series of equal slice distance.",
        )
    return distance


def _require_apart(steps: Matrix, names: Sequence[str]) -> None:
    """No two slices in one place."""
    same = steps < POSITION_TOLERANCE
    if not same.any():
        return
    places = np.concatenate([[0], np.cumsum(~same)])
    each = np.bincount(places)
    if (each == each[0]).all():
        raise Unusable(
            "geometry.mixed_phases",
            f"Each of the {len(each)} slice positions holds {each[0]} images that nothing tells apart; "
            "send each phase as its own series.",
        )
    at = int(np.argmax(same))
    raise Unusable(
        "geometry.duplicate", f"{names[at]} and {names[at + 1]} lie in the same place; send the series with one of them."
    )


def _require_whole(steps: Matrix, names: Sequence[str]) -> None:
    """No slice left out: a step that is a multiple of the smallest."""
    base = float(steps.min())
    times = np.rint(steps / base)
    if times.max() < 2 or np.abs(steps - times * base).max() > POSITION_TOLERANCE * times.max():
        return
    at, missing = int(np.argmax(times)), int((times - 1).sum())
    raise Unusable(
        "geometry.gap",
        f"{missing} slice(s) are missing, the first between {names[at]} and {names[at + 1]} "
        f"({steps[at]:.2f} mm apart, the others {base:.2f} mm); send the missing images.",
    )


def _origin(positions: Matrix, step: Matrix, names: Sequence[str]) -> Matrix:
    """Where the first voxel lies (mean over the slices), after checking that the stack stands upright."""
    origins = positions - np.arange(len(positions))[:, None] * step
    drift = origins - origins[0]
    reach = float(np.linalg.norm(step)) * (len(positions) - 1)
    degrees = float(np.degrees(np.arctan2(np.linalg.norm(drift[-1]), reach)))
    if degrees > SHEAR_TOLERANCE and np.linalg.norm(drift[-1]) > POSITION_TOLERANCE:
        raise Unusable(
            "geometry.shear",
            f"The slices are stacked {degrees:.1f} degrees off their normal (a sheared stack); "
            "send the series as the scanner made it, not resampled.",
        )
    mean: Matrix = origins.mean(axis=0)
    off = np.linalg.norm(origins - np.median(origins, axis=0), axis=1)
    if off.max() > POSITION_TOLERANCE + np.tan(np.radians(SHEAR_TOLERANCE)) * reach / 2:
        worst = int(np.argmax(off))
        raise Unusable(
            "geometry.shift",
            f"{names[worst]} is shifted by {off[worst]:.2f} mm within its plane against the other slices; "
            "send a series without that shift.",
        )
    return mean


def _affine(axes: Matrix, spacing: tuple[float, ...], origin: Matrix) -> Matrix:
    affine: Matrix = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = origin
    return affine
