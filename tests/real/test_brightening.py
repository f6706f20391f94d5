"""The order of brightening in real anatomy, whose phases are made from one real volume."""

from __future__ import annotations

from itertools import permutations

import pytest

from service.phantom.recipe import Wish
from service.study.model import Role
from service.volumes.brightening import contradictions
from tests.real.abdomen import semi_real

pytestmark = pytest.mark.real_data


def test_a_phase_before_contrast_that_is_none_is_noticed_and_right_phases_pass() -> None:
    """Only the diseased part takes up contrast here, so that the phases after it cannot be told from each other."""
    phases = semi_real(5, Wish()).phases
    roles = (Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED)
    for order in permutations(roles):
        found = contradictions({called: phases[true] for called, true in zip(roles, order, strict=True)})
        assert bool(found) == (order[0] is not Role.T1_PRE)
