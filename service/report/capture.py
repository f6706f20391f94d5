"""The summary page as a picture that every viewer shows.

One page is a Secondary Capture Image, the class that all viewers know; several are the frames of a Multi-frame True Color
Secondary Capture, as one frame per object would scatter a result over series. Uncompressed RGB: text stays sharp, and nobody
needs a decoder. Source: DICOM PS3.3 A.8.1, A.8.5, C.7.6.1, C.7.6.3, C.8.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from service import codes
from service.report.content import coded, reference
from service.report.draft import Draft
from service.report.header import Identity, begin, finish
from service.report.summary.page import identified, pages, pixels
from service.report.wording import RESEARCH_USE

IDENTITY = Identity("summary", SecondaryCaptureImageStorage, "OT", "Cryomargin summary, for research use", offset=4)
DERIVATION = "Page drawn from the measured ablation margin, with pictures resampled from the source images"

_PAGES = Tag("PageNumberVector")
_SOURCE = codes.Code("121322", "DCM", "Source image for image processing operation")


def make(draft: Draft) -> Dataset:
    """The summary of a result; it has a page to show even where nothing could be measured."""
    figures = list(pages(draft))
    frames = np.stack([pixels(figure) for figure in figures])
    made = begin(draft.result, draft.sources, _identity(len(frames)))
    made.BodyPartExamined = "LIVER"
    made.ConversionType = "WSD"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.PatientOrientation = None
    made.DerivationDescription = DERIVATION
    made.ImageComments = RESEARCH_USE
    made.BurnedInAnnotation = "YES" if identified(draft, figures) else "NO"
    made.SourceImageSequence = list(_sources(draft))
    _add_contours(made, draft)
    _add_pixels(made, frames)
    return finish(made, draft.result, draft.sources)


def sources_of(draft: Draft) -> Iterator[tuple[str, str]]:
    """SOP class and instance UID of every image that the result was measured on, in the order of the phases."""
    for use in (use for use in draft.result.phases if use.used):
        instances = {plane.instance.sop_instance_uid: plane.instance for plane in use.phase.planes}
        yield from ((instance.sop_class_uid, uid) for uid, instance in instances.items())


def _identity(count: int) -> Identity:
    return IDENTITY if count == 1 else replace(IDENTITY, sop_class_uid=MultiFrameTrueColorSecondaryCaptureImageStorage)


def _sources(draft: Draft) -> Iterator[Dataset]:
    for sop_class_uid, sop_instance_uid in sources_of(draft):
        item = reference(sop_class_uid, sop_instance_uid)
        item.PurposeOfReferenceCodeSequence = [coded(_SOURCE)]
        yield item


def _add_contours(made: Dataset, draft: Draft) -> None:
    """The segmentation that the contours on the page come from, where there is one."""
    drawn = [
        reference(one.sop_class_uid, one.sop_instance_uid) for one in draft.made if one.sop_class_uid == SegmentationStorage
    ]
    if drawn:
        made.ReferencedImageSequence = drawn


def _add_pixels(made: Dataset, frames: NDArray[np.uint8]) -> None:
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PlanarConfiguration = 3, "RGB", 0
    count, made.Rows, made.Columns, _ = frames.shape
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.LossyImageCompression = "00"
    if count > 1:
        made.NumberOfFrames = count
        made.FrameIncrementPointer = _PAGES
        made.PageNumberVector = list(range(1, count + 1))
    made.add(DataElement(Tag("PixelData"), "OB", frames.tobytes()))
