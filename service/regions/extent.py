"""Untreated liver near the tumor, and where the ablation zone lies against the liver's capsule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from service.regions.fields import Fields
from service.volumes.surface import Mesh, isosurface, sample
from service.volumes.volume import Volume

RAMP = 1.0  # mm over which a cell fills
INWARD = 2.0  # mm below the capsule, where it is asked whether liver was treated


def uncovered_ml(tumor: Mesh, fields: Fields, distances: Sequence[float]) -> Mapping[float, float]:
    """Untreated liver (mL) in the tumor and within each of `distances` (mm) of it, but for those that leave the grid."""
    room = _room(tumor, fields.untreated)
    filled = np.clip(0.5 + fields.untreated.values / RAMP, 0.0, 1.0)
    index = np.argwhere(filled > 0)
    away, _ = cKDTree(tumor.vertices).query(
        fields.untreated.to_mm(index.astype(np.float64)), distance_upper_bound=max(distances)
    )
    away[fields.tumor.values[tuple(index.T)] > 0] = 0.0
    shares = filled[tuple(index.T)] * fields.untreated.voxel_volume
    return {distance: float(shares[away <= distance].sum()) for distance in distances if distance <= room}


def capsular_contact(fields: Fields) -> float | None:
    """The area (mm2) of the liver's surface below which the zone lies; None where the liver is not known."""
    if fields.liver is None:
        return None
    capsule = isosurface(fields.liver, 0.0)
    if capsule.empty:
        return 0.0
    below = capsule.vertices + INWARD * _inward(fields.liver, capsule)
    treated = (sample(fields.zone, below) > 0) & _on_grid(fields.liver, capsule)
    return float(capsule.vertex_areas()[treated].sum())


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
