"""Surfaces of level fields, and exact distances to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from service.volumes.volume import Matrix, Volume

TOGETHER = 1000  # points looked at together, so that what is computed of them stays near the processor
FLAT, SHORT = 1e-12, 1e-12  # mm4, mm2: a triangle or a side that is none
LEAF = 64  # points of a tree's leaf
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


def tree_of(points: Matrix) -> cKDTree:
    """To ask for the nearest of `points` (n, 3). Tuned to a tumor within a surface, where very many are almost as near."""
    return cKDTree(points, leafsize=LEAF, balanced_tree=False, compact_nodes=False)


def nearest_points(points: Matrix, mesh: Mesh) -> Matrix:
    """For each of `points` (n, 3) the nearest point (n, 3) of the mesh, on its triangles and not only on their corners."""
    count = min(NEAR, len(mesh.vertices))
    _, near = tree_of(mesh.vertices).query(points, k=count)
    triangles = _Triangles.of(mesh)
    faces = _incident_faces(mesh)[near.reshape(len(points), count)].reshape(len(points), -1)
    starts = range(0, len(points), TOGETHER)
    parts = [triangles.nearest(points[n : n + TOGETHER], faces[n : n + TOGETHER]) for n in starts]
    return np.concatenate([np.zeros((0, 3)), *parts])


def _incident_faces(mesh: Mesh) -> NDArray[np.int64]:
    """For each vertex the faces around it, (n, most); shorter rows repeat their first face."""
    order = np.argsort(mesh.faces.ravel(), kind="stable")
    vertex = mesh.faces.ravel()[order]
    counts = np.bincount(vertex, minlength=len(mesh.vertices))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    slots = np.arange(counts.max())[None, :]
    position = starts[:, None] + np.where(slots < counts[:, None], slots, 0)
    return np.asarray(order[np.minimum(position, len(order) - 1)] // 3, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Triangles:
    """Triangles as a corner (m, 3) and the two sides that leave it, with the products (m,) of the sides."""

    corner: Matrix
    one: Matrix
    two: Matrix
    ones: Matrix
    both: Matrix
    twos: Matrix

    @classmethod
    def of(cls, mesh: Mesh) -> _Triangles:
        a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
        one, two = b - a, c - a
        return cls(a, one, two, _dot(one, one), _dot(one, two), _dot(two, two))

    def nearest(self, points: Matrix, faces: NDArray[np.int64]) -> Matrix:
        """The nearest point (n, 3) to each of `points` on those of the triangles that `faces` (n, some) names for it."""
        named = np.sort(faces, axis=1)
        once = np.ones(named.shape, dtype=bool)
        once[:, 1:] = named[:, 1:] != named[:, :-1]
        point, face = np.nonzero(once)[0], named[once]
        along, square = self._in_plane(points[point] - self.corner[face], face)
        first = np.concatenate([[0], np.flatnonzero(np.diff(point)) + 1])
        shortest = np.minimum.reduceat(square, first)[point]
        best = np.full(len(points), len(square))
        found = np.flatnonzero(square <= shortest)
        np.minimum.at(best, point[found], found)
        face, (v, w) = face[best], along[:, best]
        return np.asarray(self.corner[face] + v[:, None] * self.one[face] + w[:, None] * self.two[face])

    def _in_plane(self, away: Matrix, face: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
        """How far (2, n) along both sides of its triangle the nearest point to one `away` (n, 3) from its corner is.

        And the square (n,) of the distance, less that to the corner. The foot of the perpendicular where it falls inside the
        triangle, else the best of the sides (Ericson, Real-Time Collision Detection, 5.1.5).
        """
        ones, both, twos = self.ones[face], self.both[face], self.twos[face]
        p, q = _dot(self.one[face], away), _dot(self.two[face], away)
        scale = ones * twos - both * both
        flat = scale <= FLAT
        scale[flat] = np.inf
        v, w = (twos * p - both * q) / scale, (ones * q - both * p) / scale
        square = v * (v * ones + 2.0 * (w * both - p)) + w * (w * twos - 2.0 * q)
        out = np.flatnonzero((v < 0) | (w < 0) | (v + w > 1) | flat)
        v[out], w[out], square[out] = _on_sides(ones[out], both[out], twos[out], p[out], q[out])
        return np.stack([v, w]), square + _dot(away, away)


def _on_sides(ones: Matrix, both: Matrix, twos: Matrix, p: Matrix, q: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """How far (n,) along both sides of a triangle the nearest point of its outline is, and the square as above."""
    third = np.maximum(ones + twos - 2.0 * both, SHORT)
    s = np.clip(p / np.maximum(ones, SHORT), 0.0, 1.0)
    t = np.clip(q / np.maximum(twos, SHORT), 0.0, 1.0)
    u = np.clip((q - p - both + ones) / third, 0.0, 1.0)
    zero = np.zeros_like(s)
    v, w = np.stack([s, zero, 1.0 - u]), np.stack([zero, t, u])
    square = v * (v * ones + 2.0 * (w * both - p)) + w * (w * twos - 2.0 * q)
    best = square.argmin(axis=0), np.arange(len(s))
    return v[best], w[best], square[best]


def _dot(a: Matrix, b: Matrix) -> Matrix:
    return np.asarray(np.einsum("ij,ij->i", a, b))
