from __future__ import annotations

import numpy as np
import pytest

from service.volumes.noise import noise_sd
from tests.shapes import grid


def test_noise_of_even_tissue() -> None:
    onto = grid(20.0)
    image = onto.with_values(np.random.default_rng(5).normal(100, 7, onto.shape).astype(np.float32))
    assert pytest.approx(7.0, rel=0.05) == noise_sd(image, np.ones(onto.shape, dtype=bool))
