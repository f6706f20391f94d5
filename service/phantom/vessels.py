"""Vessels beside, in and through the margin, each planned so that its class is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from service.phantom.bodies import Floats, Tube, Union, length
from service.phantom.lesion import Lesion, exact

OUTSIDE = 12.0
"""How far a vessel goes on outside the zone, mm: more than the 3 mm that a bridging vessel needs."""
REACHES = 1.0
"""A lumen that comes this near to the tumor (mm) has reached it."""
ATTEMPTS = 80
Planner = Callable[[Lesion, float, np.random.Generator], Tube | None]


class VesselKind(StrEnum):
    """How the vessel of a phantom runs."""

    NONE = "none"
    ABUTS = "abuts"
    GAP_2 = "gap_2"
    GAP_4 = "gap_4"
    DEAD_END = "dead_end"
    BRIDGE_STRAIGHT = "bridge_straight"
    BRIDGE_OBLIQUE = "bridge_oblique"
    BRIDGE_CURVED = "bridge_curved"


class VesselCategory(StrEnum):
    """What a reader should call it."""

    NONE = "none"
    ABUTS = "abuts"
    TRAVERSES = "traverses"
    BRIDGES = "bridges"


@dataclass(frozen=True, slots=True)
class VesselTruth:
    """A vessel as measured on its shape.

    `gap` is the distance from lumen to tumor, mm (None without a vessel in the zone, 0 where they touch); `in_margin` the
    length of its axis inside the zone, mm; `diameter` the narrowest lumen there, mm.
    """

    category: VesselCategory
    gap: float | None = None
    in_margin: float = 0.0
    diameter: float | None = None

    @property
    def bridges(self) -> bool:
        """Whether a patent lumen runs from outside the zone to the tumor."""
        return self.category is VesselCategory.BRIDGES


def classify(lesion: Lesion, tube: Tube | None) -> VesselTruth:
    """The class of a vessel, from its axis (every .1 mm) and lumen."""
    if tube is None:
        return VesselTruth(VesselCategory.NONE)
    axis, radii = tube.axis()
    depth = Union(lesion.capsules).distance(axis)
    if float((depth - radii).min()) > REACHES:
        return VesselTruth(VesselCategory.NONE)
    inside = depth < 0
    if not inside.any():
        return VesselTruth(VesselCategory.ABUTS, diameter=float(2 * radii.min()))
    gap = max(0.0, float((_to_tumor(lesion, axis) - radii).min()))
    category = VesselCategory.BRIDGES if gap <= REACHES else VesselCategory.TRAVERSES
    step = float(length(np.diff(axis, axis=0)).mean())
    return VesselTruth(category, gap, step * int(inside.sum()), float(2 * radii[inside].min()))


def plan_vessel(lesion: Lesion, kind: VesselKind, diameter: float, rng: np.random.Generator) -> Tube | None:
    """A vessel of the wanted kind, or None when this lesion has no room for one (always for `NONE` in a tight liver)."""
    for _ in range(ATTEMPTS):
        tube = PLANNERS[kind](lesion, diameter, rng)
        if tube is not None and _in_liver(lesion, tube):
            return tube
    return None


def _aside(lesion: Lesion, diameter: float, rng: np.random.Generator) -> Tube | None:
    """A vessel that stays 6 mm or more away from the zone."""
    center = np.mean([capsule.start for capsule in lesion.capsules], axis=0)
    middle = center + rng.uniform(20, 60) * _direction(rng)
    half = 15 * _direction(rng)
    return _if_far(lesion, Tube(_path(middle - half, middle + half), diameter), 6.0)


def _abuts(lesion: Lesion, diameter: float, rng: np.random.Generator) -> Tube | None:
    """A straight vessel that touches the zone from outside."""
    center, _, away, outward = _ray(lesion, rng)
    at = center + away * outward
    normal = _normal(lesion, at)
    half = 14 * _across(normal, rng)
    middle = at + (diameter / 2 + 0.2) * normal
    return _if_far(lesion, Tube(_path(middle - half, middle + half), diameter), 0.05)


def _passing(gap: float) -> Planner:
    def chord(lesion: Lesion, diameter: float, rng: np.random.Generator) -> Tube | None:
        """A straight vessel through the zone whose lumen passes the tumor at `gap` mm."""
        center, surface, away, outward = _ray(lesion, rng)
        if away - surface < gap + diameter / 2 + 1:
            return None
        middle, across = center + (surface + gap + diameter / 2) * outward, _across(outward, rng)
        reach = [lesion.first_untreated(middle, side[None])[0] + OUTSIDE for side in (across, -across)]
        if not np.isfinite(reach).all():
            return None
        tube = Tube(_path(middle - reach[1] * across, middle + reach[0] * across), diameter)
        found = classify(lesion, tube).gap
        return tube if found is not None and abs(found - gap) < 0.3 else None

    return chord


def _dead_end(lesion: Lesion, diameter: float, rng: np.random.Generator) -> Tube | None:
    """A vessel from outside that ends half way through the margin."""
    center, surface, away, outward = _ray(lesion, rng)
    if away - surface < 4.0:
        return None
    end = surface + (away - surface) / 2 + diameter / 2
    tube = Tube(_path(center + (away + OUTSIDE) * outward, center + end * outward), diameter)
    truth = classify(lesion, tube)
    return tube if truth.gap is not None and truth.gap >= 1.9 else None


def _bridging(tilt: float, bow: float) -> Planner:
    def bridge(lesion: Lesion, diameter: float, rng: np.random.Generator) -> Tube | None:
        """A vessel from outside to the tumor, at `tilt` degrees from the shortest way, bowed by `bow` of its length."""
        center, surface, away, outward = _ray(lesion, rng)
        if away - surface < 1.0:
            return None
        across = _across(outward, rng)
        angle = np.radians(tilt)
        toward = np.cos(angle) * outward + np.sin(angle) * across
        end = center + (surface + diameter / 2 - 0.3) * outward
        inside = not lesion.untreated(end[None])[0]
        reach = lesion.first_untreated(end, toward[None])[0] if inside else 0.0
        start = end + (reach + OUTSIDE) * toward
        if not np.isfinite(reach) or lesion.ice.distance(start[None])[0] < 4:
            return None
        tube = Tube(_path(start, end, bow * (reach + OUTSIDE) * across), diameter)
        return tube if classify(lesion, tube).bridges else None

    return bridge


PLANNERS: dict[VesselKind, Planner] = {
    VesselKind.NONE: _aside,
    VesselKind.ABUTS: _abuts,
    VesselKind.GAP_2: _passing(2.0),
    VesselKind.GAP_4: _passing(4.0),
    VesselKind.DEAD_END: _dead_end,
    VesselKind.BRIDGE_STRAIGHT: _bridging(0.0, 0.0),
    VesselKind.BRIDGE_OBLIQUE: _bridging(45.0, 0.0),
    VesselKind.BRIDGE_CURVED: _bridging(20.0, 0.2),
}


def _ray(lesion: Lesion, rng: np.random.Generator) -> tuple[Floats, float, float, Floats]:
    """Tumor center, distance from it to the tumor's surface and to untreated liver in a random direction, that direction."""
    part = lesion.tumor[0]
    center, outward = np.array(part.center), _direction(rng)
    if lesion.untreated(center[None])[0]:
        return center, 0.0, 0.0, outward
    away = float(lesion.first_untreated(center, outward[None])[0])
    axes = np.full(3, getattr(part, "radius", 0.0)) if hasattr(part, "radius") else np.array(part.half_axes)
    surface = 1 / float(np.linalg.norm(outward / axes))
    return center, surface, away if np.isfinite(away) else 0.0, outward


