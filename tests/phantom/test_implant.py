"""A lesion put into a real volume has the truth that it claims and looks like its tissues."""

from __future__ import annotations

from collections.abc import Mapping

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from service.phantom.bodies import Everywhere
from service.phantom.implant import implant
from service.phantom.mask_body import MaskBody
from service.phantom.patient import PhantomPatient, make_patient
from service.phantom.recipe import Wish
from service.phantom.sample import Grid, fraction
from service.phantom.signals import PHASES, Tissue, signal
from service.phantom.synthesise import synthesise
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from service.regions.region import Kind
from service.study.model import Role
from service.volumes.volume import Volume
from tests.peers import real_data

WISH = Wish(vessel=VesselKind.BRIDGE_STRAIGHT, margin=4.0, round_tumor=True)


@pytest.fixture(scope="module")
def other() -> PhantomPatient:
    """A noisy patient who stands for a real exam; his own lesion is covered below."""
    return make_patient(11)


@pytest.fixture(scope="module")
def implanted() -> PhantomPatient:
    """A lesion in a plain, noisy liver with another scale."""
    grid = Grid((36, 90, 100), (3.0, 1.5, 1.5)).empty()
    liver = _ball(grid, 55.0)
    rng = np.random.default_rng(0)
    volumes = {}
    for role in PHASES:
        values = 7 * signal(Tissue.LIVER, role) * liver.values + rng.normal(0, 30, grid.shape)
        volumes[role] = grid.with_values(values.astype(np.float32))
    return implant(volumes, liver, 3, WISH)


def _ball(grid: Volume, radius: float) -> Volume:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1).astype(float)
    return grid.with_values((np.linalg.norm(grid.to_mm(index), axis=-1) < radius).astype(np.float32))


def test_the_margin_is_that_between_the_masks(implanted: PhantomPatient) -> None:
    """From the masks alone: tumor to the nearest liver that is not zone, within a voxel's diagonal."""
    masks = {kind: mask.values >= 0.5 for kind, mask in implanted.masks.items()}
    untreated = masks[Kind.LIVER] & ~masks[Kind.ABLATION_ZONE]
    apart = ndimage.distance_transform_edt(~untreated, sampling=(3.0, 1.5, 1.5))[masks[Kind.TUMOR]].min()
    assert pytest.approx(implanted.truth.minimum_margin, abs=1.8) == apart
    assert pytest.approx(4.0, abs=1.0) == implanted.truth.minimum_margin
    assert implanted.truth.vessel.bridges


@pytest.mark.parametrize("role", PHASES)
def test_its_tissues_are_as_bright_as_the_table_says(implanted: PhantomPatient, role: Role) -> None:
    """Relative to the liver around, whatever the scanner's scale."""
    values = implanted.phases[role].values
    tumor = implanted.masks[Kind.TUMOR].values == 1
    zone = (implanted.masks[Kind.ABLATION_ZONE].values == 1) & (implanted.masks[Kind.TUMOR].values == 0)
    zone &= implanted.masks[Kind.VESSEL].values == 0
    assert pytest.approx(signal(Tissue.TUMOR, role, implanted.recipe.enhancement), abs=3) == np.median(values[tumor])
    assert pytest.approx(signal(Tissue.MARGIN, role), abs=2) == np.median(values[zone])


def test_the_noise_goes_on_through_the_lesion(implanted: PhantomPatient) -> None:
    values = implanted.phases[Role.PORTAL_VENOUS].values
    zone = (implanted.masks[Kind.ABLATION_ZONE].values == 1) & (implanted.masks[Kind.TUMOR].values == 0)
    zone &= implanted.masks[Kind.VESSEL].values == 0
    assert pytest.approx(30 / 7, rel=0.15) == values[zone].std()


def test_the_liver_keeps_its_room_around_the_zone(implanted: PhantomPatient) -> None:
    zone = implanted.masks[Kind.ABLATION_ZONE].values > 0
    assert (implanted.masks[Kind.LIVER].values[ndimage.binary_dilation(zone)] > 0.9).all()
    assert isinstance(implanted.recipe.lesion.liver, Everywhere)


