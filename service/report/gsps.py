"""The narrowest place drawn on the source slices: a line with its number, and the contours of tumor and zone.

A presentation state lies over the images themselves and is switched off with one key. Source: DICOM PS3.3 A.33.1, C.10.4,
C.10.5, C.10.7, C.11.10.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage
from skimage.measure import find_contours

from service.codes import MM
from service.regions.region import Region
from service.report import multiframe
from service.report.draft import Draft
from service.report.grayscale import Grayscale, grayscale
from service.report.grid import Grid, stack
from service.report.header import Identity, begin, finish
from service.report.places import NARROWEST, Drawn, Place, draw, places
from service.report.result import TumorResult
from service.report.segments import LOOKS, Part
from service.report.wording import shown
from service.study.model import Plane
from service.volumes.surface import sample
from service.volumes.volume import Matrix

IDENTITY = Identity(
    "gsps",
    GrayscaleSoftcopyPresentationStateStorage,
    "PR",
    "Cryomargin narrowest place, for research use",
    offset=8,
)
LEAVING = 0.44  # of its length that a line runs through the slices, from which less than 0.9 of it lies in its own
BESIDE = 12.0  # pixels from the line to its number

_WHITE = (65535, 32896, 32896)  # CIELab
_LAYERS = (("MARGIN", "The narrowest place", _WHITE), ("CONTOURS", "Tumor and ablation zone", LOOKS[Part.ZONE].color))


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """The narrowest place of one tumor on its slice, plane `k` of the grid."""

    tumor: TumorResult
    place: Place
    drawn: Drawn
    k: int


def make(draft: Draft) -> Dataset | None:
    """The presentation state of a result; None when no tumor has a narrowest place."""
    if not any(tumor.surface for tumor in draft.result.tumors):
        return None
    grid = stack(draft.result.reference.phase)
    shows = list(_narrowest(draft, grid))
    if not shows:
        return None
    made = begin(draft.result, draft.sources, IDENTITY)
    planes = sorted({one.k for one in shows})
    _add_identification(made)
    _add_references(made, grid, planes)
    _add_display(made, grid)
    _add_layers(made)
    made.GraphicAnnotationSequence = [item for one in shows for item in _annotations(one, grid)]
    _add_grayscale(made, grid, grayscale(draft, grid, planes))
    return finish(made, draft.result, draft.sources)


def _narrowest(draft: Draft, grid: Grid) -> Iterator[_Shown]:
    for tumor in draft.result.tumors:
        for place in places(tumor):
            if place.name == NARROWEST:
                yield _Shown(tumor, place, draw(place, grid), grid.nearest(np.array(place.anchor)))


def _add_identification(made: Dataset) -> None:
    made.ContentLabel = "ABLATION_MARGIN"
    made.ContentDescription = "Narrowest place of the ablation margin, for research use"
    made.ContentCreatorName = None
    made.PresentationCreationDate, made.PresentationCreationTime = made.ContentDate, made.ContentTime
    del made.ContentDate, made.ContentTime  # not of this object
    made.BodyPartExamined = "LIVER"


def _add_references(made: Dataset, grid: Grid, planes: Sequence[int]) -> None:
    made.ReferencedSeriesSequence = []
    for item in multiframe.series(tuple(grid.planes[k] for k in planes)):
        series = Dataset()
        series.SeriesInstanceUID = item.SeriesInstanceUID
        series.ReferencedImageSequence = item.ReferencedInstanceSequence
        made.ReferencedSeriesSequence.append(series)


def _add_display(made: Dataset, grid: Grid) -> None:
    """The whole image, as large as fits."""
    _, rows, columns = grid.shape
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [columns, rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelSpacing = multiframe.decimals(grid.planes[0].frame.spacing or ())
    made.DisplayedAreaSelectionSequence = [area]


def _add_layers(made: Dataset) -> None:
    made.GraphicLayerSequence = []
    for order, (name, description, color) in enumerate(_LAYERS, start=1):
        layer = Dataset()
        layer.GraphicLayer, layer.GraphicLayerOrder, layer.GraphicLayerDescription = name, order, description
        layer.GraphicLayerRecommendedDisplayGrayscaleValue = 65535
        layer.GraphicLayerRecommendedDisplayCIELabValue = list(color)
        made.GraphicLayerSequence.append(layer)


def _add_grayscale(made: Dataset, grid: Grid, gray: Grayscale) -> None:
    made.PresentationLUTShape = "IDENTITY"
    if gray.rescale is not None:
        made.RescaleIntercept, made.RescaleSlope = multiframe.decimals(gray.rescale)
        made.RescaleType = "US"
    if gray.windows:
        made.SoftcopyVOILUTSequence = [_window(grid.planes[k], window) for k, window in gray.windows]


def _window(plane: Plane, window: tuple[float, float]) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [multiframe.image_of(plane)]
    item.WindowCenter, item.WindowWidth = multiframe.decimals(window)
    return item


def _annotations(shows: _Shown, grid: Grid) -> Iterator[Dataset]:
    """What is drawn on the slice of a place: the line and its number, then the contours with their names."""
    line = np.array(shows.drawn.points)
    at = np.minimum(line.mean(axis=0) + np.array([BESIDE, 0.0]), (grid.shape[2], grid.shape[1]))
    yield _annotation("MARGIN", shows.drawn.plane, [_polyline(line)], [_text(_said(shows), at)])
    drawn = [(name, contour) for name, region in _regions(shows.tumor) for contour in _contours(region, grid, shows.k)]
    if drawn:
        tops = {name: contour[np.argmin(contour[:, 1])] for name, contour in drawn}
        texts = [_text(name, top - np.array([0.0, 2.0])) for name, top in tops.items()]
        yield _annotation("CONTOURS", shows.drawn.plane, [_polyline(contour) for _, contour in drawn], texts)


def _said(shows: _Shown) -> str:
    """The number of the line, and whether the line is longer than it looks."""
    across, length = shows.drawn.across, shows.drawn.length
    leaves = ", leaves the slice" if across > LEAVING * length else ""
    return f"{shows.tumor.tracking_id}: margin {shown(shows.place.value, MM)}{leaves}"


def _regions(tumor: TumorResult) -> Iterator[tuple[str, Region]]:
    for name, region in ((tumor.tracking_id, tumor.tumor), ("Ablation zone", tumor.zone)):
        if region is not None:
            yield name, region


def _annotation(layer: str, plane: Plane, graphics: list[Dataset], texts: list[Dataset]) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [multiframe.image_of(plane)]
    item.GraphicLayer = layer
    item.GraphicObjectSequence, item.TextObjectSequence = graphics, texts
    return item


def _contours(region: Region, grid: Grid, k: int) -> Iterator[Matrix]:
    """The lines (n, 2; column, row) at which a region is half full in plane `k`."""
    _, rows, columns = grid.shape
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    points = grid.to_mm(np.stack([np.full_like(row, k), row, column], axis=-1).astype(np.float64))
    level = sample(region.mask, points.reshape(-1, 3)).reshape(rows, columns)
    for contour in find_contours(level, 0.5):
        yield contour[:, ::-1] + 0.5


def _polyline(points: Matrix) -> Dataset:
    item = Dataset()
    item.GraphicAnnotationUnits, item.GraphicDimensions = "PIXEL", 2
    item.NumberOfGraphicPoints = len(points)
    item.GraphicData = [float(value) for value in points.ravel()]
    item.GraphicType = "POLYLINE"
    if len(points) > 2 and np.allclose(points[0], points[-1]):
        item.GraphicFilled = "N"
    return item


def _text(text: str, at: Matrix) -> Dataset:
    item = Dataset()
    item.AnchorPointAnnotationUnits, item.AnchorPointVisibility = "PIXEL", "N"
    item.AnchorPoint = [float(at[0]), float(at[1])]
    item.UnformattedTextValue = text
    return item
