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
from scipy.spatial import cKDTree

from service.regions.border import at_border
from service.regions.margin_surface import MarginSurface, around
from service.regions.region import Region
from service.volumes.noise import local_sd, noise_sd, standard_error_share
from service.volumes.products import REACH, smooth
from service.volumes.surface import sample
from service.volumes.volume import Array, Matrix, Volume

Points = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Visibility:
    """What can be judged: `assessable` (n,) for the points of a surface, `reasons` the share (0-1) of area lost to each.

    `contradicted`: the share of area lost where the image shows something else than the tumor's contour, which noise does not.
    """

    assessable: NDArray[np.bool_]
    reasons: Mapping[str, float]
    contradicted: float = 0.0


TUMOR, ABLATED, LIVER = 0, 1, 2  # the order of the tissues of a mixture
LEAST_VOXELS = 8  # of a tissue, to speak of it at all
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # of tissues, in the normal equations
OF_SIX = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])  # where each element of a symmetric matrix is among these
PURE = 0.9  # of a voxel that one tissue fills
MIXED = 0.3  # weight of a voxel of two tissues: what is unexplained there is the contour's error, not noise
PATCH, WIDE_PATCH = 1.2, 2.5  # mm, SD of the window in which an edge is judged; wide where contrast is low
LOW_CNR = 5.0  # contrast over noise
LEAST_PATCH = 0.4  # voxels; less would judge single slices
TOGETHER = 16_000  # voxels solved together, so that what is computed of them stays near the processor
LOWEST_CNR = 0.8  # contrast over the noise of a voxel; quality gate Q5
SURE = 2.5  # contrast over its own standard error
UNEXPLAINED = 4.0  # times the usual noise: more than chance makes of few voxels
LEAST_STEP = 0.05  # of the signal: less is texture, bias or a ghost, however little noise there is
PRIOR = 0.01  # of the window: weight of a tissue's median, which stands in where none of it is near
VOID = (0.15, 0.25)  # of the liver's signal: less is no tissue; the higher one where noise is that high
VOID_NOISE = 2.0  # SD of noise; the magnitude of noise alone has a mean of 1.25
QUANTILE_TO_SD = 0.385  # of a normal distribution: 30th percentile of absolute deviations over SD
ROUNDS = 2  # of reweighting
AROUND = (0.5, 1.5, 1.5)  # voxels, in which roughness is judged
QUIET = 0.2  # of the signal; noise alone has 0.5, tissue at a signal-to-noise ratio of 10 has 0.1
ALL_ROUGH = 1.5  # times the smoothest fifth, where all is noise
OUTLYING = 3.0  # SD; a voxel farther from its mixture says nothing of it
BLUR = 0.45  # voxels
SMOOTHING = 0.7  # voxels, before a voxel is called void
HALF = 0.5  # of a window that must be known and must have signal, of a step that must be left
FADING = 3.0  # windows' SD; how far neighbours are seen
THICK = 4.5  # mm of a slice: what is lost may lie between two of them, and no point beside it is wholly lost


