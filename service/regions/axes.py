"""How long, wide and thick a region is: extents of its surface in space, not on slices."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform

from service.regions.region import Region
from service.volumes.surface import isosurface
from service.volumes.volume import Matrix, box_of

WHOLE = 0.6  # voxels, by which a mask of whole voxels is smoothed
PAD = (2, 3, 3)  # voxels


def axes_of(region: Region) -> tuple[float, float, float] | None:
    """The longest diameter (mm), then the wider and the narrower extent across the body; None for less than a surface.

    Across is across the principal axis: the longest diameter of a blunt body leans from corner to corner.
    """
    points = _hull(region)
    if points is None:
        return None
    main = _principal(region)
    flat = points - np.outer(points @ main, main)
    apart = squareform(pdist(flat))
    first, last = np.unravel_index(int(apart.argmax()), apart.shape)
    wide = flat[last] - flat[first]
    width = float(np.linalg.norm(wide))
    return float(pdist(points).max()), width, float(np.ptp(points @ np.cross(main, wide / width)))


def _principal(region: Region) -> Matrix:
    """The unit vector along which the region's volume spreads most, LPS."""
    held = np.argwhere(region.mask.values > 0)
    weights = region.mask.values[tuple(held.T)]
    points = region.mask.to_mm(held.astype(np.float64))
    _, vectors = np.linalg.eigh(np.cov(points.T, aweights=weights))
    return np.asarray(vectors[:, -1], dtype=np.float64)


def _hull(region: Region) -> Matrix | None:
    """The corners (n, 3; LPS mm) of the convex hull of the region's surface."""
    if not (region.mask.values > 0.5).any():
        return None
    part = region.crop(*box_of(region.mask.values > 0, PAD)).mask
    values = np.pad(part.values, 1)
    if region.binary:
        values = ndimage.gaussian_filter(values, WHOLE)
    mesh = isosurface(part.with_values(values), 0.5)
    try:
        corners = mesh.vertices[ConvexHull(mesh.vertices).vertices] if len(mesh.vertices) > 4 else None
    except QhullError:
        return None
    return corners
