"""Where a margin is smallest: the narrowest place, and all others that are as narrow but for the doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from service.regions.margin_surface import MarginSurface
from service.volumes.volume import Matrix

TIED, APART = 0.3, 4.0  # mm: as narrow as the narrowest place, and another place


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Points of a surface that lie together, as indices: the `narrowest` and `all` of them; `reach` (mm): how far from that."""

    narrowest: int
    all: NDArray[np.int64]
    reach: float


def narrow_places(
    surface: MarginSurface, seen: NDArray[np.bool_], within: float = TIED, apart: float = APART
) -> tuple[Place, ...]:
    """All places, out of the points `seen`, where the margin is within `within` mm of its minimum: the narrowest first.

    Any of them may be the true one. Points with less than `apart` mm from one to the next are one place, however far it runs.
    """
    candidates = np.flatnonzero(seen & (surface.margin <= surface.margin[seen].min() + within))
    group = _together(surface.points[candidates], apart)
    places = [_place(surface, candidates[group == number]) for number in np.unique(group)]
    return tuple(sorted(places, key=lambda place: float(surface.margin[place.narrowest])))


def _together(points: Matrix, apart: float) -> NDArray[np.int64]:
    """The number (n,) of the group of each of `points` (n, 3)."""
    pairs = cKDTree(points).query_pairs(apart, output_type="ndarray")
    touching = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    return np.asarray(connected_components(touching, directed=False)[1], dtype=np.int64)


def _place(surface: MarginSurface, points: NDArray[np.int64]) -> Place:
    narrowest = int(points[np.argmin(surface.margin[points])])
    return Place(narrowest, points, float(np.linalg.norm(surface.points[points] - surface.points[narrowest], axis=1).max()))
