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
        phantoms=369,
        weights=(0.0384, 0.0, 0.0362, 0.0, 0.0248, 0.0, 0.1111, 0.0),
        quantiles=(
            -3.3228,
            -3.1291,
            -3.0938,
            -2.7429,
            -2.3287,
            -1.7319,
            -1.068,
            -0.5338,
            0.023,
            1.1542,
            1.9175,
            2.5056,
            3.8113,
            4.2247,
            7.1035,
        ),
    ),
    "noisy fractions": Calibration(
        phantoms=406,
        weights=(0.072, 0.0, 0.0209, 0.0817, 0.0824, 0.0, 0.1404, 0.0),
        quantiles=(
            -3.5516,
            -3.4358,
            -3.1652,
            -2.6434,
            -2.1772,
            -1.6029,
            -1.0923,
            -0.4751,
            0.3225,
            1.133,
            1.6818,
            2.6427,
            3.4388,
            6.2308,
            9.8053,
        ),
    ),
    "uncertain contours": Calibration(
        phantoms=820,
        weights=(0.02, 0.0565, 0.0, 0.0, 0.0, 0.8149, 0.0, 0.403),
        quantiles=(
            -4.3091,
            -3.3428,
            -3.2132,
            -2.7033,
            -2.2742,
            -1.904,
            -1.2334,
            -0.475,
            0.2864,
            0.9434,
            1.2963,
            1.59,
            1.9834,
            2.2058,
            3.0315,
        ),
    ),
    "whole voxels": Calibration(
        phantoms=404,
        weights=(0.0686, 0.0358, 0.0, 0.0, 0.1903, 0.0, 1.5646, 0.0),
        quantiles=(
            -11.0591,
            -4.7391,
            -4.2675,
            -2.6704,
            -2.0624,
            -1.4936,
            -0.857,
            -0.3407,
            0.4503,
            1.3218,
            1.9156,
            2.6658,
            3.5082,
            3.6021,
            6.3307,
        ),
    ),
}
