"""The axes are those of the shape, on slices as thick as in the clinic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.features import axes
from service.features.case import Case
from service.features.finding import Status
from service.phantom.bodies import Capsule, Ellipsoid
from service.phantom.sample import Grid, fraction
from service.regions.axes import axes_of
from service.regions.region import Kind, Region
from tests.features.conftest import named

GRID = Grid((24, 60, 60), (3.0, 1.2, 1.2)).empty()


@pytest.mark.parametrize("half_axes", [(8.0, 10.0, 14.0), (15.0, 9.0, 12.0)])
def test_axes_of_an_ellipsoid(half_axes: tuple[float, float, float]) -> None:
    found = axes_of(Region(Kind.TUMOR, fraction(Ellipsoid((0.3, -0.2, 0.5), half_axes), GRID), "truth"))
    assert found == pytest.approx(sorted((2 * axis for axis in half_axes), reverse=True), abs=0.8)


def test_axes_do_not_follow_the_grid() -> None:
    """A probe that lies across the slices has the length that it has along them."""
    lengths = []
    for end in ((14.0, 0.0, 0.0), (8.0, 8.0, 8.2)):
        capsule = Capsule((-end[0], -end[1], -end[2]), end, 6.0)
        found = axes_of(Region(Kind.ABLATION_ZONE, fraction(capsule, GRID), "truth"))
        assert found is not None
        lengths.append(found)
    assert lengths[0][0] == pytest.approx(40.0, abs=0.8)
    assert lengths[1] == pytest.approx(lengths[0], abs=1.0)


def test_whole_voxels_are_near_it() -> None:
    mask = fraction(Ellipsoid((0, 0, 0), (10.0, 10.0, 10.0)), GRID)
    whole = mask.with_values((mask.values >= 0.5).astype(np.float32))
    found = axes_of(Region(Kind.TUMOR, whole, "drawn", binary=True))
    assert found == pytest.approx((20.0, 20.0, 20.0), abs=2.0)


def test_what_nobody_drew_has_its_reason(wide: Case) -> None:
    found = named(axes.measure(replace(wide, tumor=None, missing={"tumor": "It cannot be seen."})))
    for axis in axes.AXES:
        assert found[f"tumor_{axis}_axis"].status is Status.NOT_ASSESSABLE
        assert found[f"ablation_zone_{axis}_axis"].status is Status.MEASURED
    reason = found["tumor_long_axis"].reason
    assert reason is not None
    assert reason.sentence == "It cannot be seen."
