"""Phantom studies through reading, assembling and stacking: the planned volumes come out, every damage is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from service.dicom.drawings import read_drawings
from service.dicom.read import read_instances, read_planes
from service.errors import Unusable
from service.phantom.faults import Fault
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.story import Story
from service.phantom.write import write_study
from service.regions.region import DrawnMask, Kind
from service.study.assemble import assemble
from service.study.coverage import missing_slices
from service.study.model import Role, Study
from service.study.roles import assign_roles
from service.volumes.build import build_volume
from service.volumes.volume import Volume


@pytest.fixture(scope="module")
def patient() -> PhantomPatient:
    return make_patient(1)


def read(paths: list[Path]) -> Study:
    instances, unreadable = read_instances(paths)
    assert not unreadable
    return assemble(instances)


def volumes(study: Study) -> dict[Role, Volume]:
    roles = assign_roles(study)
    return {
        roles[phase.key].role: build_volume(read_planes(phase, Path), phase.first.frame_of_reference_uid)
        for phase in study.phases
    }


@pytest.mark.parametrize("enhanced", [False, True])
def test_each_phase_is_found_with_its_role_grid_and_values(patient: PhantomPatient, tmp_path: Path, *, enhanced: bool) -> None:
    found = volumes(read(write_study(patient, tmp_path, enhanced=enhanced)))
    assert set(found) == set(patient.phases)
    for role, planned in patient.phases.items():
        assert found[role].same_grid(planned)
        assert np.corrcoef(found[role].values.ravel(), planned.values.ravel())[0, 1] > 0.9999


def drawn(study: Study) -> dict[str, Volume]:
    return {item.label: item.mask for item in read_drawings(study.drawings, Path) if isinstance(item, DrawnMask)}


@pytest.mark.parametrize("kind", ["fractional", "binary"])
def test_a_drawn_mask_comes_back_voxel_for_voxel_at_its_place(
    patient: PhantomPatient, tmp_path: Path, kind: Literal["fractional", "binary"]
) -> None:
    """Fractions are stored in 1/255; a binary mask is what lies above one half."""
    zone = drawn(read(write_study(patient, tmp_path, seg=kind)))["Ablation zone"]
    planned = patient.masks[Kind.ABLATION_ZONE]
    index = np.rint(planned.to_index(zone.to_mm(np.zeros(3)))).astype(int)
    part = planned.crop(tuple(index), tuple(index + zone.shape))
    assert part.same_grid(zone)
    expected = part.values if kind == "fractional" else (part.values >= 0.5).astype(np.float32)
    np.testing.assert_allclose(zone.values, expected, atol=0.003)
    if kind == "fractional":
        assert zone.values.sum() * zone.voxel_volume == pytest.approx(patient.truth.zone_ml, rel=0.01)


FAULTS = {
    Fault.MISSING_MIDDLE: "geometry.gap",
    Fault.GAP: "geometry.gap",
    Fault.DUPLICATE: "geometry.duplicate",
    Fault.MIXED_SPACING: "geometry.spacing",
    Fault.MIXED_PIXEL_SPACING: "geometry.mixed_spacing",
    Fault.TILTED_SLICE: "geometry.orientation",
    Fault.TWO_FRAMES_OF_REFERENCE: "geometry.frame_of_reference",
}
HARMLESS = (Fault.REVERSED, Fault.SHUFFLED, Fault.JITTER)


def damaged(patient: PhantomPatient, folder: Path, fault: Fault) -> Study:
    keep = {Role.PORTAL_VENOUS, Role.DELAYED}
    story = Story(faults={Role.PORTAL_VENOUS: (fault,)}, drop=frozenset(set(patient.phases) - keep))
    return read(write_study(patient, folder, story=story))


@pytest.mark.parametrize("fault", Fault)
def test_every_damage_is_refused_by_name_noticed_or_harmless(patient: PhantomPatient, tmp_path: Path, fault: Fault) -> None:
    study = damaged(patient, tmp_path, fault)
    portal, _ = study.phases
    if fault in FAULTS:
        with pytest.raises(Unusable) as caught:
            build_volume(read_planes(portal, Path))
        assert caught.value.code == FAULTS[fault]
    elif fault in HARMLESS:
        built = build_volume(read_planes(portal, Path))
        assert built.same_grid(patient.phases[Role.PORTAL_VENOUS], tolerance=0.05)
    else:
        assert [found.phase_key for found in missing_slices(study.phases)] == [portal.key]
