"""What a reader drew on a phantom study: SEG and RTSTRUCT, made by another device than ours."""

from __future__ import annotations

from collections.abc import Mapping

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import RTStructureSetStorage
from skimage.measure import find_contours

from service.phantom.headers import date_and_time, new_object
from service.phantom.patient import PhantomPatient
from service.phantom.story import Story
from service.phantom.uids import derive_uid
from service.regions.region import Kind
from service.study.model import Role
from service.volumes.volume import Volume

LABELS: Mapping[Kind, str] = {
    Kind.LIVER: "Liver",
    Kind.ABLATION_ZONE: "Ablation zone",
    Kind.TUMOR: "Tumor",
    Kind.VESSEL: "Vessel",
}
ALTERED = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
CODES: Mapping[Kind, tuple[Code, Code]] = {
    Kind.LIVER: (ANATOMY, Code("10200004", "SCT", "Liver")),
    Kind.ABLATION_ZONE: (ALTERED, Code("6574001", "SCT", "Necrosis")),
    Kind.TUMOR: (ALTERED, Code("108369006", "SCT", "Neoplasm")),
    Kind.VESSEL: (ANATOMY, Code("59820001", "SCT", "Blood vessel")),
}
LEVELS = 255
"""Steps of a fractional SEG between empty and full."""


def draw_masks(patient: PhantomPatient, images: list[Dataset], *, fractional: bool) -> Dataset:
    """One SEG with a segment for each mask, on the grid of `images` (T1 slices in order, or one Enhanced MR)."""
    kinds = [kind for kind in LABELS if kind in patient.masks]
    values = np.stack([patient.masks[kind].values for kind in kinds], axis=-1)
    mode = hd.seg.SegmentationTypeValues.FRACTIONAL if fractional else hd.seg.SegmentationTypeValues.BINARY
    pixels = np.rint(values * LEVELS) / LEVELS if fractional else (values >= 0.5).astype(np.uint8)
    item = hd.seg.Segmentation(
        source_images=images,
        pixel_array=pixels,
        segmentation_type=mode,
        segment_descriptions=[_description(kind, n) for n, kind in enumerate(kinds, start=1)],
        series_instance_uid=derive_uid(patient.recipe, images[0].SOPInstanceUID, mode.value, "series"),
        series_number=90,
        sop_instance_uid=derive_uid(patient.recipe, images[0].SOPInstanceUID, mode.value),
        instance_number=1,
        manufacturer="Phantom Reader",
        manufacturer_model_name="Reading Room",
        software_versions="1",
        device_serial_number="RR-0001",
        content_label="CONTOURS",
        content_description="Contours of a phantom, exact",
        content_creator_name="PHANTOM^READER",
        series_description="CONTOURS BY READER",
        max_fractional_value=LEVELS,
        omit_empty_frames=True,
    )
    _settle(item, derive_uid(patient.recipe, images[0].SOPInstanceUID, "dimensions"))
    item.ContentDate, item.ContentTime = images[0].ContentDate, images[0].ContentTime
    item.InstanceCreationDate, item.InstanceCreationTime = images[0].ContentDate, images[0].ContentTime
    return item


def _settle(item: Dataset, uid: str) -> None:
    """A dimension organization and times that are the same each time, where the library takes a random UID and now."""
    for equipment in item.get("ContributingEquipmentSequence", []):
        equipment.ContributionDateTime = item.StudyDate + item.StudyTime
    for dimension in (*item.DimensionOrganizationSequence, *item.DimensionIndexSequence):
        dimension.DimensionOrganizationUID = uid


def _description(kind: Kind, number: int) -> hd.seg.SegmentDescription:
    category, what = CODES[kind]
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=LABELS[kind],
        segmented_property_category=category,
        segmented_property_type=what,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        tracking_id=f"phantom {kind}",
        tracking_uid=derive_uid_of(kind),
    )


def derive_uid_of(kind: Kind) -> str:
    """The tracking UID of a kind of region, the same in all phantoms."""
    return str(hd.UID.from_uuid(f"00000000-0000-4000-8000-{list(Kind).index(kind):012d}"))


def draw_contours(patient: PhantomPatient, story: Story, images: list[Dataset]) -> Dataset:
    """One RTSTRUCT with a ROI for each mask: closed planar contours at the 0.5 level, in the slices of the T1 grid."""
    item = new_object(patient, story, RTStructureSetStorage, images[0].SOPInstanceUID, "contours")
    first = images[0]
    item.Modality = "RTSTRUCT"
    item.Manufacturer, item.ManufacturerModelName, item.DeviceSerialNumber = "Phantom Reader", "Reading Room", "RR-0001"
    item.SeriesInstanceUID = derive_uid(patient.recipe, first.SOPInstanceUID, "contours", "series")
    item.SeriesNumber, item.InstanceNumber, item.SeriesDescription = 91, 1, "CONTOURS BY READER"
    item.OperatorsName = "PHANTOM^READER"
    item.FrameOfReferenceUID, item.PositionReferenceIndicator = first.FrameOfReferenceUID, ""
    item.StructureSetLabel = "CONTOURS"
    item.StructureSetDate, item.StructureSetTime = date_and_time(story.acquired_at(Role.DELAYED))
    item.ApprovalStatus = "UNAPPROVED"
    item.ReferencedFrameOfReferenceSequence = [_referenced(images)]
    kinds = [kind for kind in LABELS if kind in patient.masks]
    item.StructureSetROISequence = [_roi(kind, n, first) for n, kind in enumerate(kinds, start=1)]
    item.ROIContourSequence = [_contours(patient.masks[kind], n, images) for n, kind in enumerate(kinds, start=1)]
    item.RTROIObservationsSequence = [_observation(n) for n in range(1, len(kinds) + 1)]
    return item


def _roi(kind: Kind, number: int, image: Dataset) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ROIName = number, LABELS[kind]
    item.ReferencedFrameOfReferenceUID = image.FrameOfReferenceUID
    item.ROIGenerationAlgorithm = "MANUAL"
    return item


def _observation(number: int) -> Dataset:
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.RTROIInterpretedType, item.ROIInterpreter = "", ""
    return item


def _contours(mask: Volume, number: int, images: list[Dataset]) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    item.ROIDisplayColor = [(40 * number) % 256, 200, (90 * number) % 256]
    item.ContourSequence = [
        _contour(mask, k, line, _reference(images, k)) for k, plane in enumerate(mask.values) for line in _outlines(plane)
    ]
    return item


def _outlines(plane: np.ndarray) -> list[np.ndarray]:
    """Closed lines (n, 2) of (row, column) around all that is 0.5 or more, also at the image's edge."""
    lines = find_contours(np.pad(plane, 1), 0.5)
    return [line[:-1] - 1 for line in lines if len(line) > 3]


def _contour(mask: Volume, k: int, line: np.ndarray, reference: Dataset) -> Dataset:
    points = mask.to_mm(np.column_stack([np.full(len(line), float(k)), line]))
    item = Dataset()
    item.ContourImageSequence = [reference]
    item.ContourGeometricType = "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points)
    item.ContourData = [f"{value:.3f}" for value in points.ravel()]
    return item


def _reference(images: list[Dataset], k: int) -> Dataset:
    """The image that shows slice k."""
    item = Dataset()
    source = images[k] if len(images) > 1 else images[0]
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    if len(images) == 1:
        item.ReferencedFrameNumber = k + 1
    return item


def _referenced(images: list[Dataset]) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    references = [_reference(images, k) for k in range(len(images))]
    series.ContourImageSequence = references
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = images[0].StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = images[0].FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame
