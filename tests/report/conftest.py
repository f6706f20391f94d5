"""Results of every kind on small synthetic MR studies whose geometry is known to the digit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

from service import codes
from service.codes import Code, ours
from service.features.finding import Finding, Reason, Status
from service.options import AnalysisOptions
from service.regions.region import Kind, Region
from service.report.result import PhaseUse, Result, Software, TumorResult
from service.study.model import Frame, Instance, Phase, Plane, Role
from service.volumes.volume import Volume

STUDY = "1.2.826.0.1.3680043.8.498.1"
FRAME = "1.2.826.0.1.3680043.8.498.1.99"
SHAPE = (10, 28, 36)
SPACING = (3.0, 1.40625, 1.25)
TILT = np.deg2rad(12.0)
ROW = (1.0, 0.0, 0.0)
COLUMN = (0.0, float(np.cos(TILT)), float(np.sin(TILT)))
NORMAL = np.cross(ROW, COLUMN)
ORIGIN = np.array([-20.5, -18.25, 33.125])
NOTE = "Not predictive in the source study (10/14 vs 25/40, p = .75)."

MARGIN = ours("MINMARGIN", "Minimum ablation margin")
CATEGORY = ours("MARGINCAT", "Margin category")
VESSEL = ours("BRIDGVESSEL", "Bridging vessel")
ENHANCEMENT = ours("TUMORENH", "Tumor enhancement")
TUMOR_VOLUME = Code("118565006", "SCT", "Volume")
NARROW = ours("LE3", "3 mm or less")

Change = Callable[[Dataset], None]
MEASUREMENTS = AnalysisOptions(outputs=("seg", "sr"))  # what tests of the report and its contours have made


@dataclass(frozen=True)
class Sample:
    """A result and the headers of the images it was made from (with pixels, so that they are valid images)."""

    result: Result
    sources: tuple[Dataset, ...]


def affine() -> np.ndarray:
    """Index (k, j, i) to LPS mm of the synthetic grid: tilted about x, slices along the normal."""
    matrix = np.eye(4)
    matrix[:3, 0] = NORMAL * SPACING[0]
    matrix[:3, 1] = np.array(COLUMN) * SPACING[1]
    matrix[:3, 2] = np.array(ROW) * SPACING[2]
    matrix[:3, 3] = ORIGIN
    return matrix


def ball(center: tuple[float, float, float], radius: float, matrix: np.ndarray | None = None) -> Volume:
    """A soft ball: full inside, 1.5 mm wide edge; `center` as an index (k, j, i) of the grid."""
    matrix = affine() if matrix is None else matrix
    grid = Volume(np.zeros(SHAPE, np.float32), matrix, FRAME)
    index = np.stack(np.meshgrid(*(np.arange(size) for size in SHAPE), indexing="ij"), axis=-1)
    distance = np.linalg.norm(grid.to_mm(index.astype(float)) - affine_point(center), axis=-1)
    return grid.with_values(np.clip(0.5 + (radius - distance) / 1.5, 0, 1).astype(np.float32))


def affine_point(index: tuple[float, float, float]) -> np.ndarray:
    """The LPS position of an index of the grid."""
    return np.asarray(affine()[:3, :3] @ np.array(index) + ORIGIN)


def header(number: int, instance: int) -> Dataset:
    """What all images of the study share."""
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 100"
    image.SOPInstanceUID = f"{STUDY}.{number}.{instance}"
    image.StudyInstanceUID = STUDY
    image.SeriesInstanceUID = f"{STUDY}.{number}"
    image.FrameOfReferenceUID = FRAME
    image.PatientName, image.PatientID = "Phantom^One", "PH-1"
    image.PatientBirthDate, image.PatientSex = "19500102", "F"
    image.StudyDate, image.StudyTime = "20240305", "101112"
    image.StudyID, image.AccessionNumber, image.ReferringPhysicianName = "77", "A-1", "Doe^Jane"
    image.StudyDescription = "MRI liver 24 h"
    image.Modality, image.SeriesNumber, image.InstanceNumber = "MR", number, instance
    image.Manufacturer, image.Rows, image.Columns = "Maker", SHAPE[1], SHAPE[2]
    image.PositionReferenceIndicator, image.PatientPosition, image.Laterality = "", "HFS", ""
    return image


def classic(number: int) -> list[Dataset]:
    """A classic series, stored in reversed order of position as scanners do."""
    images = []
    for k in reversed(range(SHAPE[0])):
        image = header(number, SHAPE[0] - k)
        image.SOPClassUID = MRImageStorage
        image.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
        image.ScanningSequence, image.SequenceVariant, image.ScanOptions = "GR", "NONE", None
        image.MRAcquisitionType, image.EchoTrainLength = "3D", 1
        image.RepetitionTime, image.EchoTime = "4", "2"
        image.PixelSpacing = [SPACING[1], SPACING[2]]
        image.SliceThickness = SPACING[0]
        image.ImageOrientationPatient = [f"{value:.12f}"[:16] for value in (*ROW, *COLUMN)]
        image.ImagePositionPatient = [f"{value:.12f}"[:16] for value in affine_point((k, 0, 0))]
        pixels(image, 1)
        images.append(image)
    return images


def enhanced(number: int) -> list[Dataset]:
    """One Enhanced MR instance; only what a reader of its geometry and identity needs."""
    image = header(number, 1)
    image.SOPClassUID = EnhancedMRImageStorage
    image.NumberOfFrames = SHAPE[0]
    pixels(image, SHAPE[0])
    return [image]


def pixels(image: Dataset, frames: int) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.PixelData = bytes(2 * SHAPE[1] * SHAPE[2] * frames)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID


def instance_of(image: Dataset) -> Instance:
    """The record of an image as the reader would make it."""
    count = int(image.get("NumberOfFrames") or 1)
    first = SHAPE[0] - image.InstanceNumber if count == 1 else 0
    frames = tuple(
        Frame(n + 1, tuple(affine_point((first + n, 0, 0)).tolist()), (*ROW, *COLUMN), (SPACING[1], SPACING[2]))
        for n in range(count)
    )
    return Instance(
        image.StudyInstanceUID,
        image.SeriesInstanceUID,
        image.SOPInstanceUID,
        image.SOPClassUID,
        ExplicitVRLittleEndian,
        "key",
        modality="MR",
        series_number=image.SeriesNumber,
        instance_number=image.InstanceNumber,
        series_description=f"T1 fat sat {image.SeriesNumber}",
        frame_of_reference_uid=FRAME,
        rows=SHAPE[1],
        columns=SHAPE[2],
        slice_thickness=SPACING[0],
        frames=frames,
    )


def phase_use(images: list[Dataset], role: Role, *, used: bool = True) -> PhaseUse:
    planes = tuple(Plane(instance, frame) for instance in map(instance_of, images) for frame in instance.frames)
    uid = images[0].SeriesInstanceUID
    reasons = ("third of four contrast phases",)
    return PhaseUse(Phase(uid, uid, planes), role, 0.9, reasons, used, "" if used else "not needed")


def findings(reference: str) -> tuple[Finding, ...]:
    """One finding of each kind: number, number with category, code, and both ways of having no answer."""
    return (
        Finding(
            "minimum_margin", "Minimum ablation margin", MARGIN, "sub-voxel surface distance 1", Status.MEASURED,
            value=2.3456789012345678, unit=codes.MM, interval=(1.9, 2.9), place=(1.25, -2.5, 30.0),
            contours="drawn: SEG segment 1 'Tumor'", inputs=(reference,), source="AJR 2014;203:W181-91",
        ),
        Finding("margin_category", "Margin category", CATEGORY, "rule 1", Status.MEASURED, category=NARROW),
        Finding(
            "tumor_enhancement", "Tumor enhancement, arterial", ENHANCEMENT, "median 1", Status.MEASURED,
            value=41.5, unit=codes.PERCENT, category=codes.YES, interval=(float("-inf"), 60.0), note=NOTE,
        ),
        Finding("tumor_volume", "Tumor volume", TUMOR_VOLUME, "soft sum 1", Status.MEASURED, value=4.0, unit=codes.ML),
        Finding(
            "bridging_vessel", "Bridging vessel", VESSEL, "widest path 1", Status.NOT_ASSESSABLE,
            reason=Reason("vessel.no_portal_venous", "There is no portal-venous phase."), inputs=(reference,),
        ),
        Finding(
            "vessel_diameter", "Minimum lumen diameter", Code("397413000", "SCT", "Lumen diameter"), "widest path 1",
            Status.NOT_ATTEMPTED, unit=codes.MM, reason=Reason("vessel.none", "No vessel was found."), contours="classical 1",
        ),
        Finding(
            "zone_volume", "Ablation zone volume", ours("ZONEVOLUME", "Ablation zone volume"), "soft sum 1",
            Status.NOT_ASSESSABLE, unit=codes.ML, reason=Reason("contrast.low", "The edge has too little contrast."),
        ),
    )  # fmt: skip


def region(kind: Kind, volume: Volume, method: str = "classical 1") -> Region:
    return Region(kind, volume, method)


def sample(*, make: Callable[[int], list[Dataset]] = classic, tumors: int = 1, change: Change | None = None) -> Sample:
    """A result with all phases, zone, vessels and `tumors` tumors; the first one sticks out of its zone."""
    series = {Role.T1_PRE: make(3), Role.PORTAL_VENOUS: make(5), Role.LOCALIZER: make(1)}
    images = tuple(image for part in series.values() for image in part)
    for image in images if change else ():
        change(image)  # type: ignore[misc]
    uses = tuple(phase_use(part, role, used=role is not Role.LOCALIZER) for role, part in series.items())
    zone = region(Kind.ABLATION_ZONE, ball((5, 14, 18), 12.0))
    found = tuple(
        TumorResult(
            f"Tumor {n + 1}", f"PH-1 tumor {n + 1}", f"2.25.{1000 + n}", findings(uses[1].phase.key),
            region(Kind.TUMOR, ball((5, 14, 10 + 14 * n), 6.0), "drawn: SEG segment 1 'Tumor'"), zone,
        )
        for n in range(tumors)
    )  # fmt: skip
    result = Result(
        STUDY,
        "0123456789ab",
        datetime(2024, 3, 6, 9, 8, 7, 654321, tzinfo=UTC),
        Software("Cryomargin", "0.1.0", "feedc0de"),
        "Margin 3 mm or less at one place; vessels not assessable.",
        uses[1],
        uses,
        found,
        vessels=region(Kind.VESSEL, ball((6, 20, 28), 3.0)) if tumors else None,
        warnings=("The procedure time is unknown.",),
    )
    return Sample(result, images)


def without_regions(given: Sample) -> Sample:
    """The same tumors, but nothing shows where they are."""
    tumors = tuple(replace(tumor, tumor=None, zone=None) for tumor in given.result.tumors)
    return Sample(replace(given.result, tumors=tumors, vessels=None), given.sources)


@pytest.fixture(scope="session")
def one() -> Sample:
    return sample()


@pytest.fixture(scope="session")
def two() -> Sample:
    return sample(tumors=2)


@pytest.fixture(scope="session")
def none() -> Sample:
    return sample(tumors=0)


@pytest.fixture(scope="session")
def multiframe() -> Sample:
    return sample(make=enhanced)