def test_at_the_border_the_surface_cuts_the_zone(other: PhantomPatient) -> None:
    """The truth against the cut liver, checked with the masks."""
    found = implant(other.phases, other.masks[Kind.LIVER], 2, Wish(margin=3.0, round_tumor=True), at_border=True)
    masks = {kind: mask.values >= 0.5 for kind, mask in found.masks.items()}
    untreated = masks[Kind.LIVER] & ~masks[Kind.ABLATION_ZONE]
    apart = ndimage.distance_transform_edt(~untreated, sampling=(3.0, 1.4, 1.4))[masks[Kind.TUMOR]].min()
    assert pytest.approx(found.truth.minimum_margin, abs=1.8) == apart
    assert not found.recipe.lesion.convex_liver


def test_a_liver_without_room_is_refused() -> None:
    grid = Grid((20, 40, 40), (3.0, 1.5, 1.5)).empty(100.0)
    with pytest.raises(ValueError, match="no room"):
        implant({Role.PORTAL_VENOUS: grid}, _ball(grid, 12.0), 1)


def test_a_mask_is_a_body() -> None:
    grid = Grid((30, 60, 60), (3.0, 1.5, 1.5)).empty()
    body = MaskBody(_ball(grid, 30.0))
    points = 30 * np.array([[0, 0, 1.0], [1, 0, 0], [0.6, 0.8, 0]])
    assert (body.distance(0.95 * points) < 0).all()
    assert (body.distance(1.05 * points) > 0).all()
    assert pytest.approx(_ball(grid, 30.0).values.sum(), rel=0.01) == fraction(body, grid).values.sum()


def test_phases_from_one_volume(other: PhantomPatient) -> None:
    """The liver follows the table, a vessel too, and what was shown stays as it was."""
    labels = {Tissue.LIVER: other.masks[Kind.LIVER], Tissue.VEIN: other.masks[Kind.VESSEL]}
    phases = synthesise(other.phases[Role.T1_PRE], labels, 1)
    liver = (
        (labels[Tissue.LIVER].values == 1) & (other.masks[Kind.ABLATION_ZONE].values == 0) & (labels[Tissue.VEIN].values == 0)
    )
    vein = labels[Tissue.VEIN].values == 1
    for role in PHASES:
        assert pytest.approx(signal(Tissue.LIVER, role), rel=0.03) == np.median(phases[role].values[liver])
        if role is not Role.T1_PRE:
            assert pytest.approx(signal(Tissue.VEIN, role), abs=8) == np.median(phases[role].values[vein])


def test_the_liver_sets_the_scale(other: PhantomPatient) -> None:
    with pytest.raises(ValueError, match="liver's label"):
        synthesise(other.phases[Role.T1_PRE], {Tissue.VEIN: other.masks[Kind.VESSEL]})


@pytest.mark.real_data
@pytest.mark.parametrize(("margin", "kind"), [(1.0, VesselKind.BRIDGE_STRAIGHT), (6.0, VesselKind.NONE)])
def test_in_a_real_abdominal_mr(margin: float, kind: VesselKind, tmp_path_factory: pytest.TempPathFactory) -> None:
    volume, labels = _abdomen()
    phases = synthesise(volume, labels)
    found = implant(phases, labels[Tissue.LIVER], 1, Wish(vessel=kind, margin=margin, round_tumor=True))
    assert pytest.approx(margin, abs=1.0) == found.truth.minimum_margin
    assert (kind is VesselKind.BRIDGE_STRAIGHT) == found.truth.vessel.bridges
    assert found.masks[Kind.TUMOR].values.sum() * 0.027 == pytest.approx(found.truth.tumor_ml, rel=0.02)
    paths = write_study(found, tmp_path_factory.mktemp("semi-real"), seg="fractional")
    assert len(paths) == 5 * 20 + 1


def _abdomen() -> tuple[Volume, Mapping[Tissue, Volume]]:
    """A real abdominal MR with labels, from RAS NIfTI to our LPS volumes."""
    folder = real_data("liver", "TotalSegmentator", "tests", "reference_files")
    image, labels = (nib.load(folder / name) for name in ("example_mr_sm.nii.gz", "example_seg_mr.nii.gz"))
    affine = (np.diag([-1.0, -1, 1, 1]) @ image.affine)[:, [2, 1, 0, 3]]
    numbers = np.asarray(labels.dataobj).T
    volume = Volume(np.ascontiguousarray(np.asarray(image.dataobj).T, dtype=np.float32), affine)
    masks = {Tissue.LIVER: (5,), Tissue.ARTERY: (23,), Tissue.VEIN: (24, 25)}
    return volume, {tissue: volume.with_values(np.isin(numbers, which).astype(np.float32)) for tissue, which in masks.items()}
