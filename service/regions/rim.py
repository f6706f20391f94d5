"""The hyperaemic rim around an ablation zone: tissue that takes up more contrast than the liver beyond it.

Profiles run outward from the zone's surface along its normals; each is averaged with its neighbours and compared with the liver
beyond the rim at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from service.regions.region import Region
from service.volumes.surface import Mesh, isosurface, sample
from service.volumes.volume import Matrix, Volume, box_of

STEP = 0.5  # mm along a profile
WIDEST = 8.0  # mm: a rim is looked for up to here
BEYOND = (9.0, 13.0)  # mm: liver to compare with
NEIGHBOURS = 4.0  # mm, in which profiles are averaged
MOST_NEIGHBOURS = 24
BRIGHTER = 0.2  # of the liver beyond, more than texture
SIGMAS = 4.0  # of noise of an averaged profile, of which the highest place is looked at
ALIKE = 4.0  # neighbouring profiles that share their voxels
PURE = 0.9
FEWEST = 40  # profiles
SMOOTH = 1.0  # voxels, of the surface from which profiles run


@dataclass(frozen=True, slots=True)
class Rim:
    """`continuity`: the share (0-1) of the zone's surface with a rim; `thickness` (mm): its median there, None without any.

    `looked_at`: the share of the surface beyond which there is liver enough to tell.
    """

    continuity: float
    thickness: float | None
    looked_at: float


def rim_of(zone: Region, liver: Region | None, image: Volume) -> Rim | None:
    """The rim in `image` (after contrast minus before, or after contrast alone); None where too little liver lies around."""
    pad = [int(np.ceil(BEYOND[1] / size)) + 2 for size in image.spacing]
    box = box_of(zone.mask.values > 0, (pad[0], pad[1], pad[2]))
    mesh, outward = _surface(zone.mask.crop(*box))
    if len(mesh.vertices) < FEWEST:
        return None
    steps = np.arange(STEP, BEYOND[1] + STEP / 2.0, STEP)
    points = mesh.vertices[:, None] + steps[:, None] * outward[:, None]
    shown = sample(image.crop(*box), points.reshape(-1, 3)).reshape(points.shape[:2])
    whole = np.isfinite(shown).all(axis=1) & _in_liver(liver, box, points)
    areas = mesh.vertex_areas()
    if int(whole.sum()) < FEWEST:
        return None
    thickness = _thickness(mesh.vertices[whole], shown[whole], steps)
    has = thickness > 0
    weights = areas[whole]
    return Rim(
        continuity=float(weights[has].sum() / weights.sum()),
        thickness=float(np.median(thickness[has])) if has.any() else None,
        looked_at=float(weights.sum() / areas.sum()),
    )


def _surface(mask: Volume) -> tuple[Mesh, Matrix]:
    """The zone's surface and the unit vectors (n, 3) that point out of it, LPS."""
    mesh = isosurface(mask, 0.5)
    slopes = np.gradient(ndimage.gaussian_filter(mask.values, SMOOTH), *mask.spacing)
    inward = np.stack([sample(mask.with_values(slope), mesh.vertices) for slope in slopes], axis=1) / np.array(mask.spacing)
    turned = -(inward @ np.asarray(mask.affine[:3, :3]).T)
    return mesh, np.asarray(turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9))


def _in_liver(
    liver: Region | None, box: tuple[tuple[int, int, int], tuple[int, int, int]], points: Matrix
) -> NDArray[np.bool_]:
    """Whether each profile (n, steps, 3) lies in the liver as a whole."""
    if liver is None:
        return np.ones(len(points), dtype=bool)
    inside = sample(liver.mask.crop(*box), points.reshape(-1, 3)).reshape(points.shape[:2])
    return np.asarray((inside[:, 2:] > PURE).all(axis=1), dtype=bool)


def _thickness(places: Matrix, shown: Matrix, steps: Matrix) -> Matrix:
    """Of the rim at each place (n,), mm; 0 where there is none. `shown` (n, steps) are the profiles."""
    averaged, count = _averaged(places, shown)
    far = (steps >= BEYOND[0]) & (steps <= BEYOND[1])
    beyond = np.median(averaged[:, far], axis=1)
    scatter = 1.4826 * float(np.median(np.abs(shown[:, far] - averaged[:, far])))
    noise = scatter / np.sqrt(np.maximum(count / ALIKE, 1.0))
    near = averaged[:, steps <= WIDEST]
    over = near.max(axis=1) - beyond
    bright = over > np.maximum(BRIGHTER * np.abs(beyond), SIGMAS * noise)
    half = near >= (beyond + over / 2.0)[:, None]
    peak = near.argmax(axis=1)
    return np.where(bright, STEP * _run(half, peak), 0.0)


def _averaged(places: Matrix, shown: Matrix) -> tuple[Matrix, Matrix]:
    """Each profile with those around it, and how many they are."""
    away, index = cKDTree(places).query(places, k=min(MOST_NEIGHBOURS, len(places)))
    used = (away <= NEIGHBOURS).astype(np.float64)
    total = np.einsum("nk,nks->ns", used, shown[index])
    count = used.sum(axis=1)
    return total / count[:, None], count


def _run(half: NDArray[np.bool_], peak: NDArray[np.int64]) -> Matrix:
    """How many steps on end, about the peak, are above half."""
    columns = np.arange(half.shape[1])
    below = ~half
    before = np.where(below & (columns < peak[:, None]), columns, -1).max(axis=1)
    after = np.where(below & (columns > peak[:, None]), columns, half.shape[1]).min(axis=1)
    return np.asarray(after - before - 1, dtype=np.float64)
