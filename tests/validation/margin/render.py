"""A phantom's contours as somebody gives them: soft or whole voxels, blurred, noisy, or off as a reader is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from service.phantom.bodies import Body, Everywhere
from service.phantom.sample import fraction
from service.regions.region import Kind, Region
from service.volumes.volume import Volume
from tests.validation.margin.bodies import Drawn, Jitter, Moved
from tests.validation.margin.family import Recipe

CORRELATION = 6.0  # mm along the surface over which a reader's errors are alike


def render(of: Recipe) -> tuple[Region, Region, Region | None]:
    """Tumor, zone and liver (None where everything is liver) on the phantom's grid."""
    rng = np.random.default_rng([of.seed, 99])
    onto = of.grid.empty()
    scene = of.scene
    tumor = scene.tumor if of.slip_sd == 0.0 else Moved(scene.tumor, of.slip)
    liver = None if isinstance(scene.liver, Everywhere) else _region(of, Kind.LIVER, scene.liver, onto, rng)
    found = _region(of, Kind.TUMOR, tumor, onto, rng)
    return replace(found, edge_sd=max(found.edge_sd, of.slip_sd)), _region(of, Kind.ABLATION_ZONE, scene.zone, onto, rng), liver


def _region(of: Recipe, kind: Kind, body: Body, onto: Volume, rng: np.random.Generator) -> Region:
    jitter = of.jitter if kind is not Kind.LIVER else 0.0
    drawn = body if not jitter else Drawn(body, Jitter.of(jitter, CORRELATION, rng), 3.0 * jitter)
    values = fraction(drawn, onto).values
    if of.blur:
        values = ndimage.gaussian_filter(values, of.blur)
    if of.noise:
        values = np.clip(values + rng.normal(0.0, of.noise, values.shape), 0.0, 1.0)
    if of.binary:
        values = (values > 0.5).astype(np.float32)
    return Region(kind, onto.with_values(values.astype(np.float32)), "truth", binary=of.binary, edge_sd=jitter)
