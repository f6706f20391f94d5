"""Scenes to draw: balls whose margins, directions and areas are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import Kind, Region
from service.regions.visibility import Visibility
from service.report.pictures.minimum import Minimum
from service.volumes.volume import Matrix, Volume
from tests.shapes import Inside, ball, grid, region


@dataclass(frozen=True)
class Drawn:
    """A tumor in a zone with its surface, all of it assessable, on a flat image."""

    surface: MarginSurface
    visibility: Visibility
    tumor: Region
    zone: Region
    image: Volume

    def minimum(self, interval: tuple[float, float] | None = (2.0, 4.0)) -> Minimum:
        """The smallest margin as a report would state it."""
        return Minimum(self.surface.minimum, self.surface.place, interval)


def drawn(tumor: Inside, zone: Inside, onto: Volume) -> Drawn:
    """The scene of two bodies on a grid."""
    regions = region(Kind.TUMOR, tumor, onto), region(Kind.ABLATION_ZONE, zone, onto)
    surface = margin_surface(*regions, None)
    seen = Visibility(np.ones(len(surface.points), dtype=bool), {})
    return Drawn(surface, seen, *regions, onto.with_values(np.full(onto.shape, 100.0, np.float32)))


def blinded(visibility: Visibility, surface: MarginSurface, toward: tuple[float, float, float]) -> Visibility:
    """All points whose direction from the middle lies within 60 degrees of `toward` cannot be judged."""
    rays = surface.points - surface.points.mean(axis=0)
    hidden = rays @ np.array(toward) > 0.5 * np.linalg.norm(rays, axis=1)
    return replace(visibility, assessable=~hidden)


def oblique(onto: Volume) -> Volume:
    """The grid turned by 25 degrees about two axes."""
    cosine, sine = np.cos(np.deg2rad(25.0)), np.sin(np.deg2rad(25.0))
    about_z = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    affine = onto.affine.copy()
    affine[:3] = about_z @ about_x @ affine[:3]
    return replace(onto, affine=affine)


def feet_first(onto: Volume) -> Volume:
    """The same voxels with the slices in the other order."""
    return flipped(onto, 0)


def flipped(onto: Volume, axis: int) -> Volume:
    """The same voxels counted from the other end of `axis`."""
    affine = onto.affine.copy()
    start: Matrix = np.zeros(3)
    start[axis] = onto.shape[axis] - 1
    affine[:3, 3] = onto.to_mm(start)
    affine[:3, axis] *= -1.0
    return Volume(np.ascontiguousarray(np.flip(onto.values, axis)), affine, onto.frame_of_reference_uid)


@pytest.fixture(scope="session")
def shifted() -> Drawn:
    """A tumor of 6 mm moved 4 mm to the patient's left in a zone of 13 mm: margin 3 on the left, 11 on the right."""
    return drawn(ball(6.0, (4.0, 0.0, 0.0)), ball(13.0), grid(24.0, (2.0, 1.2, 1.2)))
