"""One small patient that many tests look at."""

from __future__ import annotations

import pytest

from service.phantom.degrade import CLEAN
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.vessels import VesselKind


@pytest.fixture(scope="session")
def patient() -> PhantomPatient:
    """A small patient without noise, with a bridging vessel and a margin of about 4 mm."""
    return make_patient(7, vessel=VesselKind.BRIDGE_STRAIGHT, margin=4.0, degradations=CLEAN)
