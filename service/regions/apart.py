"""How far two regions are from each other, surface to surface."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from service.regions.region import Region
from service.volumes.surface import isosurface
from service.volumes.volume import Matrix, Volume, box_of

PAD = (2, 2, 2)  # voxels
SAMPLED = 50  # of so many points of a surface one gives a first bound


def between(one: Region, other: Region) -> float | None:
    """The smallest distance between two surfaces, mm, 0 where the regions overlap; None without a surface.

    Both lie on one grid. The points of a surface are as dense as its voxels, which makes the distance at most a fraction of a
    voxel too large.
    """
    if bool(((one.mask.values > 0.5) & (other.mask.values > 0.5)).any()):
        return 0.0
    first, second = (surface_of(region.mask) for region in (one, other))
    if first is None or second is None:
        return None
    return _closest(first, second)


def to_edge(inside: Region, around: Region) -> float | None:
    """The smallest distance from a region to the surface of the one that holds it, mm, 0 where it reaches it."""
    first, second = surface_of(inside.mask), surface_of(around.mask)
    if first is None or second is None:
        return None
    return _closest(first, second)


def _closest(first: Matrix, second: Matrix) -> float:
    """The smallest distance between two sets of points; of the second, only what may be nearer than some of it is looked at."""
    tree = cKDTree(first)
    far = float(tree.query(second[::SAMPLED])[0].min())
    low, high = first.min(axis=0) - far, first.max(axis=0) + far
    near = second[((second >= low) & (second <= high)).all(axis=1)]
    return min(far, float(tree.query(near, distance_upper_bound=far)[0].min(initial=far)))


def surface_of(mask: Volume) -> Matrix | None:
    """The points (n, 3; LPS mm) of a mask's surface, but for where the border of the volume cuts it."""
    if not (mask.values > 0.5).any():
        return None
    part = mask.crop(*box_of(mask.values > 0, PAD))
    mesh = isosurface(part, 0.5)
    if mesh.empty:
        return None
    index = mask.to_index(mesh.vertices)
    own = ((index > 0.5) & (index < np.array(mask.shape) - 1.5)).all(axis=1)
    return mesh.vertices[own] if own.any() else None
