"""How far two colours lie apart for eyes with two kinds of cones.

Source: Machado, Oliveira and Fernandes, IEEE TVCG 2009;15:1291-8, table 1 (severity 1.0); CIEDE2000 of scikit-image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

EYES = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def apart(one: tuple[int, int, int], other: tuple[int, int, int], eyes: str) -> float:
    """The difference (CIEDE2000; 2.3 is just seen side by side) of two colours as DICOM encodes CIELab."""
    return float(deltaE_ciede2000(_as_seen(one, eyes), _as_seen(other, eyes)))


def _as_seen(color: tuple[int, int, int], eyes: str) -> NDArray[np.float64]:
    lightness, a, b = color
    lab = np.array([lightness * 100 / 65535, a * 255 / 65535 - 128, b * 255 / 65535 - 128])
    seen = EYES[eyes] @ _linear(np.asarray(lab2rgb(lab)))
    return np.asarray(rgb2lab(_encoded(np.clip(seen, 0, 1))))


def _linear(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _encoded(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)
