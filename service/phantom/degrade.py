"""What an image suffers on its way: each effect with its own seed, so that one can change without the others."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from service.phantom.bodies import Floats
from service.study.model import Role
from service.volumes.volume import Array, Volume

NODES = 4
"""Control points along each axis of the smooth random fields."""


@dataclass(frozen=True, slots=True)
class Degradations:
    """How bad the images are.

    `snr` is liver before contrast over the noise's SD (None = no noise), `bias` the coil's largest deviation (0.3 = 30 %),
    `breathing` the largest shift of a phase, mm, `warp` the largest smooth non-rigid shift of a phase, mm, `blur` the
    standard deviation of the point spread, mm, `gibbs` the part of k-space kept along rows and columns (1 = all), `ghost`
    the strength of a copy half a field of view away, `gain` the largest deviation between the phases' scales. The first
    phase does not move.
    """

    seed: int = 0
    snr: float | None = None
    bias: float = 0.0
    breathing: float = 0.0
    warp: float = 0.0
    blur: float = 0.0
    gibbs: float = 1.0
    ghost: float = 0.0
    gain: float = 0.0


CLEAN = Degradations()
TYPICAL = Degradations(snr=20.0, bias=0.1)
POOR = Degradations(snr=10.0, bias=0.3, breathing=5.0, warp=2.0, ghost=0.05, gain=0.3)


def shift_of(how: Degradations, role: Role) -> Floats:
    """How far the patient has moved in this phase, LPS mm (3,): mostly along z, as in breathing."""
    if role is Role.T1_PRE or how.breathing == 0:
        return np.zeros(3)
    rng = _rng(how, "breathing", role)
    return how.breathing * rng.uniform(-1, 1) * np.array([0.1, 0.3, 0.95])


def degrade(volume: Volume, how: Degradations, role: Role) -> Volume:
    """The volume as a scanner would have shown it, not negative. Breathing is not part of it: see `shift_of`."""
    values = volume.values
    if how.warp and role is not Role.T1_PRE:
        values = _warp(volume, how, role)
    if how.blur:
        values = ndimage.gaussian_filter(values, [how.blur / spacing for spacing in volume.spacing])
    if how.gibbs < 1:
        values = _truncate(values, how.gibbs)
    if how.ghost:
        values = values + how.ghost * np.roll(values, volume.shape[1] // 2, axis=1)
    if how.bias:
        values = values * (1 + how.bias * smooth_field(volume.shape, _rng(how, "bias", Role.OTHER)))
    if how.snr:
        values = _rician(values, 100.0 / how.snr, _rng(how, "noise", role))
    if how.gain:
        values = values * np.float32(1 + how.gain * _rng(how, "gain", role).uniform(-1, 1))
    return volume.with_values(np.maximum(values, 0).astype(np.float32))


def smooth_field(shape: tuple[int, int, int], rng: np.random.Generator) -> Array:
    """A smooth random field (k, j, i) between -1 and 1."""
    nodes = rng.uniform(-1, 1, (NODES, NODES, NODES))
    field = nodes.astype(np.float32)
    for axis, count in enumerate(shape):
        field = np.tensordot(_cubic(count), field, axes=(1, axis))
        field = np.moveaxis(field, 0, axis)
    return np.asarray(field / max(float(np.abs(field).max()), 1e-6), dtype=np.float32)


def _cubic(count: int) -> Array:
    """Weights (count, NODES) that interpolate the nodes smoothly."""
    at = np.linspace(0, NODES - 1, count)
    weights = ndimage.spline_filter1d(np.eye(NODES), order=3, axis=0, mode="nearest")
    columns = [ndimage.map_coordinates(column, [at], order=3, mode="nearest", prefilter=False) for column in weights.T]
    return np.stack(columns, axis=1).astype(np.float32)


def warp_of(grid: Volume, how: Degradations, role: Role) -> Array:
    """How far beside its place each voxel shows the patient in this phase, mm along (slice, row, column), (3, k, j, i)."""
    rng = _rng(how, "warp", role)
    still = how.warp == 0 or role is Role.T1_PRE
    largest = np.float32(0.0 if still else how.warp / 3**0.5)
    return np.stack([largest * smooth_field(grid.shape, rng) for _ in range(3)])


def _warp(volume: Volume, how: Degradations, role: Role) -> Array:
    index = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij")).astype(np.float32)
    index += warp_of(volume, how, role) / np.array(volume.spacing, dtype=np.float32)[:, None, None, None]
    return np.asarray(ndimage.map_coordinates(volume.values, index, order=1, mode="nearest"), dtype=np.float32)


def _truncate(values: Array, kept: float) -> Array:
    """Fewer phase and frequency encodings: ringing along edges."""
    spectrum = np.fft.fft2(values, axes=(1, 2))
    for axis in (1, 2):
        beyond = np.abs(np.fft.fftfreq(values.shape[axis])) > kept / 2
        spectrum[(slice(None),) * axis + (beyond,)] = 0
    return np.abs(np.fft.ifft2(spectrum, axes=(1, 2))).astype(np.float32)


def _rician(values: Array, deviation: float, rng: np.random.Generator) -> Array:
    noisy = np.empty_like(values, dtype=np.float32)
    for k, plane in enumerate(values):
        real, imaginary = deviation * rng.standard_normal((2, *plane.shape), dtype=np.float32)
        noisy[k] = np.hypot(plane + real, imaginary)
    return noisy


def _rng(how: Degradations, effect: str, role: Role) -> np.random.Generator:
    return np.random.default_rng([how.seed, zlib.crc32(f"{effect} {role}".encode())])
