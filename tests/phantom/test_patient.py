"""Images show what the truth says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.phantom.bodies import Tube
from service.phantom.degrade import TYPICAL, Degradations
from service.phantom.patient import PhantomPatient, make_masks, make_patient, render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.signals import PHASES, Tissue, signal
from service.phantom.vessels import VesselKind
from service.regions.region import Kind
from service.study.model import Role
from service.volumes.volume import Volume


def _middle(volume: Volume) -> np.ndarray:
    """Center of mass, LPS mm."""
    index = np.array([np.average(np.arange(n), weights=volume.values.sum(axis=other)) for n, other in _axes(volume)])
    return np.asarray(volume.to_mm(index))


def _axes(volume: Volume) -> list[tuple[int, tuple[int, int]]]:
    k, j, i = volume.shape
    return [(k, (1, 2)), (j, (0, 2)), (i, (0, 1))]


def test_five_phases_and_four_masks(patient: PhantomPatient) -> None:
    assert list(PHASES) == list(patient.phases)
    assert set(Kind) - {Kind.GALLBLADDER} == set(patient.masks)
    t1 = patient.phases[Role.T1_PRE]
    assert t1.shape == (32, 80, 96)
    assert all(t1.same_grid(mask) for mask in patient.masks.values())
    assert t1.same_grid(patient.phases[Role.DELAYED])
    assert not t1.same_grid(patient.phases[Role.T2])
    assert len({volume.frame_of_reference_uid for volume in patient.phases.values()}) == 1


@pytest.mark.parametrize("role", [Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED])
def test_whole_voxels_of_a_tissue_show_its_signal(patient: PhantomPatient, role: Role) -> None:
    values, masks = patient.phases[role].values, {kind: mask.values for kind, mask in patient.masks.items()}
    tumor = masks[Kind.TUMOR] == 1
    margin = (masks[Kind.ABLATION_ZONE] == 1) & (masks[Kind.TUMOR] == 0) & (masks[Kind.VESSEL] == 0)
    vessel = masks[Kind.VESSEL] == 1
    assert np.allclose(signal(Tissue.TUMOR, role, patient.recipe.enhancement), values[tumor], atol=1e-3)
    expected = signal(Tissue.MARGIN, role, haemorrhagic=patient.recipe.haemorrhagic)
    assert np.allclose(expected, values[margin], atol=1e-3)
    assert np.allclose(signal(Tissue.VEIN, role), values[vessel], atol=1e-3)


def test_enhancement_is_in_the_images(patient: PhantomPatient) -> None:
    tumor = patient.masks[Kind.TUMOR].values == 1
    before, after = (patient.phases[role].values[tumor].mean() for role in (Role.T1_PRE, Role.PORTAL_VENOUS))
    assert pytest.approx(patient.truth.enhancement, abs=0.1) == 100 * (after - before) / before


def test_masks_have_the_volumes_of_the_truth(patient: PhantomPatient) -> None:
    volumes = {kind: float(mask.values.sum()) * mask.voxel_volume for kind, mask in patient.masks.items()}
    assert pytest.approx(patient.truth.tumor_ml, rel=0.01) == volumes[Kind.TUMOR]
    assert pytest.approx(patient.truth.zone_ml, rel=0.01) == volumes[Kind.ABLATION_ZONE]
    assert pytest.approx(patient.truth.liver_ml, rel=0.01) == volumes[Kind.LIVER]


def test_the_tumor_lies_where_the_recipe_says(patient: PhantomPatient) -> None:
    """The left-right, front-back and feet-head axes are those of the patient."""
    center = np.mean([part.center for part in patient.recipe.lesion.tumor], axis=0)
    assert np.allclose(center, _middle(patient.masks[Kind.TUMOR]), atol=1.0)


def test_a_seed_gives_one_patient() -> None:
    first, second = (make_patient(2, degradations=TYPICAL) for _ in range(2))
    assert all((first.phases[role].values == second.phases[role].values).all() for role in PHASES)
    assert first.truth == second.truth


def test_masks_alone_are_those_of_the_patient(patient: PhantomPatient) -> None:
    """The same voxels, cut to what a margin needs."""
    cut = make_masks(patient.recipe)
    assert patient.truth == cut.truth
    for kind, mask in cut.masks.items():
        low = np.rint(patient.masks[kind].to_index(mask.affine[:3, 3])).astype(int)
        high = low + mask.shape
        whole = patient.masks[kind].crop((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        assert np.allclose(whole.values, mask.values, atol=1e-6)
    assert np.allclose(patient.masks[Kind.ABLATION_ZONE].values.sum(), cut.masks[Kind.ABLATION_ZONE].values.sum())


def test_breathing_moves_the_image_and_not_the_mask() -> None:
    still = random_recipe(3, wish=Wish(vessel=VesselKind.NONE, enhancement=2.6))
    looked_at = (Role.T1_PRE, Role.DELAYED)
    moving = render(replace(still, degradations=Degradations(seed=3, breathing=12.0)), looked_at)
    calm = render(still, looked_at)
    assert (calm.masks[Kind.TUMOR].values == moving.masks[Kind.TUMOR].values).all()
    assert np.allclose(calm.phases[Role.T1_PRE].values, moving.phases[Role.T1_PRE].values)
    assert np.abs(calm.phases[Role.DELAYED].values - moving.phases[Role.DELAYED].values).max() > 20


def test_oblique_slices_show_the_same_patient() -> None:
    recipe = random_recipe(4, wish=Wish(vessel=VesselKind.NONE))
    oblique = make_masks(recipe.tilted(15.0, 8.0))
    assert make_masks(recipe).truth == oblique.truth
    straight = _middle(make_masks(recipe).masks[Kind.TUMOR])
    assert np.allclose(straight, _middle(oblique.masks[Kind.TUMOR]), atol=0.1)


def test_a_subcapsular_lesion_and_a_decoy_are_painted() -> None:
    recipe = random_recipe(2, wish=Wish(subcapsular=True, vessel=VesselKind.NONE))
    center = recipe.lesion.tumor[0].center
    decoy = Tube((center, (center[0] + 20, center[1], center[2])), 5.0)
    patient = render(replace(recipe, decoy=decoy, decoy_tissue=Tissue.BILE, others=()))
    assert Kind.VESSEL not in patient.masks
    assert (np.abs(patient.phases[Role.T2].values - signal(Tissue.BILE, Role.T2)) < 60).any()


def test_the_clinical_size() -> None:
    recipe = random_recipe(1, wish=Wish("clinical"))
    assert recipe.t1.shape == (72, 260, 320)
    assert recipe.t1.spacing == (3.0, 1.2, 1.2)
    assert recipe.t2.shape == (36, 208, 256)