def _to_tumor(lesion: Lesion, points: Floats) -> Floats:
    return np.min([exact(part, points) for part in lesion.tumor], axis=0)  # type: ignore[no-any-return]


def _if_far(lesion: Lesion, tube: Tube, apart: float) -> Tube | None:
    axis, radii = tube.axis(0.5)
    return tube if float((Union(lesion.capsules).distance(axis) - radii).min()) >= apart else None


def _in_liver(lesion: Lesion, tube: Tube) -> bool:
    axis, radii = tube.axis(1.0)
    return bool((lesion.liver.distance(axis) < -radii - 0.5).all())


def _path(start: Floats, end: Floats, bow: Floats | None = None) -> tuple[tuple[float, float, float], ...]:
    """A straight path, or one bowed to the side like a parabola in 16 pieces."""
    steps = np.linspace(0, 1, 2 if bow is None or not bow.any() else 17)[:, None]
    points = start + steps * (end - start) + (0 if bow is None else 4 * steps * (1 - steps) * bow)
    return tuple((float(x), float(y), float(z)) for x, y, z in points)


def _direction(rng: np.random.Generator) -> Floats:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)


def _across(direction: Floats, rng: np.random.Generator) -> Floats:
    vector = np.cross(direction, _direction(rng))
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)


def _normal(lesion: Lesion, point: Floats) -> Floats:
    body, steps = Union(lesion.capsules), 1e-3 * np.eye(3)
    slope = body.distance(point + steps) - body.distance(point - steps)
    return np.asarray(slope / max(float(np.linalg.norm(slope)), 1e-12), dtype=np.float64)
