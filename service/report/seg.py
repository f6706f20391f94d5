"""The segmentation: the contours that every number of the report was measured on.

BINARY, because archives and viewers of today know it. Source: DICOM PS3.3 A.51, C.8.20.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import SegmentationStorage

from service import codes
from service.report import multiframe
from service.report.content import coded
from service.report.draft import Draft
from service.report.grid import Grid
from service.report.header import Identity, begin, finish
from service.report.segments import LOOKS, Segment
from service.report.wording import RESEARCH_USE, clip, plain
from service.study.model import Plane

IDENTITY = Identity("seg", SegmentationStorage, "SEG", "Cryomargin contours, for research use", offset=1)

_SEGMENT_NUMBER = ((Tag("SegmentIdentificationSequence"), Tag("ReferencedSegmentNumber")), "Segment")
_SEGMENTATION = codes.Code("113076", "DCM", "Segmentation")


def make(draft: Draft) -> Dataset | None:
    """The segmentation of a result, None when it has no segment."""
    segments, grid = draft.segments.all, draft.segments.grid
    if not segments or grid is None:
        return None
    made = begin(draft.result, draft.sources, IDENTITY)
    _add_image(made, grid)
    multiframe.add_frame_of_reference(made, grid)
    made.SegmentSequence = [_segment(segment, draft) for segment in segments]
    multiframe.add_dimensions(made, _SEGMENT_NUMBER)
    _add_frames(made, segments, grid)
    made.ReferencedSeriesSequence = list(multiframe.series(grid.planes))
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


def _add_frames(made: Dataset, segments: Sequence[Segment], grid: Grid) -> None:
    """The frames that hold anything, segment by segment, bits packed without a gap between frames (PS3.5 8.1.1)."""
    filled = [(segment, int(k)) for segment in segments for k in np.flatnonzero(segment.mask.any(axis=(1, 2)))]
    frames = np.stack([segment.mask[k] for segment, k in filled])
    made.SharedFunctionalGroupsSequence = [multiframe.shared(grid)]
    made.PerFrameFunctionalGroupsSequence = [_frame(segment, k, grid.planes[k]) for segment, k in filled]
    made.NumberOfFrames = len(filled)
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    made.add(DataElement(Tag("PixelData"), "OB", packed + b"\0" * (len(packed) % 2)))


def _frame(segment: Segment, k: int, plane: Plane) -> Dataset:
    identification, frame = Dataset(), multiframe.frame(plane, (segment.number, k + 1), _SEGMENTATION)
    identification.ReferencedSegmentNumber = segment.number
    frame.SegmentIdentificationSequence = [identification]
    return frame
