"""Data sets of MR images, segmentations and structure sets, as small as they can be, for tests of reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED = "1.2.840.10008.5.1.4.1.1.4.1"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"


def record(**attributes: Any) -> Dataset:
    """A data set with these attributes; lists of data sets become sequences."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        nested = isinstance(value, Dataset) or (isinstance(value, list) and value and isinstance(value[0], Dataset))
        setattr(dataset, keyword, Sequence(value if isinstance(value, list) else [value]) if nested else value)
    return dataset


def header(sop_class: str = MR, modality: str = "MR", **more: Any) -> Dataset:
    """The UIDs and file meta that any object needs."""
    dataset = record(
        SOPClassUID=sop_class,
        SOPInstanceUID="1.2.3.4",
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.2.3",
        Modality=modality,
        FrameOfReferenceUID="1.9",
        **more,
    )
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    return dataset


def with_pixels(dataset: Dataset, frames: NDArray[Any]) -> Dataset:
    """Native pixels of (frames, rows, columns): uint8, uint16 or int16; booleans are packed to bits."""
    bits = 1 if frames.dtype == bool else frames.dtype.itemsize * 8
    dataset.update(
        record(
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            Rows=frames.shape[1],
            Columns=frames.shape[2],
            BitsAllocated=bits,
            BitsStored=bits,
            HighBit=bits - 1,
            PixelRepresentation=int(frames.dtype.kind == "i"),
        )
    )
    if len(frames) > 1 or bits == 1 or "PerFrameFunctionalGroupsSequence" in dataset:
        dataset.NumberOfFrames = len(frames)
    raw = pack_bits(frames.astype(np.uint8).ravel()) if bits == 1 else frames.tobytes()
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OW" if bits == 16 else "OB"
    return dataset


def saved(dataset: Dataset, path: Path) -> Path:
    """The data set as a DICOM file."""
    dataset.save_as(path, enforce_file_format=True)
    return path


def plane(z: float, **groups: Any) -> Dataset:
    """Functional groups of a frame at height z, with others added."""
    return record(PlanePositionSequence=record(ImagePositionPatient=[-10.0, -20.0, z]), **groups)


def shared(spacing_between: float | None = 3.0, **groups: Any) -> Dataset:
    """Shared functional groups of axial frames with 1.5 x 1.2 mm pixels."""
    measures = record(PixelSpacing=[1.5, 1.2], SliceThickness=3.0)
    if spacing_between is not None:
        measures.SpacingBetweenSlices = spacing_between
    return record(PlaneOrientationSequence=record(ImageOrientationPatient=AXIAL), PixelMeasuresSequence=measures, **groups)


def code(value: str, scheme: str = "SCT", meaning: str = "meaning") -> Dataset:
    """A coded entry."""
    return record(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def segment(number: int, label: str) -> Dataset:
    """A segment of morphologically abnormal tissue in the liver."""
    return record(
        SegmentNumber=number,
        SegmentLabel=label,
        SegmentedPropertyCategoryCodeSequence=code("49755003"),
        SegmentedPropertyTypeCodeSequence=code("108369006"),
        AnatomicRegionSequence=code("10200004"),
    )


def segmentation(frames: NDArray[Any], places: list[tuple[float, int]], kind: str = "BINARY", **more: Any) -> Dataset:
    """A SEG whose frames lie at (z, segment number), with segments 1 Tumor and 2 Zone."""
    own = [
        plane(z, **({} if kind == "LABELMAP" else {"SegmentIdentificationSequence": record(ReferencedSegmentNumber=number)}))
        for z, number in places
    ]
    dataset = header(
        LABELMAP if kind == "LABELMAP" else SEG,
        "SEG",
        SegmentationType=kind,
        SegmentSequence=[segment(1, "Tumor"), segment(2, "Zone")],
        PerFrameFunctionalGroupsSequence=own,
        **{"SharedFunctionalGroupsSequence": shared(), **more},
    )
    return with_pixels(dataset, frames)


def structure_set(contours: list[Dataset], **observation: Any) -> Dataset:
    """An RTSTRUCT with the one ROI 7 "Ablation zone" made of these contours."""
    return header(
        STRUCTURES,
        "RTSTRUCT",
        StructureSetROISequence=record(ROINumber=7, ROIName="Ablation zone", ReferencedFrameOfReferenceUID="1.9"),
        ROIContourSequence=record(ReferencedROINumber=7, ContourSequence=contours),
        RTROIObservationsSequence=record(ReferencedROINumber=7, **observation),
    )


def contour(points: list[float], kind: str = "CLOSED_PLANAR") -> Dataset:
    """One contour of x, y, z triples."""
    return record(ContourGeometricType=kind, NumberOfContourPoints=len(points) // 3, ContourData=points)
