"""What a multi-frame object on the grid of the reference phase says about its frames: where they are and what they are from.

Source: DICOM PS3.3 C.7.6.16 (functional groups), C.7.6.17 (dimensions).
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import format_number_as_ds

from service import codes
from service.codes import Code
from service.report import uids
from service.report.content import coded, reference
from service.report.grid import Grid
from service.study.model import Plane

Pointer = tuple[Tag, Tag]

POSITION: Pointer = (Tag("PlanePositionSequence"), Tag("ImagePositionPatient"))


def add_frame_of_reference(made: Dataset, grid: Grid) -> None:
    """The frame of reference of the images; one of our own where they state none."""
    first = grid.planes[0].instance
    made.FrameOfReferenceUID = first.frame_of_reference_uid or uids.derive(first.series_instance_uid, "frame_of_reference")
    made.PositionReferenceIndicator = None


def add_dimensions(made: Dataset, first: tuple[Pointer, str]) -> None:
    """Frames are counted along `first` (its functional group and attribute, and its name), then by position."""
    organization = Dataset()
    organization.DimensionOrganizationUID = uids.derive(made.SOPInstanceUID, "dimensions")
    made.DimensionOrganizationSequence = [organization]
    made.DimensionIndexSequence = [
        _dimension(organization.DimensionOrganizationUID, *pointer, label) for pointer, label in (first, (POSITION, "Position"))
    ]


def shared(grid: Grid) -> Dataset:
    """What is true of every frame: the size and the orientation of its pixels."""
    measures, orientation, item = Dataset(), Dataset(), Dataset()
    plane = grid.planes[0]
    measures.PixelSpacing = decimals(plane.frame.spacing or ())
    measures.SliceThickness = format_number_as_ds(float(plane.instance.slice_thickness or grid.spacing))
    measures.SpacingBetweenSlices = format_number_as_ds(grid.spacing)
    orientation.ImageOrientationPatient = decimals(plane.frame.orientation or ())
    item.PixelMeasuresSequence = [measures]
    item.PlaneOrientationSequence = [orientation]
    return item


def frame(plane: Plane, dimensions: tuple[int, int], derivation: Code) -> Dataset:
    """What is true of one frame: its place, its numbers along the dimensions, and the image it was derived from."""
    content, position, item = Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = list(dimensions)
    position.ImagePositionPatient = decimals(plane.frame.position or ())
    item.FrameContentSequence = [content]
    item.PlanePositionSequence = [position]
    item.DerivationImageSequence = [_derivation(plane, derivation)]
    return item


def image_of(plane: Plane) -> Dataset:
    """A reference to the image of a plane, with its frame where the object has several."""
    item = reference(plane.instance.sop_class_uid, plane.instance.sop_instance_uid)
    if len(plane.instance.frames) > 1:
        item.ReferencedFrameNumber = plane.frame.number
    return item


def series(planes: tuple[Plane, ...]) -> Iterator[Dataset]:
    """The instances of the planes by series, as Common Instance Reference wants them (PS3.3 C.12.2)."""
    instances = {plane.instance.sop_instance_uid: plane.instance for plane in planes}
    for uid in dict.fromkeys(instance.series_instance_uid for instance in instances.values()):
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = [
            reference(instance.sop_class_uid, instance.sop_instance_uid)
            for instance in instances.values()
            if instance.series_instance_uid == uid
        ]
        yield item


def decimals(values: tuple[float, ...]) -> list[str]:
    """Numbers as decimal strings of at most 16 characters."""
    return [format_number_as_ds(float(value)) for value in values]


def _dimension(organization: str, group: int, pointer: int, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organization
    item.DimensionIndexPointer = pointer
    item.FunctionalGroupPointer = group
    item.DimensionDescriptionLabel = label
    return item


def _derivation(plane: Plane, code: Code) -> Dataset:
    source, derivation = image_of(plane), Dataset()
    source.SpatialLocationsPreserved = "YES"
    source.PurposeOfReferenceCodeSequence = [coded(codes.Code("121322", "DCM", "Source image for image processing operation"))]
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [coded(code)]
    return derivation
