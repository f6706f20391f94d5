"""A tumor that takes up contrast differently in each phase, so that no two phases can stand for each other unnoticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from service.phantom.patient import PhantomPatient
from service.phantom.signals import Tissue, signal
from service.regions.region import Kind
from service.study.model import Role
from service.volumes.volume import Array


def with_uptake(patient: PhantomPatient, uptake: Mapping[Role, float]) -> PhantomPatient:
    """The patient with another enhancement of the tumor in each phase (0.27 = 27 %).

    The tumor covers everything else, so that its share of each voxel is its mask. For a patient that does not breathe and
    whose coil is even: the difference is added to the finished image.
    """
    share = patient.masks[Kind.TUMOR].values
    phases = dict(patient.phases)
    for role, fraction in uptake.items():
        phases[role] = phases[role].with_values(_painted(phases[role].values, share, _change(patient, role, fraction)))
    return replace(patient, phases=phases)


def _change(patient: PhantomPatient, role: Role, fraction: float) -> float:
    """How much brighter the tumor becomes; negative where it becomes darker."""
    before = signal(Tissue.TUMOR, role, patient.recipe.enhancement)
    return signal(Tissue.TUMOR, role, fraction) - before


def _painted(values: Array, share: Array, change: float) -> Array:
    return np.maximum(values + share * np.float32(change), 0).astype(np.float32)
