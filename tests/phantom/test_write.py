"""A written study is valid DICOM and holds the patient, the whole patient and nothing else."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from service.codes import DEVICE_UID, PRODUCT
from service.phantom.faults import Fault
from service.phantom.patient import PhantomPatient
from service.phantom.story import Story
from service.phantom.write import write_study
from service.regions.region import Kind
from service.study.model import Role
from tests.peers import require_program

T1 = "07_portal_venous"


@pytest.fixture(scope="module")
def study(patient: PhantomPatient, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(patient, tmp_path_factory.mktemp("study"), seg="fractional", rtstruct=True)


@pytest.fixture(scope="module")
def enhanced(patient: PhantomPatient, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(patient, tmp_path_factory.mktemp("enhanced"), enhanced=True, seg="binary")


def _series(paths: list[Path], folder: str) -> list[Dataset]:
    return [dcmread(path) for path in paths if path.parent.name == folder]


def _read(faulty: Fault, patient: PhantomPatient, folder: Path) -> list[Dataset]:
    others = frozenset(set(patient.phases) - {Role.PORTAL_VENOUS})
    paths = write_study(patient, folder, story=Story(drop=others, faults={Role.PORTAL_VENOUS: (faulty,)}))
    return [dcmread(path) for path in paths]


def test_one_file_a_slice_in_five_series(study: list[Path]) -> None:
    counts = {name: len(_series(study, name)) for name in sorted({path.parent.name for path in study})}
    expected = {"03_t2": 16, "05_t1_pre": 32, "06_arterial": 32, "07_portal_venous": 32, "08_delayed": 32}
    assert {**expected, "90_seg": 1, "91_rtstruct": 1} == counts


def test_pixels_and_geometry_come_back(patient: PhantomPatient, study: list[Path]) -> None:
    volume = patient.phases[Role.PORTAL_VENOUS]
    for k, item in enumerate(_series(study, T1)):
        assert np.abs(item.pixel_array / 10 - volume.values[k]).max() <= 0.0501
        corner = volume.to_mm(np.array([k, 0.0, 0.0]))
        assert np.allclose(corner, np.array(item.ImagePositionPatient, dtype=float), atol=1e-5)
        row, column = (np.array(item.ImageOrientationPatient[n : n + 3], dtype=float) for n in (0, 3))
        between_rows, between_columns = (float(value) for value in item.PixelSpacing)
        far = corner + 10 * between_columns * row + 20 * between_rows * column
        assert np.allclose(volume.to_mm(np.array([k, 20.0, 10.0])), far, atol=1e-4)


def test_the_enhanced_object_holds_the_same(patient: PhantomPatient, enhanced: list[Path]) -> None:
    (item,) = _series(enhanced, T1)
    transform = item.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence[0]
    values = item.pixel_array * float(transform.RescaleSlope)
    assert np.abs(values - patient.phases[Role.PORTAL_VENOUS].values).max() <= 0.0501
    place = item.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0].ImagePositionPatient
    assert np.allclose(patient.phases[Role.PORTAL_VENOUS].to_mm(np.array([3, 0, 0.0])), np.array(place, dtype=float), atol=1e-5)


def test_the_same_patient_gives_the_same_bytes(patient: PhantomPatient, tmp_path: Path) -> None:
    story = Story(drop=frozenset({Role.T2, Role.ARTERIAL, Role.DELAYED}))
    first, second = (write_study(patient, tmp_path / n, story=story, seg="binary", rtstruct=True) for n in "ab")
    assert all(one.read_bytes() == other.read_bytes() for one, other in zip(first, second, strict=True))


def test_every_object_has_its_own_uid_and_one_study(study: list[Path]) -> None:
    items = [dcmread(path, stop_before_pixels=True) for path in study]
    assert len(study) == len({item.SOPInstanceUID for item in items})
    assert len({item.SeriesInstanceUID for item in items}) == 7
    assert len({item.StudyInstanceUID for item in items}) == 1
    assert len({item.FrameOfReferenceUID for item in items}) == 1


def test_a_phantom_is_marked_as_one_and_not_as_our_result(study: list[Path]) -> None:
    for path in study:
        item = dcmread(path, stop_before_pixels=True)
        assert str(item.PatientName).startswith("PHANTOM^")
        assert item.PatientID == "PHANTOM-7"
        assert str(item.get("DeviceUID", "")) != DEVICE_UID
        assert item.ManufacturerModelName != PRODUCT


def test_the_exam_is_a_day_after_the_procedure(study: list[Path]) -> None:
    (item, *_) = _series(study, "05_t1_pre")
    acquired = datetime.strptime(item.AcquisitionDate + item.AcquisitionTime, "%Y%m%d%H%M%S")  # noqa: DTZ007
    assert Story().procedure_at + timedelta(hours=24) == acquired
    assert "2024-03-11 09:40" in item.AdditionalPatientHistory
    assert "ContrastBolusAgent" not in item
    assert "ContrastBolusAgent" in _series(study, T1)[0]


def test_the_fractional_segments_are_the_masks(patient: PhantomPatient, study: list[Path]) -> None:
    seg = hd.seg.segread(next(path for path in study if path.parent.name == "90_seg"))
    assert [item.SegmentLabel for item in seg.SegmentSequence] == ["Liver", "Ablation zone", "Tumor", "Vessel"]
    volume = seg.get_volume(segment_numbers=[3], combine_segments=False)
    mask = patient.masks[Kind.TUMOR]
    assert pytest.approx(float(mask.values.sum()), rel=0.01) == float(volume.array.sum())
    assert pytest.approx(mask.voxel_volume * 1000, rel=1e-4) == volume.voxel_volume


def test_the_binary_segments_are_half_and_more(patient: PhantomPatient, enhanced: list[Path]) -> None:
    seg = hd.seg.segread(next(path for path in enhanced if path.parent.name == "90_seg"))
    volume = seg.get_volume(segment_numbers=[2], combine_segments=False)
    assert int((patient.masks[Kind.ABLATION_ZONE].values >= 0.5).sum()) == int(volume.array.sum())


def test_the_contours_enclose_the_mask(patient: PhantomPatient, study: list[Path]) -> None:
    """Their area times the slice distance is the zone's volume."""
    (item,) = _series(study, "91_rtstruct")
    assert [roi.ROIName for roi in item.StructureSetROISequence] == ["Liver", "Ablation zone", "Tumor", "Vessel"]
    area = 0.0
    for contour in item.ROIContourSequence[1].ContourSequence:
        x, y = np.array(contour.ContourData, dtype=float).reshape(-1, 3)[:, :2].T
        area += abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
    assert pytest.approx(patient.truth.zone_ml, rel=0.03) == area * 3.0 / 1000


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_damages_what_it_says(fault: Fault, patient: PhantomPatient, tmp_path: Path) -> None:
    items = _read(fault, patient, tmp_path)
    heights = np.array([float(item.ImagePositionPatient[2]) for item in items])
    steps = np.round(np.diff(np.sort(heights)), 2)
    count = {Fault.DUPLICATE: 33}.get(fault, 31 if fault.value.startswith("missing") else 32)
    assert count == len(items)
    assert len(items) == len({item.SOPInstanceUID for item in items})
    uneven = {Fault.MISSING_MIDDLE, Fault.DUPLICATE, Fault.GAP, Fault.MIXED_SPACING, Fault.JITTER}
    assert (fault in uneven) == (len(set(steps)) > 1)
    assert (fault is Fault.REVERSED) == bool((np.diff(heights) < 0).all())
    assert (fault is Fault.SHUFFLED) == (len(set(np.sign(np.diff(heights[:31])))) == 2)
    assert (fault is Fault.MIXED_PIXEL_SPACING) == (len({tuple(item.PixelSpacing) for item in items}) == 2)
    assert (fault is Fault.TILTED_SLICE) == (len({tuple(item.ImageOrientationPatient) for item in items}) == 2)
    assert (fault is Fault.TWO_FRAMES_OF_REFERENCE) == (len({item.FrameOfReferenceUID for item in items}) == 2)
    assert all(np.diff([int(item.InstanceNumber) for item in items[:31]]) > 0)


def test_faults_need_classic_series(patient: PhantomPatient, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="classic"):
        write_study(patient, tmp_path, enhanced=True, story=Story(faults={Role.T2: (Fault.GAP,)}))


def test_without_a_portal_venous_phase_the_reader_draws_on_another(patient: PhantomPatient, tmp_path: Path) -> None:
    paths = write_study(patient, tmp_path, seg="binary", story=Story(drop=frozenset({Role.PORTAL_VENOUS, Role.T2})))
    seg = dcmread(paths[-1])
    uids = {item.SeriesInstanceUID for item in _series(paths, "05_t1_pre")}
    assert uids == {item.SeriesInstanceUID for item in seg.ReferencedSeriesSequence}


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["study", "enhanced"])
def test_dciodvfy_finds_no_error(kind: str, request: pytest.FixtureRequest) -> None:
    program = require_program("dciodvfy")
    paths: list[Path] = request.getfixturevalue(kind)
    for folder in sorted({path.parent for path in paths}):
        path = next(path for path in paths if path.parent == folder)
        run = subprocess.run([program, "-new", str(path)], capture_output=True, text=True, check=False)
        errors = [line for line in (run.stdout + run.stderr).splitlines() if line.startswith("Error")]
        assert errors == [], path
