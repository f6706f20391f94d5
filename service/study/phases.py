"""One series may hold several volumes: split it into phases, each of one time point, echo, orientation and kind of value.

Three kinds of difference are told apart. What means another image (echo, b-value, time position, kind) always splits. What
is an orientation splits only when each part could be a stack of its own: one tilted slice is a fault for `build_volume` to
name, not a phase. What may also differ within one volume, by counting or by fault (acquisition number, trigger time, size,
frame of reference, plain order), splits only when slices lie in the same place.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from service.study.model import Phase, Plane, Vector

SAME_PLACE = 0.1  # mm along the normal
SMALLEST_PART = 0.25  # of the largest part, for a geometry to be a phase of its own

Value = Hashable
Group = tuple[Plane, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """One reason to split: what it is called, and the values of the planes that it compares."""

    name: str
    values: Callable[[Sequence[Plane]], list[Value]]


def split_phases(series_instance_uid: str, planes: Iterable[Plane]) -> tuple[Phase, ...]:
    """The phases of one series, in the order of acquisition.

    Keys are the series UID, with "#1", "#2"... where there are several.
    """
    parts: list[tuple[Group, tuple[str, ...]]] = [(tuple(planes), ())]
    for split in _ALWAYS:
        parts = [part for group in parts for part in _refine(group, split, _tells_images_apart)]
    for split in _GEOMETRY:
        parts = [part for group in parts for part in _refine(group, split, _could_be_stacks)]
    parts = [part for group in parts for part in _separate(group)]
    parts.sort(key=lambda part: _order(part[0]))
    several = len(parts) > 1
    return tuple(
        Phase(f"{series_instance_uid}#{count}" if several else series_instance_uid, series_instance_uid, group, ", ".join(why))
        for count, (group, why) in enumerate(parts, start=1)
    )


Part = tuple[Group, tuple[str, ...]]


def _refine(part: Part, split: Split, accepted: Callable[[list[Group]], bool]) -> list[Part]:
    """The part in pieces by one difference, if the pieces are acceptable; else as it was."""
    group, why = part
    pieces = _by(split.values(group), group)
    if len(pieces) < 2 or not accepted([piece for _, piece in pieces]):
        return [part]
    return [(piece, (*why, _label(split.name, value))) for value, piece in pieces]


def _by(values: Sequence[Value], group: Group) -> list[tuple[Value, Group]]:
    pieces: dict[Value, list[Plane]] = defaultdict(list)
    for value, plane in zip(values, group, strict=True):
        pieces[value].append(plane)
    return [(value, tuple(piece)) for value, piece in pieces.items()]


def _label(name: str, value: Value) -> str:
    if value in {None, ""}:
        return f"no {name}"
    shown = f"{value:g}" if isinstance(value, float) else "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{name} {shown}".strip()


# When a difference splits


def _tells_images_apart(pieces: list[Group]) -> bool:
    """Not a counter that runs through the slices of one stack."""
    planes = sum(map(len, pieces))
    return len(pieces) < planes or planes == 2 or _crowded(tuple(plane for piece in pieces for plane in piece))


def _could_be_stacks(pieces: list[Group]) -> bool:
    sizes = [len(piece) for piece in pieces]
    return min(sizes) == max(sizes) or min(sizes) >= max(2.0, SMALLEST_PART * max(sizes))


def _separate(part: Part) -> list[Part]:
    """Pieces without two planes in one place, by the first difference that gives them; else the part as it was."""
    if not _crowded(part[0]):
        return [part]
    for split in _WHEN_CROWDED:
        pieces = _refine(part, split, lambda groups: not any(map(_crowded, groups)))
        if len(pieces) > 1:
            return pieces
    return [part]


def _crowded(group: Group) -> bool:
    """Whether two planes lie in the same place."""
    places = slice_places(group)
    return len(set(places)) < len(places)


def slice_places(group: Sequence[Plane]) -> list[int]:
    """A number for each plane, the same for planes in the same place; planes without a position are all apart."""
    heights = [_height(plane) for plane in group]
    known = sorted((height, index) for index, height in enumerate(heights) if height is not None)
    places = [-1 - index for index in range(len(group))]
    place, last = 0, None
    for height, index in known:
        place += last is not None and height - last > SAME_PLACE
        places[index], last = place, height
    return places


def _height(plane: Plane) -> float | None:
    """Distance of the plane from the origin along its normal, mm."""
    position, orientation = plane.frame.position, plane.frame.orientation
    if position is None or orientation is None:
        return None
    return sum(a * b for a, b in zip(position, _normal(orientation), strict=True))


def _normal(orientation: tuple[float, float, float, float, float, float]) -> Vector:
    a, b, c, d, e, f = orientation
    return b * f - c * e, c * d - a * f, a * e - b * d


# What may differ


def _near(read: Callable[[Plane], float | None], tolerance: float) -> Callable[[Sequence[Plane]], list[Value]]:
    """Numbers, those within `tolerance` of their neighbour taken as equal and called by the smallest."""

    def values(planes: Sequence[Plane]) -> list[Value]:
        found = [read(plane) for plane in planes]
        names: dict[float, float] = {}
        last: float | None = None
        for value in sorted({value for value in found if value is not None}):
            names[value] = names[last] if last is not None and value - last <= tolerance else value
            last = value
        return [None if value is None else names[value] for value in found]

    return values


def _equal(read: Callable[[Plane], Value]) -> Callable[[Sequence[Plane]], list[Value]]:
    return lambda planes: [read(plane) for plane in planes]


def _orientations(planes: Sequence[Plane]) -> list[Value]:
    """Cosines rounded to 1 %, by the first plane of each orientation."""
    seen: list[tuple[float, ...]] = []
    return [None if plane.frame.orientation is None else _known(plane.frame.orientation, seen) for plane in planes]


def _known(orientation: tuple[float, ...], seen: list[tuple[float, ...]]) -> Value:
    for other in seen:
        if max(abs(a - b) for a, b in zip(orientation, other, strict=True)) < 1e-3:
            return tuple(round(value, 2) for value in other)
    seen.append(orientation)
    return tuple(round(value, 2) for value in orientation)


def _ranks(planes: Sequence[Plane]) -> list[Value]:
    """How many planes came before in the same place; None for all when the places are not equally full."""
    places = slice_places(planes)
    if len(set(Counter(places).values())) > 1 or len(set(places)) < 2:
        return [None] * len(planes)
    ranks: list[Value] = [None] * len(planes)
    before: Counter[int] = Counter()
    for index in sorted(range(len(planes)), key=lambda index: _plane_order(planes[index])):
        before[places[index]] += 1
        ranks[index] = before[places[index]]
    return ranks


_ALWAYS = (
    Split("kind", _equal(lambda plane: plane.frame.image_type)),
    Split("echo time", _near(lambda plane: plane.frame.echo_time, 0.1)),
    Split("inversion time", _near(lambda plane: plane.frame.inversion_time, 1.0)),
    Split("b-value", _near(lambda plane: plane.frame.b_value, 5.0)),
    Split("temporal position", _equal(lambda plane: plane.frame.temporal_position)),
    Split("stack", _equal(lambda plane: plane.frame.stack_id)),
)
_GEOMETRY = (Split("orientation", _orientations),)
_WHEN_CROWDED = (
    Split("matrix", _equal(lambda plane: (plane.instance.rows, plane.instance.columns))),
    Split("pixel spacing", _near(lambda plane: plane.frame.spacing[0] if plane.frame.spacing else None, 1e-3)),
    Split("frame of reference", _equal(lambda plane: plane.instance.frame_of_reference_uid)),
    Split("acquisition", _equal(lambda plane: plane.frame.acquisition_number)),
    Split("trigger time", _near(lambda plane: plane.frame.trigger_time, 1.0)),
    Split("contrast", _equal(lambda plane: plane.instance.acquisition.contrast_agent)),
    Split("contrast given", _equal(lambda plane: plane.frame.contrast_given)),
    Split("acquisition time", _equal(lambda plane: plane.frame.acquired_at)),
    Split("order", _ranks),
)


# Order


def _order(group: Group) -> tuple[str, tuple[float, ...]]:
    return min(map(_plane_order, group))


def _plane_order(plane: Plane) -> tuple[str, tuple[float, ...]]:
    """By clock, then by what counts within the same second; a plane without a time comes last."""
    frame = plane.frame
    return frame.acquired_at.isoformat() if frame.acquired_at else "unknown", (
        float(frame.temporal_position or 0),
        frame.trigger_time or 0.0,
        float(frame.acquisition_number or 0),
        frame.echo_time or 0.0,
        frame.b_value or 0.0,
        float(plane.instance.instance_number or 0),
        float(frame.number),
    )