def visibility(
    surface: MarginSurface, tumor: Region, zone: Region, phases: Mapping[str, Volume], liver: Region | None = None
) -> Visibility:
    """Which points of the tumor surface have an edge that can be seen on both sides of the margin.

    A point is assessable when, in at least one phase, tumor and ablated tissue differ there, and in at least one phase ablated
    tissue and untreated liver do, at its nearest place; and when neither lies outside the image or in a signal void. `phases`
    are on the grid of the regions. With `liver`, what lies outside it is not taken for liver.
    """
    inner, outer = (np.zeros(len(surface.points), dtype=bool) for _ in range(2))
    known, signal, plausible = inner.copy(), inner.copy(), inner.copy()
    reach = [int(np.ceil(REACH * width)) + 1 for width in _window(WIDE_PATCH, tumor.mask)]
    low, high = around(tumor, zone, (reach[0], reach[1], reach[2]))
    tissues = _tissues(tumor, zone, liver)[:, low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    for volume in phases.values():
        fit = _Mixture.of(volume.crop(low, high), tissues)
        if fit is None:
            continue
        inner |= fit.differ(surface.points, TUMOR, ABLATED) & fit.signal(surface.points)
        plausible |= ~fit.contradicts(surface.points, TUMOR, ABLATED)
        outer |= fit.differ(surface.nearest, ABLATED, LIVER) & fit.signal(surface.nearest)
        known |= fit.known(surface.points) & fit.known(surface.nearest)
        signal |= fit.signal(surface.points) & fit.signal(surface.nearest)
    outside = at_border(surface, tumor, zone) | ~known
    lost = {
        "field_of_view": outside,
        "no_signal": ~outside & ~signal,
        "tumor_contrast": ~outside & signal & ~inner,
        "zone_contrast": ~outside & signal & ~outer,
    }
    total = float(surface.areas.sum())
    share = {reason: float(surface.areas[points].sum()) / total for reason, points in lost.items()}
    contradicted = float(surface.areas[~inner & ~plausible].sum()) / total
    reasons = {reason: part for reason, part in share.items() if part > 0}
    return Visibility(~np.any(list(lost.values()), axis=0), reasons, contradicted)


def _tissues(tumor: Region, zone: Region, liver: Region | None) -> Array:
    """The fractions (3, k, j, i) of tumor, ablated tissue and liver in each voxel, as an image shows them."""
    inner, outer = _soft(tumor), np.maximum(_soft(zone), _soft(tumor))
    outside = 1.0 - outer if liver is None else np.clip(_soft(liver) - outer, 0.0, 1.0)
    return np.stack([inner, outer - inner, outside]).astype(np.float32)


def _soft(region: Region) -> Array:
    """The fractions of a region; a contour in whole voxels is blurred: those at an edge are mixed, and nothing else says so."""
    return ndimage.gaussian_filter(region.mask.values, BLUR) if region.binary else region.mask.values


@dataclass(frozen=True, slots=True, eq=False)
class _Mixture:
    """One phase as a local mixture of tissues.

    `equations` (9, k, j, i) are the windowed sums of least squares, `typical` (3) the tissues' medians, `unexplained` how far
    each voxel is from its mixture (NaN where that says nothing) and `main` its main tissue; `covered` and `bright` are the
    share of each window that is known and that has signal. `window`: its SD, voxels.
    """

    grid: Volume
    equations: Array
    typical: Matrix
    unexplained: Array
    main: NDArray[np.int64]
    covered: Array
    bright: Array
    window: tuple[float, ...]

    @classmethod
    def of(cls, volume: Volume, tissues: Array) -> _Mixture | None:
        """None when the phase does not show ablated tissue and liver at all."""
        known = np.isfinite(volume.values)
        values = np.nan_to_num(volume.values).astype(np.float32)
        quiet = _quiet(values, known)
        margin = (tissues[ABLATED] > PURE) & quiet
        healthy = values[(tissues[LIVER] > PURE) & quiet]
        if min(int(margin.sum()), int((healthy > 0).sum())) < LEAST_VOXELS:
            return None
        noise = noise_sd(volume, margin)
        void = float(np.clip(VOID_NOISE * noise, *np.array(VOID) * np.percentile(healthy[healthy > 0], 75)))
        pure = _pure(values, tissues, quiet & (values > void))
        typical = np.array([float(np.median(part)) for part in pure])
        steps = [np.percentile(np.abs(pure[kind] - typical[ABLATED]), 80) for kind in (TUMOR, LIVER)]
        window = _window(_patch(float(min(steps)) / max(noise, 1e-6)), volume)
        lit = known & _bright(values, known, np.tensordot(typical, tissues, axes=1), void)
        # A mixed voxel says less of either tissue: its fraction is as uncertain as the contour. Beside a void all are dim.
        weight = (ndimage.binary_erosion(lit, border_value=1) * tissues.max(axis=0) ** 2).astype(np.float32)
        if not (weight > MIXED).any():
            return None
        equations, unexplained = _robust(values, tissues, weight, typical, window)
        unexplained = np.where(weight > MIXED, unexplained, np.nan).astype(np.float32)
        covered, bright = (_windowed(part.astype(np.float32), window) for part in (known, lit))
        return cls(volume, equations, typical, unexplained, tissues.argmax(axis=0), covered, bright, window)

    def differ(self, points: Matrix, first: int, second: int) -> Points:
        """Where (n, 3) two tissues that meet there differ by more than noise and texture."""
        levels, six = _solve(np.stack([self._at(part, points) for part in self.equations]), self.typical)
        noise = self._noise(points, first, second)
        variance = six[OF_SIX[first, first]] + six[OF_SIX[second, second]] - 2.0 * six[OF_SIX[first, second]]
        error = noise * np.sqrt(np.maximum(variance, 0.0) * standard_error_share(self.window))
        step = np.abs(levels[first] - levels[second])
        texture = LEAST_STEP * np.maximum(levels[first], levels[second])
        seen = step > np.max([LOWEST_CNR * noise, SURE * error, texture], axis=0)
        seen &= ~_fading(points, step, seen, everywhere=max(self.grid.spacing) > THICK)
        return np.asarray(seen)

    def contradicts(self, points: Matrix, first: int, second: int) -> Points:
        """Where (n, 3) so much is left unexplained of two tissues that something else is there."""
        return np.asarray((noise := self._noise(points, first, second)) > UNEXPLAINED * np.median(noise))

    def known(self, points: Matrix) -> Points:
        """Where (n, 3) the phase covers the place."""
        return np.asarray(self._at(self.covered, points) >= HALF)

    def signal(self, points: Matrix) -> Points:
        """Where (n, 3) at least half of what the phase covers is brighter than a void."""
        return np.asarray(self._at(self.bright, points) >= HALF * self._at(self.covered, points))

    def _noise(self, points: Matrix, first: int, second: int) -> Matrix:
        """Of each tissue, half of what is near has to fit: where it does not, its level is that of its surroundings."""
        return np.maximum(self._noise_of(points, first), self._noise_of(points, second))

    def _noise_of(self, points: Matrix, tissue: int) -> Matrix:
        own = np.where(self.main == tissue, self.unexplained, np.float32(np.nan))
        return np.maximum(local_sd(self.grid.with_values(own), points, self.window), 1e-6)

    def _at(self, part: Array, points: Matrix) -> Matrix:
        return sample(self.grid.with_values(part), points)


def _quiet(values: Array, known: Points) -> Points:
    """Voxels whose roughness is a small part of their signal: neither void nor spoilt by noise or ghosts.

    The levels and the noise of a phase are theirs, however large the part is that cannot be read.
    """
    level = ndimage.gaussian_filter(values, AROUND)
    bends = [np.abs(ndimage.gaussian_filter1d(values, SMOOTHING, axis=axis, order=2)) for axis in (1, 2)]
    share = ndimage.gaussian_filter((bends[0] + bends[1]) / 2.0, AROUND) / np.maximum(level, 1e-6)
    some = known & (level > 0) & (share > 0)
    return np.asarray(some & (share <= max(QUIET, ALL_ROUGH * np.percentile(share[some], 20)))) if some.any() else known


def _pure(values: Array, tissues: Array, usable: Points) -> tuple[Array, ...]:
    """The values of the voxels of one tissue alone; a tissue without any has those of all tissues."""
    parts = tuple(values[(part > PURE) & usable] for part in tissues)
    return tuple(part if part.size else values[usable] for part in parts)


def _patch(contrast: float) -> float:
    """The SD (mm) of a window for a contrast over noise: wide where contrast is low, and no wider than that needs.

    >>> [round(_patch(contrast), 1) for contrast in (1.0, 2.1, 3.0, 5.0, 9.0)]
    [2.5, 2.5, 2.0, 1.2, 1.2]
    """
    return float(np.clip(PATCH * LOW_CNR / max(contrast, 1e-6), PATCH, WIDE_PATCH))


def _window(patch: float, grid: Volume) -> tuple[float, ...]:
    """A window with an SD of `patch` mm, in voxels."""
    return tuple(max(patch / size, LEAST_PATCH) for size in grid.spacing)


def _windowed(part: Array, window: tuple[float, ...]) -> Array:
    return smooth(part, window, "constant")


def _equations(values: Array, tissues: Array, weight: Array, window: tuple[float, ...]) -> Array:
    """The windowed sums (9, k, j, i) of weighted least squares: six of the normal matrix, three of the right side."""
    parts = [weight * tissues[i] * tissues[j] for i, j in PAIRS] + [weight * part * values for part in tissues]
    return np.stack([_windowed(part, window) for part in parts])


def _robust(values: Array, tissues: Array, weight: Array, typical: Matrix, window: tuple[float, ...]) -> tuple[Array, Array]:
    """The equations without outlying voxels (iteratively reweighted), and what they leave unexplained of each voxel."""
    equations = _equations(values, tissues, weight, window)
    unexplained = _unexplained(equations, values, tissues, typical)
    for _ in range(ROUNDS):
        usual = OUTLYING * float(np.percentile(unexplained[weight > MIXED], 30)) / QUANTILE_TO_SD
        trusted = weight * np.minimum(1.0, usual / np.maximum(unexplained, 1e-6)) ** 2
        equations = _equations(values, tissues, trusted.astype(np.float32), window)
        unexplained = _unexplained(equations, values, tissues, typical)
    return equations, unexplained


def _unexplained(equations: Array, values: Array, tissues: Array, typical: Matrix) -> Array:
    """How far each voxel (k, j, i) is from the mixture around it."""
    left, fractions = equations.reshape(len(equations), -1), tissues.reshape(len(tissues), -1)
    mixed = np.empty(values.size)
    for some in (slice(n, n + TOGETHER) for n in range(0, values.size, TOGETHER)):
        mixed[some] = (_solve(left[:, some], typical)[0] * fractions[:, some]).sum(axis=0)
    return np.asarray(np.abs(values - mixed.reshape(values.shape)), dtype=np.float32)


def _solve(equations: NDArray[np.floating], typical: Matrix) -> tuple[Matrix, Matrix]:
    """Levels (3, n) of the equations (9, n), drawn a little toward `typical`; of the inverse normal matrices the six (6, n)."""
    columns = equations.astype(np.float64)
    six = _inverse(columns[: len(PAIRS)] + PRIOR * np.array([[1.0] if i == j else [0.0] for i, j in PAIRS]))
    products = columns[len(PAIRS) :] + PRIOR * typical[:, None]
    return np.stack([sum(six[OF_SIX[i, j]] * products[j] for j in range(3)) for i in range(3)]), six


def _inverse(six: Matrix) -> Matrix:
    """Of symmetric matrices, each as its six elements in the order of `PAIRS`, (6, n); by cofactors, in doubles."""
    a, b, c, d, e, f = six
    cofactors = np.stack([d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b])
    return np.asarray(cofactors / (a * cofactors[0] + b * cofactors[1] + c * cofactors[2]))


def _fading(points: Matrix, step: Matrix, seen: Points, *, everywhere: bool) -> Points:
    """Points at which less than half of the usual step is left: what they show is their neighbours'.

    Beside lost points; of thick slices `everywhere`.
    """
    if not seen.any() or (seen.all() and not everywhere):
        return np.zeros(len(points), dtype=bool)
    faint = np.asarray(seen & (step < HALF * np.percentile(step[seen], 75)))
    if everywhere or not faint.any():
        return faint
    away, _ = cKDTree(points[~seen]).query(points)
    return np.asarray(faint & (away <= FADING * PATCH))


def _bright(values: Array, known: Points, expected: Array, void: float) -> Points:
    """Voxels that are not in a signal void; beside one, those that have half of the expected signal."""
    seen = ndimage.gaussian_filter(known.astype(np.float32), SMOOTHING)
    smooth = ndimage.gaussian_filter(values, SMOOTHING) / np.maximum(seen, 1e-3)
    dark = known & (smooth < void)
    return np.asarray(~dark & ~(ndimage.binary_dilation(dark) & (smooth < HALF * expected)))
