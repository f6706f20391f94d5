"""A body whose shape is a mask: the liver of a real exam."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from service.phantom.bodies import INFINITE, Box, Floats
from service.volumes.volume import Array, Volume

SAFE = 0.7
"""What part of the interpolated distance is surely below the true one."""


@dataclass(frozen=True, eq=False)
class MaskBody:
    """What a mask (0.5 and more) fills; beyond the mask's grid it goes on as at the edge.

    Its surface is the zero level of the signed distance, smoothed by half a voxel and interpolated linearly.
    """

    mask: Volume

    @cached_property
    def field(self) -> Array:
        """Signed distance at voxel centers (k, j, i), mm, negative inside."""
        inside = np.pad(self.mask.values >= 0.5, 1, mode="edge")
        spacing = self.mask.spacing
        outward = ndimage.distance_transform_edt(~inside, sampling=spacing)
        inward = ndimage.distance_transform_edt(inside, sampling=spacing)
        smooth = ndimage.gaussian_filter(outward - inward, 0.5)
        return np.asarray(smooth[1:-1, 1:-1, 1:-1], dtype=np.float32)

    def distance(self, points: Floats) -> Floats:
        """The sign defines the body; the magnitude is a lower bound."""
        index = np.moveaxis(self.mask.to_index(points), -1, 0)
        found = ndimage.map_coordinates(self.field, index, order=1, mode="nearest")
        return SAFE * np.asarray(found, dtype=np.float64)

    def bounds(self) -> Box:
        """No limits."""
        return INFINITE
