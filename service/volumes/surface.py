"""Surfaces of level fields, and exact distances to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from service.volumes.volume import Matrix, Volume

NEAR = 4  # mesh vertices whose triangles are tried: the nearest triangle touches one of them on a marching-cubes mesh


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles in LPS mm: `vertices` (n, 3), `faces` (m, 3) indices into them."""

    vertices: Matrix
    faces: NDArray[np.int64]

    @property
    def empty(self) -> bool:
        """Whether there is no surface at all."""
        return len(self.faces) == 0

    def vertex_areas(self) -> Matrix:
        """The surface that belongs to each vertex, mm2: a third of every triangle that it is a corner of."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        thirds = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6.0
        areas = np.zeros(len(self.vertices))
        for corner in range(3):
            np.add.at(areas, self.faces[:, corner], thirds)
        return areas


NOTHING = Mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64))


def isosurface(field: Volume, level: float = 0.5) -> Mesh:
    """The surface where `field` crosses `level` (Lorensen and Cline 1987, in the unambiguous form of Lewiner)."""
    values = field.values
    if min(values.shape) < 2 or not values.min() < level < values.max():
        return NOTHING
    vertices, faces, _, _ = marching_cubes(values, level=level)
    return Mesh(field.to_mm(vertices), faces.astype(np.int64))


def sample(field: Volume, points: Matrix, order: int = 1) -> Matrix:
    """Values of `field` at LPS positions (n, 3), interpolated; beyond the grid the nearest value."""
    index = field.to_index(points)
    return np.asarray(ndimage.map_coordinates(field.values, index.T, order=order, mode="nearest"), dtype=np.float64)


def nearest_points(points: Matrix, mesh: Mesh) -> Matrix:
    """For each of `points` (n, 3) the nearest point (n, 3) of the mesh, on its triangles and not only on their corners."""
    tree = cKDTree(mesh.vertices)
    count = min(NEAR, len(mesh.vertices))
    _, near = tree.query(points, k=count)
    best = mesh.vertices[near.reshape(len(points), -1)[:, 0]]
    shortest = np.linalg.norm(points - best, axis=1)
    incident = _incident_faces(mesh)
    for column in range(count):
        for face_column in range(incident.shape[1]):
            faces = incident[near.reshape(len(points), -1)[:, column], face_column]
            found = _nearest_on_triangles(points, mesh.vertices[mesh.faces[faces]])
            distance = np.linalg.norm(points - found, axis=1)
            closer = distance < shortest
            best = np.where(closer[:, None], found, best)
            shortest = np.where(closer, distance, shortest)
    return np.asarray(best)


def _incident_faces(mesh: Mesh) -> NDArray[np.int64]:
    """For each vertex the faces around it, (n, most); shorter rows repeat their first face."""
    order = np.argsort(mesh.faces.ravel(), kind="stable")
    vertex = mesh.faces.ravel()[order]
    counts = np.bincount(vertex, minlength=len(mesh.vertices))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    slots = np.arange(counts.max())[None, :]
    position = starts[:, None] + np.where(slots < counts[:, None], slots, 0)
    return np.asarray(order[np.minimum(position, len(order) - 1)] // 3, dtype=np.int64)


def _nearest_on_triangles(points: Matrix, triangles: Matrix) -> Matrix:
    """Nearest point of triangle n, `triangles` (n, 3, 3), to point n (Ericson, Real-Time Collision Detection, 5.1.5)."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    inside = _nearest_on_plane(points, a, b, c)
    edges = np.stack([_nearest_on_segment(points, *ends) for ends in ((a, b), (b, c), (c, a))])
    lengths = np.linalg.norm(edges - points, axis=2)
    edge = edges[np.argmin(lengths, axis=0), np.arange(len(points))]
    return np.where(np.isnan(inside[:, :1]), edge, inside)


def _nearest_on_plane(points: Matrix, a: Matrix, b: Matrix, c: Matrix) -> Matrix:
    """The foot of the perpendicular where it falls inside the triangle, NaN elsewhere."""
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = _dot(ab, ab), _dot(ab, ac), _dot(ac, ac)
    d20, d21 = _dot(ap, ab), _dot(ap, ac)
    scale = d00 * d11 - d01 * d01
    scale = np.where(scale > 1e-12, scale, np.nan)
    v, w = (d11 * d20 - d01 * d21) / scale, (d00 * d21 - d01 * d20) / scale
    within = (v >= 0) & (w >= 0) & (v + w <= 1)
    foot = a + v[:, None] * ab + w[:, None] * ac
    return np.where(within[:, None], foot, np.nan)


def _nearest_on_segment(points: Matrix, a: Matrix, b: Matrix) -> Matrix:
    ab = b - a
    along = _dot(points - a, ab) / np.maximum(_dot(ab, ab), 1e-12)
    return np.asarray(a + np.clip(along, 0.0, 1.0)[:, None] * ab)


def _dot(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(np.einsum("ij,ij->i", a, b))
