"""Directions in the patient on a flat map, areas true (Mollweide).

Of the equal-area projections this one keeps what lies at one height of the patient on one horizontal line, as a reader of axial
slices expects, and shows the surface in one piece. Seen from the front: anterior in the middle, the patient's right on the left
of the map, head up, posterior at both ends. The area of a patch is its solid angle (steradian).

Source: Snyder, Map Projections: A Working Manual, USGS Professional Paper 1395 (1987), pages 249-252, on the unit sphere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.volumes.volume import Matrix

WIDE, HIGH = 2.0 * np.sqrt(2.0), np.sqrt(2.0)  # half axes of the ellipse that holds all directions
_THETA = np.linspace(-np.pi / 2.0, np.pi / 2.0, 20001)
_HEIGHT = (2.0 * _THETA + np.sin(2.0 * _THETA)) / np.pi  # sine of the latitude at each auxiliary angle


def project(directions: Matrix) -> Matrix:
    """Map positions (..., 2) of directions (..., 3) in LPS; their length does not matter.

    >>> project(np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 5.0]])).round(3) + 0.0
    array([[0.   , 0.   ],
           [0.   , 1.414]])
    """
    x, y, z = np.moveaxis(directions / np.linalg.norm(directions, axis=-1, keepdims=True), -1, 0)
    theta = np.interp(z, _HEIGHT, _THETA)
    return np.stack([WIDE / np.pi * np.arctan2(x, -y) * np.cos(theta), HIGH * np.sin(theta)], axis=-1)


def directions(positions: Matrix) -> Matrix:
    """Unit directions (..., 3) in LPS at map positions (..., 2); NaN outside the ellipse."""
    x, y = np.moveaxis(positions, -1, 0)
    theta = np.arcsin(np.where(on_map(positions), y / HIGH, np.nan))
    longitude = np.pi * x / (WIDE * np.maximum(np.cos(theta), 1e-12))
    height = (2.0 * theta + np.sin(2.0 * theta)) / np.pi
    flat = np.sqrt(np.maximum(1.0 - height**2, 0.0))
    return np.stack([flat * np.sin(longitude), -flat * np.cos(longitude), height], axis=-1)


def on_map(positions: Matrix) -> NDArray[np.bool_]:
    """Whether map positions (..., 2) lie in the ellipse of all directions."""
    return np.asarray((positions[..., 0] / WIDE) ** 2 + (positions[..., 1] / HIGH) ** 2 <= 1.0)
