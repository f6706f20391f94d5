"""Made by `just calibrate` from phantoms that are never reported on: do not edit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calibration:
    """Of a group: the weights of the terms of the expected error, and the quantiles of error over expected error."""

    phantoms: int
    weights: tuple[float, ...]
    quantiles: tuple[float, ...]


LEVELS = (0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 1.0)
GROUPS: dict[str, Calibration] = {
    "fractions": Calibration(
        phantoms=301,
        weights=(0.0365, 0.0, 0.0376, 0.0, 0.0165, 0.0, 0.1033),
        quantiles=(
            -3.3507,
            -3.19,
            -2.7951,
            -2.6407,
            -2.1372,
            -1.712,
            -1.0885,
            -0.5345,
            0.0341,
            1.2525,
            1.9656,
            2.4485,
            3.4119,
            3.9394,
            7.2735,
        ),
    ),
    "noisy fractions": Calibration(
        phantoms=340,
        weights=(0.0663, 0.0, 0.0261, 0.0164, 0.1038, 0.0, 0.1215),
        quantiles=(
            -3.4436,
            -3.3727,
            -3.2586,
            -2.7689,
            -2.2738,
            -1.5863,
            -1.0684,
            -0.4553,
            0.3505,
            1.0993,
            1.9196,
            2.6729,
            3.9481,
            6.1456,
            6.5054,
        ),
    ),
    "uncertain contours": Calibration(
        phantoms=640,
        weights=(0.02, 0.1049, 0.0, 0.0, 0.0542, 0.901, 0.0275),
        quantiles=(
            -13.9802,
            -4.239,
            -4.1009,
            -3.077,
            -2.4791,
            -1.9342,
            -1.2333,
            -0.4606,
            0.1709,
            0.7721,
            1.1449,
            1.404,
            1.6962,
            2.011,
            2.7525,
        ),
    ),
    "whole voxels": Calibration(
        phantoms=318,
        weights=(0.1094, 0.039, 0.0, 0.0, 0.025, 0.0, 1.9583),
        quantiles=(
            -9.6047,
            -6.0454,
            -4.4097,
            -2.8833,
            -1.9633,
            -1.5245,
            -0.8227,
            -0.3469,
            0.473,
            1.4244,
            2.0088,
            2.6434,
            3.3751,
            3.7289,
            5.4468,
        ),
    ),
}
