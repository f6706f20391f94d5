"""Where on the images the numbers of a tumor were found: its lines, and how they lie on one image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from service import codes
from service.codes import Code
from service.features import margin, vessel
from service.features.finding import Finding
from service.regions.margin_surface import MarginSurface
from service.report import vocabulary as words
from service.report.grid import Grid
from service.report.result import TumorResult
from service.study.model import Plane, Vector
from service.volumes.volume import Matrix

NARROWEST, CROSSING, GAP = "narrowest place", "vessel path", "gap of the vessel"


@dataclass(frozen=True, slots=True)
class Place:
    """A line with its number: `name` says of what, `line` are LPS mm points, `value` mm, `about` the finding behind it.

    `of` is what was found there, `anchor` the point whose slice shows it.
    """

    name: str
    of: Code
    concept: Code
    value: float
    line: tuple[Vector, ...]
    anchor: Vector
    about: Finding


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as it lies on one image: (column, row) with 0.0, 0.0 at the corner of the first pixel.

    `across` is how far (mm) the line runs through the slices, `length` its length in space, mm.
    """

    plane: Plane
    points: tuple[tuple[float, float], ...]
    across: float
    length: float


def places(tumor: TumorResult) -> Iterator[Place]:
    """The narrowest place of a tumor's margin, the way of a vessel through it and what that leaves to the tumor."""
    found = {finding.name: finding for finding in tumor.findings}
    narrowest, crossing, gap = (found.get(name) for name in (margin.NAME, vessel.NAME, vessel.GAP_NAME))
    surface = tumor.surface
    if surface is None:
        return
    if narrowest is not None and narrowest.value is not None and narrowest.place is not None:
        line = _narrowest(surface, narrowest.place)
        yield Place(NARROWEST, codes.TUMOR, margin.CODE, narrowest.value, line, narrowest.place, narrowest)
    if crossing is None or len(crossing.path) < 2:
        return
    path, middle = crossing.path, crossing.path[len(crossing.path) // 2]
    yield Place(CROSSING, codes.BLOOD_VESSEL, words.PATH_LENGTH, _length(np.array(path)), path, middle, crossing)
    if gap is not None and gap.value is not None:
        line = (path[-1], _nearest(surface, path[-1]))
        yield Place(GAP, codes.BLOOD_VESSEL, vessel.GAP_CODE, gap.value, line, path[-1], gap)


def draw(place: Place, grid: Grid) -> Drawn:
    """The line on the slice of its anchor, projected along the normal."""
    index = (np.array([place.anchor, *place.line]) - grid.affine[:3, 3]) @ np.linalg.inv(grid.affine[:3, :3]).T
    k = int(np.clip(round(float(index[0, 0])), 0, len(grid.planes) - 1))
    points = tuple((float(column) + 0.5, float(row) + 0.5) for _, row, column in index[1:])
    return Drawn(grid.planes[k], points, float(np.ptp(index[1:, 0])) * grid.spacing, _length(np.array(place.line)))


def _narrowest(surface: MarginSurface, place: Vector) -> tuple[Vector, Vector]:
    """From a place of the tumor's surface to the nearest untreated liver."""
    return place, _vector(surface.nearest[_index(surface, place)])


def _nearest(surface: MarginSurface, point: Vector) -> Vector:
    """The point of the tumor's surface that is nearest to another one."""
    return _vector(surface.points[_index(surface, point)])


def _index(surface: MarginSurface, point: Vector) -> int:
    return int(np.argmin(np.linalg.norm(surface.points - np.array(point), axis=1)))


def _length(line: Matrix) -> float:
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def _vector(point: Matrix) -> Vector:
    x, y, z = (float(axis) for axis in point)
    return x, y, z
