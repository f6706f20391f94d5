"""The distance to untreated liver in every voxel around a tumor, in mm: the margin where it crosses the tumor's surface.

Voxels of which nothing is said hold no number (NaN), which no mean can take for a distance. Source: DICOM PS3.3 A.75, C.7.6.24,
C.7.6.16.2.11 (real world value mapping).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ParametricMapStorage
from pydicom.valuerep import format_number_as_ds
from scipy import ndimage

from service import codes
from service.errors import Unusable
from service.regions.margin_surface import NEAR_TUMOR, distance_to_untreated
from service.regions.region import Region
from service.report import multiframe
from service.report.content import coded
from service.report.draft import Draft
from service.report.grid import Grid, Mask, lay, stack
from service.report.header import Identity, begin, finish
from service.report.result import TumorResult
from service.report.wording import RESEARCH_USE, clip
from service.volumes.volume import Index, box_of, within

IDENTITY = Identity(
    "parametric_map", ParametricMapStorage, "MR", "Cryomargin distance to untreated liver (mm), for research use", offset=6
)
WINDOW = (5.0, 20.0)  # mm, center and width: from 5 mm inside untreated liver to 15 mm away from it

_STACK = ((Tag("FrameContentSequence"), Tag("StackID")), "Tumor")
_DISTANCE = codes.ours("TOUNTREATED", "Distance to untreated liver")
_DERIVED = codes.Code("121206", "DCM", "Distance")
_QUANTITY = codes.Code("246205007", "SCT", "Quantity")
_IMAGE_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]


@dataclass(frozen=True, slots=True, eq=False)
class _Map:
    """The map of one tumor: `values` (planes, rows, columns) in mm, for the planes from `first` on."""

    tumor: TumorResult
    first: int
    values: NDArray[np.float32]

    @property
    def planes(self) -> list[int]:
        """The planes of the grid that have a value."""
        return [self.first + int(k) for k in np.flatnonzero(np.isfinite(self.values).any(axis=(1, 2)))]


def make(draft: Draft) -> Dataset | None:
    """The map of a result; None when no tumor has a margin that was measured."""
    measured = [tumor for tumor in draft.result.tumors if tumor.surface is not None]
    if not measured:
        return None
    grid = stack(draft.result.reference.phase)
    maps = list(_maps(draft, measured, grid))
    if not maps:
        return None
    made = begin(draft.result, draft.sources, IDENTITY)
    _add_image(made, grid)
    multiframe.add_frame_of_reference(made, grid)
    multiframe.add_dimensions(made, _STACK)
    _add_frames(made, maps, grid)
    made.ReferencedSeriesSequence = list(multiframe.series(grid.planes))
    return finish(made, draft.result, draft.sources)


def _maps(draft: Draft, measured: Sequence[TumorResult], grid: Grid) -> Iterator[_Map]:
    for tumor in measured:
        if tumor.tumor is None or tumor.zone is None:
            continue
        try:
            yield _map(tumor, (tumor.tumor, tumor.zone, draft.result.liver), grid)
        except Unusable:  # the regions are too small for the grid of the images, where the margin was measured all the same
            continue


def _map(tumor: TumorResult, regions: tuple[Region, Region, Region | None], grid: Grid) -> _Map:
    low, high, around = _surroundings(regions, grid)
    index = np.argwhere(around) + low
    values = np.full((high[0] - low[0], *grid.shape[1:]), np.nan, dtype=np.float32)
    box = (slice(None), *within(low, high)[1:])
    values[box][around] = distance_to_untreated(grid.to_mm(index.astype(np.float64)), *regions)
    return _Map(tumor, low[0], values)


def _surroundings(regions: tuple[Region, Region, Region | None], grid: Grid) -> tuple[Index, Index, Mask]:
    """The voxels that have a value, in a box (low, high) of the grid: tumor and zone, and the liver near the tumor."""
    tumor, zone, liver = (None if region is None else lay(region.mask, grid) for region in regions)
    if tumor is None or zone is None or not tumor.any():
        raise Unusable("report.no_voxel", "The tumor fills no voxel of the images.")
    sides = np.linalg.norm(grid.affine[:3, :3], axis=0)
    k, j, i = (int(np.ceil(NEAR_TUMOR / side)) for side in sides)
    low, high = box_of(tumor | zone, (k, j, i))
    tumor, zone = tumor[within(low, high)], zone[within(low, high)]
    near = ndimage.distance_transform_edt(~tumor, sampling=sides) <= NEAR_TUMOR
    if liver is not None:
        near &= liver[within(low, high)]
    return low, high, np.asarray(tumor | zone | near)


def _add_image(made: Dataset, grid: Grid) -> None:
    made.ImageType = _IMAGE_TYPE
    made.ContentLabel = "ABLATION_MARGIN"
    made.ContentDescription = "Signed distance to untreated liver, mm"
    made.ImageComments = f"{RESEARCH_USE} Negative inside untreated liver; no number (NaN) away from the ablation."
    made.ContentCreatorName = None
    made.ContentQualification = "RESEARCH"
    made.RecognizableVisualFeatures = "NO"
    made.BodyPartExamined = "LIVER"
    made.BurnedInAnnotation, made.LossyImageCompression = "NO", "00"
    made.PresentationLUTShape = "IDENTITY"
    made.AcquisitionContextSequence = []
    made.SamplesPerPixel, made.PhotometricInterpretation, made.BitsAllocated = 1, "MONOCHROME2", 32
    _, made.Rows, made.Columns = grid.shape


def _add_frames(made: Dataset, maps: Sequence[_Map], grid: Grid) -> None:
    numbered = [(number, one, k) for number, one in enumerate(maps, start=1) for k in one.planes]
    frames = np.stack([one.values[k - one.first] for _, one, k in numbered])
    made.NumberOfFrames = len(numbered)
    made.SharedFunctionalGroupsSequence = [_shared(grid, frames)]
    made.PerFrameFunctionalGroupsSequence = [_frame(number, one.tumor, k, grid) for number, one, k in numbered]
    made.FloatPixelData = frames.astype("<f4").tobytes()


def _shared(grid: Grid, frames: NDArray[np.float32]) -> Dataset:
    item, anatomy, transformation, window, kind = multiframe.shared(grid), Dataset(), Dataset(), Dataset(), Dataset()
    anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [coded(codes.LIVER)], "U"
    transformation.RescaleIntercept, transformation.RescaleSlope, transformation.RescaleType = "0", "1", "US"
    window.WindowCenter, window.WindowWidth = (format_number_as_ds(value) for value in WINDOW)
    kind.FrameType = _IMAGE_TYPE
    item.FrameAnatomySequence = [anatomy]
    item.PixelValueTransformationSequence = [transformation]
    item.FrameVOILUTSequence = [window]
    item.ParametricMapFrameTypeSequence = [kind]
    item.RealWorldValueMappingSequence = [_mapping(frames)]
    return item


def _mapping(frames: NDArray[np.float32]) -> Dataset:
    """A stored value is the distance in mm itself."""
    item, quantity = Dataset(), Dataset()
    item.LUTLabel, item.LUTExplanation = "TOUNTREATED", "Signed distance to untreated liver"
    item.DoubleFloatRealWorldValueFirstValueMapped = float(np.floor(np.nanmin(frames)))
    item.DoubleFloatRealWorldValueLastValueMapped = float(np.ceil(np.nanmax(frames)))
    item.RealWorldValueIntercept, item.RealWorldValueSlope = 0.0, 1.0
    item.MeasurementUnitsCodeSequence = [coded(codes.MM)]
    quantity.ValueType = "CODE"
    quantity.ConceptNameCodeSequence, quantity.ConceptCodeSequence = [coded(_QUANTITY)], [coded(_DISTANCE)]
    item.QuantityDefinitionSequence = [quantity]
    return item


def _frame(number: int, tumor: TumorResult, k: int, grid: Grid) -> Dataset:
    item = multiframe.frame(grid.planes[k], (number, k + 1), _DERIVED)
    content = item.FrameContentSequence[0]
    content.StackID, content.InStackPositionNumber = str(number), k + 1
    content.FrameLabel = clip(tumor.tracking_id, 64)
    return item
