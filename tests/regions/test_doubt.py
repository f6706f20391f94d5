"""What automatic contours say of their own doubt, on shapes made by hand in a zone of one phase."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from service.phantom.sample import Grid
from service.regions.classical.doubt import BEYOND, WEAK, is_compact, tumor_sd, zone_sd
from service.regions.classical.tumor import Tumor
from service.regions.classical.zone import Zone
from service.study.model import Role

GRID = Grid((20, 40, 40), (3.0, 1.5, 1.5)).empty()
INDEX = np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1).astype(float)
PLACES = GRID.to_mm(INDEX)


def ball(radius: float) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(PLACES, axis=-1) < radius, dtype=np.float32)


def rod(length: float) -> NDArray[np.bool_]:
    """A thread of one voxel from the middle along the rows."""
    part = np.zeros(GRID.shape, dtype=bool)
    part[10, 20, 20 : 20 + round(length / 1.5)] = True
    return part


def tumor(part: NDArray[np.float32]) -> Tumor:
    return Tumor(part, contrast=40.0)


@pytest.fixture
def zone() -> Zone:
    """A ball of 20 mm in which a tumor of 7 mm stands out on the delayed phase alone."""
    signal = np.where(ball(7.0) > 0, 0.8, 0.4).astype(np.float32)
    return Zone(
        grid=GRID,
        low=(0, 0, 0),
        signals={Role.DELAYED: signal},
        noise={Role.DELAYED: 0.01},
        part=ball(20.0),
        vessel=np.zeros(GRID.shape, dtype=bool),
        beyond={},
        contrast=30.0,
    )


def test_a_ball_is_a_body_and_a_sheet_is_none(zone: Zone) -> None:
    sheet = ball(18.0) * (np.abs(PLACES[..., 0]) < 3.0)
    assert is_compact(zone, tumor(ball(7.0)))
    assert not is_compact(zone, tumor(sheet.astype(np.float32)))


def test_a_body_with_a_long_thread_is_not_believed(zone: Zone) -> None:
    assert not is_compact(zone, tumor(np.maximum(ball(7.0), rod(16.0)).astype(np.float32)))


def test_a_tumor_well_seen_on_the_reference_is_nearly_certain(zone: Zone) -> None:
    assert pytest.approx(WEAK / 40.0) == tumor_sd(zone, tumor(ball(7.0)), {})


def test_a_phase_that_does_not_fit_adds_what_it_misses_by(zone: Zone) -> None:
    """All of the contrast is that of the delayed phase, which is off by 1.5 mm."""
    assert pytest.approx(np.hypot(WEAK / 40.0, 1.5)) == tumor_sd(zone, tumor(ball(7.0)), {Role.DELAYED: 1.5})


def test_a_tumor_at_the_edge_may_go_on_beyond_it(zone: Zone) -> None:
    within = replace(zone, part=ball(9.0))
    assert tumor_sd(within, tumor(ball(9.0)), {}) > BEYOND > tumor_sd(zone, tumor(ball(9.0)), {})


def test_a_notch_beside_a_vessel_makes_the_zone_doubtful(zone: Zone) -> None:
    """The same notch without a vessel is taken for the shape of the zone."""
    notch = (np.hypot(PLACES[..., 1], PLACES[..., 2]) < 4.0) & (PLACES[..., 0] > 10.0)
    cut = replace(zone, part=np.where(notch, np.float32(0), zone.part))
    assert zone_sd(zone, tumor(ball(7.0))) == zone_sd(cut, tumor(ball(7.0)))
    assert zone_sd(replace(cut, vessel=notch), tumor(ball(7.0))) > 2.0
