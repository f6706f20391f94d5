"""Which share of the margin of a tumor is hidden, from closed formulas: no image and no contour takes part.

A point of the tumor surface is hidden when its edge or that of its nearest untreated liver is, whichever the blinding spoils.
At the border of the volume a point is hidden when the border is nearer than the untreated liver that the volume shows: liver
beyond may be nearer still.

An image of voxels shows the border of a sector to half a voxel and no better. Where growing or shrinking the sector by half a
voxel moves the share by more than `AMBIGUOUS`, as where its border runs along thick slices, the truth is an interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from service.phantom.bodies import away, length, to_segment
from service.volumes.volume import Matrix
from tests.validation.margin.family import vector

DIRECTIONS = 4000
AMBIGUOUS = 0.05  # of the surface

Points = NDArray[np.bool_]


class Blinding(StrEnum):
    """What was done to the sector."""

    NONE = "none"
    LOW_CONTRAST = "none, low contrast"
    VOID = "signal void"
    NOISY_VOID = "signal void with noise"
    ZONE = "zone like liver"
    TUMOR = "tumor like zone"
    UNKNOWN = "not covered"
    BORDER = "border of the volume"
    NOISE = "strong noise"
    GHOST = "ghost"


OPEN = (Blinding.NONE, Blinding.LOW_CONTRAST)
PLANE_ONLY = (Blinding.UNKNOWN, Blinding.BORDER)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A tumor (ellipsoid around the origin with half-axes `axes`) in a zone (capsule of `radius` around a segment), mm."""

    axes: Matrix
    ends: Matrix
    radius: float

    def tumor(self, points: Matrix) -> Matrix:
        """A lower bound of the distance to the tumor, negative inside."""
        return np.asarray((away(points, (0.0, 0.0, 0.0), self.axes.tolist()) - 1.0) * self.axes.min())

    def zone(self, points: Matrix) -> Matrix:
        """Distance to the zone, negative inside."""
        return to_segment(points, vector(self.ends[0]), vector(self.ends[1]))[0] - self.radius

    def surface(self) -> tuple[Matrix, Matrix, Matrix]:
        """Points of the tumor surface (n, 3), the nearest of untreated liver, and the share of area of each."""
        turn = np.arange(DIRECTIONS) * np.pi * (3.0 - 5.0**0.5)
        height = 1.0 - (2.0 * np.arange(DIRECTIONS) + 1.0) / DIRECTIONS
        flat = np.sqrt(1.0 - height**2)
        unit = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=1)
        points, share = unit * self.axes, np.linalg.norm(unit / self.axes, axis=1)
        foot = self._foot(points)
        outward = points - foot
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
        return points, foot + self.radius * outward, share / share.sum()

    def _foot(self, points: Matrix) -> Matrix:
        first, along = self.ends[0], self.ends[1] - self.ends[0]
        part = np.clip((points - first) @ along / (along @ along), 0.0, 1.0)
        return np.asarray(first + part[..., None] * along)


@dataclass(frozen=True, slots=True, eq=False)
class Sector:
    """The blinded part: a cone from the origin (`apex` None) or everything beyond `apex` mm along `axis`."""

    axis: Matrix
    cosine: float
    apex: float | None

    def holds(self, points: Matrix) -> Points:
        """Which of the points (..., 3) lie in it."""
        along = points @ self.axis
        if self.apex is not None:
            return np.asarray(along > self.apex)
        return np.asarray(along > self.cosine * length(points))


@dataclass(frozen=True, slots=True)
class Share:
    """The share (0-1) of the surface that can be assessed: `exact`, and the `least` and `most` that half a voxel allows."""

    least: float
    exact: float
    most: float


def assessable_share(scene: Scene, sector: Sector, blinding: Blinding, voxel: tuple[float, float, float]) -> Share:
    """What can be assessed with `voxel` (z, y, x, mm)."""
    exact = 1.0 - blind_share(scene, sector, blinding)
    half = np.diag(voxel[::-1]) / 2.0
    shifts = np.concatenate([np.zeros((1, 3)), half, -half])
    points, nearest, share = scene.surface()
    hidden = np.stack([_hidden(points + shift, nearest + shift, sector, blinding) for shift in shifts])
    least, most = (1.0 - float(share[some].sum()) for some in (hidden.any(axis=0), hidden.all(axis=0)))
    clear = max(exact - least, most - exact) <= AMBIGUOUS
    return Share(exact, exact, exact) if clear else Share(least, exact, most)


def blind_share(scene: Scene, sector: Sector, blinding: Blinding) -> float:
    """The share of the tumor surface that is hidden."""
    points, nearest, share = scene.surface()
    return float(share[_hidden(points, nearest, sector, blinding)].sum())


def _hidden(points: Matrix, nearest: Matrix, sector: Sector, blinding: Blinding) -> Points:
    """Which points (n, 3) are hidden, or their nearest untreated liver (n, 3)."""
    if blinding in OPEN:
        return np.zeros(len(points), dtype=bool)
    if blinding is Blinding.BORDER:
        return np.asarray((sector.apex or 0.0) - points @ sector.axis < np.linalg.norm(nearest - points, axis=1))
    here, there = sector.holds(points), sector.holds(nearest)
    return {Blinding.ZONE: there, Blinding.TUMOR: here}.get(blinding, here | there)
