"""Parts of a tumor's surface that hang together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from service.regions.margin_surface import MarginSurface
from service.volumes.volume import Matrix


def patches(surface: MarginSurface, which: NDArray[np.bool_]) -> Matrix:
    """The share (0-1) of the surface's area in each patch (n,) of the points `which`: neighbours are in one patch."""
    if not which.any():
        return np.zeros(0)
    sides = np.concatenate([surface.faces[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    sides = sides[which[sides].all(axis=1)]
    touching = coo_array((np.ones(len(sides)), (sides[:, 0], sides[:, 1])), shape=(len(which), len(which)))
    number = connected_components(touching, directed=False)[1][which]
    areas = np.bincount(number, surface.areas[which])
    return np.asarray(areas[np.bincount(number) > 0] / surface.areas.sum())
