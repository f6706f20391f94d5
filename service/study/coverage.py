"""Slices that a phase should have: a stack without its last slice is a perfect grid, only its neighbours give it away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from service.study.model import Phase
from service.study.phases import slice_places


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A phase with fewer slices than another one of the same geometry."""

    phase_key: str
    slices: int
    expected: int
    sentence: str


def missing_slices(phases: Iterable[Phase]) -> tuple[Shortfall, ...]:
    """The phases that are shorter than the longest of their like (same matrix, pixel size, orientation and thickness).

    Only a comparison can show that the first or the last slices never came; phases without a like are not judged.
    """
    alike: dict[Hashable, list[Phase]] = defaultdict(list)
    for phase in phases:
        alike[_geometry(phase)].append(phase)
    return tuple(
        _shortfall(phase, longest)
        for group in alike.values()
        for longest in [max(group, key=_slices)]
        for phase in group
        if _slices(phase) < _slices(longest)
    )


def _slices(phase: Phase) -> int:
    """Number of different places: a slice that came twice is one."""
    return len(set(slice_places(phase.planes)))


def _geometry(phase: Phase) -> Hashable:
    first, frame = phase.first, phase.planes[0].frame
    return (
        first.rows,
        first.columns,
        None if frame.spacing is None else tuple(round(value, 2) for value in frame.spacing),
        None if frame.orientation is None else tuple(round(value, 2) + 0.0 for value in frame.orientation),
        None if first.slice_thickness is None else round(first.slice_thickness, 1),
    )


def _shortfall(phase: Phase, longest: Phase) -> Shortfall:
    slices, expected = _slices(phase), _slices(longest)
    return Shortfall(
        phase.key,
        slices,
        expected,
        f"{_called(phase)} has {slices} slices, {_called(longest)} of the same geometry has {expected}: "
        "slices may be missing at its end; compare with the archive and send the series again.",
    )


def _called(phase: Phase) -> str:
    number = phase.first.series_number
    return f"Series {'?' if number is None else number}" + (f" ({phase.apart_by})" if phase.apart_by else "")
