"""Cases to measure: phantoms with the true contours, as somebody who knows would draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from service.features.case import Case
from service.features.finding import Finding
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.vessels import VesselKind
from service.regions.margin_surface import margin_surface
from service.regions.region import Kind, Region
from service.regions.visibility import visibility
from service.study.model import Role
from service.volumes.resampling import resample


def case_of(patient: PhantomPatient, *, without: tuple[Role, ...] = ()) -> Case:
    """The patient's tumor with true contours, all phases on the portal-venous grid."""
    reference = patient.phases[Role.PORTAL_VENOUS]
    phases = {role: resample(volume, reference) for role, volume in patient.phases.items() if role not in without}
    regions = {kind: Region(kind, mask, "truth") for kind, mask in patient.masks.items()}
    tumor, zone, liver = (regions[kind] for kind in (Kind.TUMOR, Kind.ABLATION_ZONE, Kind.LIVER))
    surface = margin_surface(tumor, zone, liver)
    seen = visibility(surface, tumor, zone, {role.value: volume for role, volume in phases.items()})
    keys = {role: f"1.2.{number}" for number, role in enumerate(phases, start=1)}
    return Case("1", Role.PORTAL_VENOUS, phases, {}, tumor, zone, liver, None, keys, {}, surface, seen)


def hidden(case: Case, share: float) -> Case:
    """The case with about `share` of the surface not assessable, its narrowest place not among it."""
    if case.surface is None or case.visibility is None:
        raise ValueError("the case has no surface")
    order = np.argsort(case.surface.margin)[::-1]
    lost = np.zeros(len(order), dtype=bool)
    lost[order[: int(share * len(order))]] = True
    return replace(case, visibility=replace(case.visibility, assessable=~lost, reasons={"zone_contrast": share}))


def named(findings: tuple[Finding, ...]) -> Mapping[str, Finding]:
    """The findings by name."""
    return {finding.name: finding for finding in findings}


@pytest.fixture(scope="session")
def wide() -> Case:
    """A tumor with about 6 mm of margin and no vessel."""
    return case_of(make_patient(13, margin=6.0, spacing=(2.0, 1.4, 1.4), vessel=VesselKind.NONE))


@pytest.fixture(scope="session")
def narrow() -> Case:
    """A tumor with a margin well below 3 mm."""
    return case_of(make_patient(8, margin=-0.5))
