"""Colours that everybody can tell apart, in print as well."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from service.report.pictures.style import BANDS, band

# Linear RGB as seen without red and without green cones (Vienot, Brettel and Mollon 1999).
SIGHTS = {
    "all cones": np.eye(3),
    "no red cones": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "no green cones": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}


def lightness(color: str, sight: np.ndarray) -> float:
    """CIE L* (0-100) of an sRGB color."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = float(np.clip(sight @ linear, 0, 1) @ [0.2126, 0.7152, 0.0722])
    return 116.0 * float(np.cbrt(luminance)) - 16.0 if luminance > 0.008856 else 903.3 * luminance


@pytest.mark.parametrize("sight", SIGHTS)
def test_bands_get_lighter_step_by_step(sight: str) -> None:
    steps = np.diff([lightness(color, SIGHTS[sight]) for color in BANDS])
    assert steps.min() >= 12.0


def test_edge_belongs_to_the_lower_band() -> None:
    """3 mm is not more than 3 mm."""
    assert band(np.array([-1.0, 0.0, 0.1, 3.0, 3.1, 5.0, 10.0, 10.1])).tolist() == [0, 0, 1, 1, 2, 2, 3, 4]
