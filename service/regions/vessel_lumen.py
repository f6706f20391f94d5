"""How wide a lumen is: by how much contrast its cross-section holds, so that voxels it fills in part count in part."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from service.regions.vessel_scene import Scene
from service.volumes.volume import Matrix

REACH = 4.5  # mm around the axis in which contrast is summed
STEP = 0.5  # mm
OFF = (2.0, 1.5)  # mm from the zone's edge and from the tumor; nearer, blur of both is summed too
OFF_THIN = (1.0, 0.5)  # where a margin is too thin for that
ALONG = 3.0  # mm over which the area is averaged
TURN = 2.0  # mm to each side from which the direction follows


def narrowest(scene: Scene, line: Matrix) -> float:
    """The diameter (mm) of a circle with the smallest cross-section along `line` (n, 3; LPS mm) inside the margin.

    Source: the integral of contrast over a cross-section does not change with blur (Reinhardt et al. 1997 for airways).
    """
    along = _even(line)
    ways = _directions(along)
    for off in (OFF, OFF_THIN):
        areas = np.array([_area(scene, point, way, off) for point, way in zip(along, ways, strict=True)])
        # The rounded end of a lumen is no narrowing of it.
        end = max(off[1], _diameter(float(np.median(areas))) / 2.0) if off is OFF else off[1]
        inside = (_values(scene, scene.depth, along) >= off[0]) & (_values(scene, scene.to_tumor, along) >= end)
        if inside.any():
            break
    smooth = ndimage.uniform_filter1d(areas, max(1, round(ALONG / STEP)), mode="nearest")
    smallest = float((smooth[inside] if inside.any() else smooth[[len(smooth) // 2]]).min())
    return _diameter(smallest)


def _diameter(area: float) -> float:
    """Of a circle, mm."""
    return 2.0 * float(np.sqrt(max(area, 0.0) / np.pi))


def _even(line: Matrix) -> Matrix:
    """The line in steps of `STEP`."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, lengths[-1], max(3, int(lengths[-1] / STEP) + 1))
    return np.stack([np.interp(at, lengths, line[:, axis]) for axis in range(3)], axis=1)


def _directions(line: Matrix) -> Matrix:
    """Unit vectors (n, 3) along the line, over `TURN` to each side."""
    reach = max(1, round(TURN / STEP))
    first = np.arange(len(line))
    ways = line[np.minimum(first + reach, len(line) - 1)] - line[np.maximum(first - reach, 0)]
    return np.asarray(ways / np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-9))


def _area(scene: Scene, point: Matrix, way: Matrix, off: tuple[float, float]) -> float:
    """The integral (mm2) of uptake over a disc across `way` at `point`, of what lies in the margin."""
    first = np.cross(way, np.eye(3)[int(np.argmin(np.abs(way)))])
    first /= np.linalg.norm(first)
    second = np.cross(way, first)
    steps = np.arange(-REACH, REACH + STEP / 2, STEP)
    a, b = (part.ravel() for part in np.meshgrid(steps, steps))
    disc = np.hypot(a, b) <= REACH
    points = point + a[disc, None] * first + b[disc, None] * second
    held = (_values(scene, scene.depth, points) >= off[0]) & (_values(scene, scene.to_tumor, points) >= off[1] / 2.0)
    return float(_values(scene, scene.uptake, points)[held].sum() * STEP**2)


def _values(scene: Scene, part: np.ndarray, points: Matrix) -> Matrix:
    index = scene.grid.to_index(points)
    return np.asarray(ndimage.map_coordinates(part, index.T, order=1, mode="nearest"), dtype=np.float64)
