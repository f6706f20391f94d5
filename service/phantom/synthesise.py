"""The missing phases of an exam of which only one volume exists: real anatomy, brightness by the tissue table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from service.phantom.signals import PHASES, SIGNALS, Tissue
from service.study.model import Role
from service.volumes.volume import Array, Volume

TEXTURE = 0.5
"""How much of a labelled tissue's own texture is kept."""


def synthesise(
    volume: Volume, labels: Mapping[Tissue, Volume], seed: int = 0, *, shown_as: Role = Role.T1_PRE
) -> Mapping[Role, Volume]:
    """All phases of a phantom from one real volume, on its grid.

    `labels` are masks (0-1) on the grid of `volume`; the liver's is needed. Liver and what has no label keep their texture
    and are scaled as liver and muscle; other labelled tissues get their brightness from the table, with half their texture.
    New noise, as strong as in the liver, is added to each phase but `shown_as`.

    Raises:
        ValueError: There is no liver among the labels.
    """
    if Tissue.LIVER not in labels:
        raise ValueError("the liver's label is needed: it sets the scale")
    level = float(np.median(volume.values[labels[Tissue.LIVER].values > 0.5]))
    scaled = volume.values * np.float32(SIGNALS[Tissue.LIVER][shown_as] / level)
    noise = _noise(scaled, labels[Tissue.LIVER].values > 0.5)
    rng = np.random.default_rng([seed, 711])
    phases: dict[Role, Volume] = {}
    for role in PHASES:
        values = _shown(scaled, labels, shown_as, role)
        if role is not shown_as:
            values += noise * rng.standard_normal(values.shape, dtype=np.float32)
        phases[role] = volume.with_values(np.maximum(values, 0))
    return phases


def _shown(scaled: Array, labels: Mapping[Tissue, Volume], before: Role, role: Role) -> Array:
    values = scaled * np.float32(_ratio(Tissue.MUSCLE, before, role))
    for tissue, mask in labels.items():
        if tissue is Tissue.LIVER:
            painted = scaled * np.float32(_ratio(tissue, before, role))
        else:
            middle = float(np.median(scaled[mask.values > 0.5])) if (mask.values > 0.5).any() else 0.0
            painted = np.float32(SIGNALS[tissue][role]) + np.float32(TEXTURE) * (scaled - np.float32(middle))
        values = values + mask.values * (painted - values)
    return values.astype(np.float32)


def _ratio(tissue: Tissue, before: Role, role: Role) -> float:
    return SIGNALS[tissue][role] / SIGNALS[tissue][before]


def _noise(values: Array, where: np.ndarray) -> np.float32:
    steps = np.diff(values, axis=2)[where[..., 1:] & where[..., :-1]]
    return np.float32(1.4826 * np.median(np.abs(steps - np.median(steps))) / 2**0.5)
