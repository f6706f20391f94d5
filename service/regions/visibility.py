"""How well each point of the tumor surface can be seen: where no image shows an edge, no margin follows from its contour.

An edge is judged by what the two tissues beside it measure there, not by what they measure on the whole: within a few mm the
image is explained as a mixture of tumor, ablated tissue and liver by the fractions of their contours (weighted least squares).
So a coil's slow bias costs nothing, partial volume between thick slices is no loss of contrast, and what the mixture leaves
unexplained is the noise at this place, ghosts included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from service.regions.margin_surface import MarginSurface, around
from service.regions.region import Region
from service.volumes.noise import standard_error_share
from service.volumes.surface import sample
from service.volumes.volume import Array, Matrix, Volume

Points = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Visibility:
    """What can be judged: `assessable` (n,) for the points of a surface, `reasons` the share (0-1) of area lost to each."""

    assessable: NDArray[np.bool_]
    reasons: Mapping[str, float]


TUMOR, ABLATED, LIVER = 0, 1, 2  # the order of the tissues of a mixture
PATCH = 2.5  # mm, SD of the window in which an edge is judged
LEAST_PATCH = 0.5  # voxels; less would judge single slices
REACH = 4.0  # windows' SD; beyond it a voxel has no weight
LOWEST_CNR = 1.0  # contrast over the noise of a voxel; quality gate Q5
SURE = 4.0  # contrast over its own standard error
LEAST_STEP = 0.08  # of the signal: less is texture, bias or a ghost, however little noise there is
PRIOR = 0.01  # of the window: weight of a tissue's median, which stands in where none of it is near
VOID = 0.15  # of the liver's signal: less is no tissue
SMOOTHING = 0.7  # voxels, before a voxel is called void
HALF = 0.5  # of a window that must be known and must have signal


def visibility(
    surface: MarginSurface, tumor: Region, zone: Region, phases: Mapping[str, Volume], liver: Region | None = None
) -> Visibility:
    """Which points of the tumor surface have an edge that can be seen on both sides of the margin.

    A point is assessable when, in at least one phase, tumor and ablated tissue differ there, and in at least one phase ablated
    tissue and untreated liver do, at its nearest place; and when neither lies outside the image or in a signal void. `phases`
    are on the grid of the regions. With `liver`, what lies outside it is not taken for liver.
    """
    inner, outer = (np.zeros(len(surface.points), dtype=bool) for _ in range(2))
    known, signal = inner.copy(), inner.copy()
    window = tuple(max(PATCH / size, LEAST_PATCH) for size in tumor.mask.spacing)
    reach = [int(np.ceil(REACH * width)) + 1 for width in window]
    low, high = around(tumor, zone, (reach[0], reach[1], reach[2]))
    tissues = _tissues(tumor, zone, liver)[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    for volume in phases.values():
        fit = _Mixture.of(volume.crop(low, high), tissues, window)
        if fit is None:
            continue
        inner |= fit.differ(surface.points, TUMOR, ABLATED)
        outer |= fit.differ(surface.nearest, ABLATED, LIVER)
        known |= fit.known(surface.points) & fit.known(surface.nearest)
        signal |= fit.signal(surface.points) & fit.signal(surface.nearest)
    outside = _at_border(surface, tumor.mask) | ~known
    lost = {
        "field_of_view": outside,
        "no_signal": ~outside & ~signal,
        "tumor_contrast": ~outside & signal & ~inner,
        "zone_contrast": ~outside & signal & ~outer,
    }
    total = float(surface.areas.sum())
    share = {reason: float(surface.areas[points].sum()) / total for reason, points in lost.items()}
    return Visibility(~np.any(list(lost.values()), axis=0), {reason: part for reason, part in share.items() if part > 0})


def _tissues(tumor: Region, zone: Region, liver: Region | None) -> Array:
    """The fractions (3, k, j, i) of tumor, ablated tissue and liver in each voxel."""
    inside = np.maximum(tumor.mask.values, zone.mask.values)
    outside = 1.0 - inside if liver is None else np.clip(liver.mask.values - inside, 0.0, 1.0)
    return np.stack([tumor.mask.values, inside - tumor.mask.values, outside]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Mixture:
    """One phase as a local mixture of tissues.

    `moments` (3, 3) of volumes, `products` (3), `square` and `weight` are the windowed sums of least squares; `typical` (3)
    are the tissues' medians; `covered` and `bright` the share of each window that is known and that has signal.
    """

    grid: Volume
    moments: Mapping[tuple[int, int], Array]
    products: tuple[Array, ...]
    square: Array
    typical: Matrix
    covered: Array
    bright: Array
    error_share: float

    @classmethod
    def of(cls, volume: Volume, tissues: Array, window: tuple[float, ...]) -> _Mixture | None:
        """None when the phase does not show ablated tissue and liver at all."""
        known = np.isfinite(volume.values)
        values = np.nan_to_num(volume.values).astype(np.float32)
        pure = [values[(part > 0.9) & known] for part in tissues]
        if min(pure[ABLATED].size, pure[LIVER].size) < 8:
            return None
        medians = [float(np.median(part)) if part.size else float(np.median(pure[ABLATED])) for part in pure]
        lit = known & _bright(values, known, float(np.percentile(pure[LIVER], 75)))
        # A mixed voxel says less of either tissue: its fraction is as uncertain as the contour.
        weight = lit * tissues.max(axis=0) ** 2

        def windowed(part: Array) -> Array:
            return np.asarray(ndimage.gaussian_filter(part.astype(np.float32), window, mode="constant", truncate=REACH))

        pairs = [(i, j) for i in range(3) for j in range(i, 3)]
        return cls(
            volume,
            {(i, j): windowed(weight * tissues[i] * tissues[j]) for i, j in pairs},
            tuple(windowed(weight * part * values) for part in tissues),
            windowed(weight * values**2),
            np.array(medians),
            windowed(known),
            windowed(lit),
            standard_error_share(window),
        )

    def differ(self, points: Matrix, first: int, second: int) -> Points:
        """Where (n, 3) two tissues that meet there differ by more than noise and texture."""
        normal, products = self._equations(points)
        inverse = np.linalg.inv(normal)
        levels = np.einsum("nij,nj->ni", inverse, products)
        squares = self._at(self.square, points) - np.einsum("ni,ni->n", levels, products)
        mass = np.einsum("nii->n", normal)
        noise = np.sqrt(np.maximum(squares, 0.0) / np.maximum(mass, 1e-6))
        difference = inverse[:, first, first] + inverse[:, second, second] - 2.0 * inverse[:, first, second]
        error = noise * np.sqrt(np.maximum(difference, 0.0) * self.error_share)
        step = np.abs(levels[:, first] - levels[:, second])
        least = LEAST_STEP * np.maximum(levels[:, first], levels[:, second])
        return np.asarray((step > LOWEST_CNR * noise) & (step > SURE * error) & (step > least))

    def known(self, points: Matrix) -> Points:
        """Where (n, 3) the phase covers the place."""
        return np.asarray(self._at(self.covered, points) >= HALF)

    def signal(self, points: Matrix) -> Points:
        """Where (n, 3) at least half of what the phase covers is brighter than a void."""
        return np.asarray(self._at(self.bright, points) >= HALF * self._at(self.covered, points))

    def _equations(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """The normal equations (n, 3, 3) and (n, 3) at each point, drawn a little toward the tissues' medians."""
        normal = np.zeros((len(points), 3, 3))
        for (i, j), part in self.moments.items():
            normal[:, i, j] = normal[:, j, i] = self._at(part, points)
        products = np.stack([self._at(part, points) for part in self.products], axis=1)
        return normal + PRIOR * np.eye(3), products + PRIOR * self.typical

    def _at(self, part: Array, points: Matrix) -> Matrix:
        return sample(self.grid.with_values(part), points)


def _bright(values: Array, known: Points, liver: float) -> Points:
    """Voxels that are not in a signal void."""
    seen = ndimage.gaussian_filter(known.astype(np.float32), SMOOTHING)
    smooth = ndimage.gaussian_filter(values, SMOOTHING) / np.maximum(seen, 1e-3)
    return np.asarray(smooth > VOID * liver)


def _at_border(surface: MarginSurface, grid: Volume) -> Points:
    """Points whose tumor or liver side lies in the outermost voxels, where nothing beyond is known."""
    last = np.array(grid.shape) - 1
    at = np.zeros(len(surface.points), dtype=bool)
    for points in (surface.points, surface.nearest):
        index = grid.to_index(points)
        at |= ((index < 0.5) | (index > last - 0.5)).any(axis=1)
    return at
