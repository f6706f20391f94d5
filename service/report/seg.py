"""The segmentation: the contours that every number of the report was measured on.

BINARY, because archives and viewers of today know it. Source: DICOM PS3.3 A.51, C.8.20.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import SegmentationStorage
from pydicom.valuerep import format_number_as_ds

from service import codes
from service.report import uids
from service.report.content import coded, reference
from service.report.draft import Draft
from service.report.grid import Grid
from service.report.header import Identity, begin, finish
from service.report.segments import LOOKS, Segment
from service.report.wording import RESEARCH_USE, clip, plain
from service.study.model import Plane

IDENTITY = Identity("seg", SegmentationStorage, "SEG", "Cryomargin contours, for research use", offset=1)

_SEGMENT_NUMBER = (Tag("SegmentIdentificationSequence"), Tag("ReferencedSegmentNumber"))
_POSITION = (Tag("PlanePositionSequence"), Tag("ImagePositionPatient"))


def make(draft: Draft) -> Dataset | None:
    """The segmentation of a result, None when it has no segment."""
    segments, grid = draft.segments.all, draft.segments.grid
    if not segments or grid is None:
        return None
    made = begin(draft.result, draft.sources, IDENTITY)
    _add_image(made, grid)
    _add_frame_of_reference(made, grid)
    made.SegmentSequence = [_segment(segment, draft) for segment in segments]
    _add_dimensions(made)
    _add_frames(made, segments, grid)
    made.ReferencedSeriesSequence = list(_series(grid))
    return finish(made, draft.result, draft.sources)


def _add_image(made: Dataset, grid: Grid) -> None:
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.ContentLabel = "ABLATION_MARGIN"
    made.ContentDescription = "Contours that the ablation margin was measured on"
    made.ImageComments = RESEARCH_USE
    made.ContentCreatorName = None
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    _, made.Rows, made.Columns = grid.shape
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 1, 1, 0, 0
    made.LossyImageCompression = "00"
    made.BurnedInAnnotation = "NO"
    made.SegmentationType = "BINARY"
    made.SegmentsOverlap = "YES"


def _add_frame_of_reference(made: Dataset, grid: Grid) -> None:
    first = grid.planes[0].instance
    made.FrameOfReferenceUID = first.frame_of_reference_uid or uids.derive(first.series_instance_uid, "frame_of_reference")
    made.PositionReferenceIndicator = None


def _segment(segment: Segment, draft: Draft) -> Dataset:
    look, software = LOOKS[segment.part], draft.result.software
    item = Dataset()
    item.SegmentNumber = segment.number
    item.SegmentLabel = segment.label
    item.SegmentDescription = plain(segment.method)[:1024]
    item.SegmentAlgorithmType = "SEMIAUTOMATIC" if segment.method.startswith("drawn") else "AUTOMATIC"
    item.SegmentAlgorithmName = clip(f"{software.name} {software.version}: {segment.method}", 64)
    item.SegmentedPropertyCategoryCodeSequence = [coded(look.category)]
    item.SegmentedPropertyTypeCodeSequence = [coded(look.kind)]
    item.AnatomicRegionSequence = [coded(codes.LIVER)]
    item.TrackingID = segment.tracking_id
    item.TrackingUID = segment.tracking_uid
    item.RecommendedDisplayCIELabValue = list(look.color)
    return item


def _add_dimensions(made: Dataset) -> None:
    organization = Dataset()
    organization.DimensionOrganizationUID = uids.derive(made.SOPInstanceUID, "dimensions")
    made.DimensionOrganizationSequence = [organization]
    made.DimensionIndexSequence = [
        _dimension(organization.DimensionOrganizationUID, *pointer, label)
        for pointer, label in ((_SEGMENT_NUMBER, "Segment"), (_POSITION, "Position"))
    ]


def _dimension(organization: str, group: int, pointer: int, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = group
    item.DimensionDescriptionLabel = label
    return item


def _add_frames(made: Dataset, segments: Sequence[Segment], grid: Grid) -> None:
    """The frames that hold anything, segment by segment, bits packed without a gap between frames (PS3.5 8.1.1)."""
    filled = [(segment, int(k)) for segment in segments for k in np.flatnonzero(segment.mask.any(axis=(1, 2)))]
    frames = np.stack([segment.mask[k] for segment, k in filled])
    made.SharedFunctionalGroupsSequence = [_shared(grid)]
    made.PerFrameFunctionalGroupsSequence = [_frame(segment, k, grid.planes[k]) for segment, k in filled]
    made.NumberOfFrames = len(filled)
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    made.add(DataElement(Tag("PixelData"), "OB", packed + b"\0" * (len(packed) % 2)))


def _shared(grid: Grid) -> Dataset:
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    plane = grid.planes[0]
    measures.PixelSpacing = _decimals(plane.frame.spacing or ())
    measures.SliceThickness = format_number_as_ds(float(plane.instance.slice_thickness or grid.spacing))
    measures.SpacingBetweenSlices = format_number_as_ds(grid.spacing)
    orientation.ImageOrientationPatient = _decimals(plane.frame.orientation or ())
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    return shared


def _frame(segment: Segment, k: int, plane: Plane) -> Dataset:
    content, position, identification, frame = Dataset(), Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [segment.number, k + 1]
    position.ImagePositionPatient = _decimals(plane.frame.position or ())
    identification.ReferencedSegmentNumber = segment.number
    frame.FrameContentSequence = [content]
    frame.PlanePositionSequence = [position]
    frame.SegmentIdentificationSequence = [identification]
    frame.DerivationImageSequence = [_derivation(plane)]
    return frame


def _derivation(plane: Plane) -> Dataset:
    source, derivation = reference(plane.instance.sop_class_uid, plane.instance.sop_instance_uid), Dataset()
    if len(plane.instance.frames) > 1:
        source.ReferencedFrameNumber = plane.frame.number
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = [coded(codes.Code("121322", "DCM", "Source image for image processing operation"))]
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [coded(codes.Code("113076", "DCM", "Segmentation"))]
    return derivation


def _series(grid: Grid) -> Iterator[Dataset]:
    instances = {plane.instance.sop_instance_uid: plane.instance for plane in grid.planes}
    for uid in dict.fromkeys(instance.series_instance_uid for instance in instances.values()):
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = [
            reference(instance.sop_class_uid, instance.sop_instance_uid)
            for instance in instances.values()
            if instance.series_instance_uid == uid
        ]
        yield item


def _decimals(values: tuple[float, ...]) -> list[str]:
    return [format_number_as_ds(float(value)) for value in values]
