"""Untreated liver near the tumor, and where the ablation zone lies against the liver's capsule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.fields import Fields
from service.volumes.surface import Mesh, isosurface, sample, tree_of
from service.volumes.volume import Matrix, Volume

RAMP = 1.0  # mm over which a cell fills
INWARD, INWARD_DOUBT = 1.0, 2.0  # mm below the capsule, where zone and liver are compared, and more for each mm of doubt
BEHIND, BEHIND_DOUBT = 0.4, 1.5  # mm that the zone may lie behind the liver there


def uncovered_ml(tumor: Mesh, fields: Fields, distances: Sequence[float]) -> Mapping[float, float]:
    """Untreated liver (mL) in the tumor and within each of `distances` (mm) of it, but for those that leave the grid.

    What is counted of a cell lies between two surfaces that face each other: that of the ice and that of what is so far from
    the tumor. So both shares of a cell overlap as little as they can; their product would count a thin layer too large.
    """
    room = _room(tumor, fields.untreated)
    reach = max(distances) + RAMP
    low, left = _near(tumor, fields.untreated, reach)
    within = np.argwhere(left > 0)
    index = within + low
    away, _ = tree_of(tumor.vertices).query(fields.untreated.to_mm(index.astype(np.float64)), distance_upper_bound=reach)
    depth = fields.tumor.values[tuple(index.T)]
    away = np.where(depth > 0, -depth, away)
    shares = left[tuple(within.T)]
    return {
        distance: float(np.maximum(shares + _filled(distance - away) - 1.0, 0.0).sum()) * fields.untreated.voxel_volume
        for distance in distances
        if distance <= room
    }


def capsular_contact(fields: Fields, doubt: float = 0.0) -> float | None:
    """The area (mm2) of the liver's surface that the zone reaches; None where the liver is not known.

    Where it does, zone and liver are one surface, and a little below it both are equally deep; beside such places the zone
    falls back. `doubt` (mm): the standard deviation that the contours of both state.
    """
    if fields.liver is None:
        return None
    capsule = isosurface(fields.liver, 0.0)
    if capsule.empty:
        return 0.0
    below = capsule.vertices + (INWARD + INWARD_DOUBT * doubt) * _inward(fields.liver, capsule)
    behind = sample(fields.liver, below) - sample(fields.zone, below)
    reached = (behind < BEHIND + BEHIND_DOUBT * doubt) & _on_grid(fields.liver, capsule)
    return float(capsule.vertex_areas()[reached].sum())


def _filled(depth: NDArray[np.floating]) -> Matrix:
    """The share of a cell whose centre lies `depth` mm inside."""
    return np.asarray(np.clip(0.5 + depth / RAMP, 0.0, 1.0), dtype=np.float64)


def _near(tumor: Mesh, untreated: Volume, reach: float) -> tuple[NDArray[np.int64], Matrix]:
    """How much of each cell in a box `reach` mm around the tumor is untreated, and the lowest index of the box."""
    index, pad = untreated.to_index(tumor.vertices), reach / np.array(untreated.spacing)
    low = np.maximum(np.floor(index.min(axis=0) - pad), 0).astype(np.int64)
    high = np.ceil(index.max(axis=0) + pad).astype(np.int64) + 1
    return low, _filled(untreated.values[low[0] : high[0], low[1] : high[1], low[2] : high[2]])


def _room(tumor: Mesh, grid: Volume) -> float:
    """How far (mm) the grid reaches beyond the tumor on every side."""
    index = grid.to_index(tumor.vertices)
    low, high = index.min(axis=0) + 0.5, np.array(grid.shape) - 0.5 - index.max(axis=0)
    return float((np.minimum(low, high) * np.array(grid.spacing)).min())


def _inward(field: Volume, mesh: Mesh) -> np.ndarray:
    """Unit vectors (n, 3) into the body at the vertices of its surface, LPS."""
    slopes = np.gradient(ndimage.gaussian_filter(field.values, 1.0), *field.spacing)
    across = np.stack([sample(field.with_values(slope), mesh.vertices) for slope in slopes], axis=1)
    turned = (across / np.array(field.spacing)) @ np.asarray(field.affine[:3, :3]).T
    return np.asarray(turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9))


def _on_grid(field: Volume, mesh: Mesh) -> np.ndarray:
    """Vertices that the border of the grid did not cut."""
    index = field.to_index(mesh.vertices)
    return np.asarray(((index > 0.5) & (index < np.array(field.shape) - 1.5)).all(axis=1))
