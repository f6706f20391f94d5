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
from service.features.finding import Finding
from service.features.margin import NAME
from service.regions.region import Region
from service.report import multiframe
from service.report.draft import Draft
from service.report.grayscale import Grayscale, grayscale
from service.report.grid import Grid, stack
from service.report.header import Identity, begin, finish
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
FLAT = 0.9  # of its length; a line of which less lies in the slice leaves it
BESIDE = 12.0  # pixels from the line to its number

_WHITE = (65535, 32896, 32896)  # CIELab
_LAYERS = (("MARGIN", "The narrowest place", _WHITE), ("CONTOURS", "Tumor and ablation zone", LOOKS[Part.ZONE].color))


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """The narrowest place of one tumor: `start` on the tumor, `end` on untreated liver (LPS mm), `k` the plane nearest."""

    tumor: TumorResult
    margin: float
    start: Matrix
    end: Matrix
    k: int


def make(draft: Draft) -> Dataset | None:
    """The presentation state of a result; None when no tumor has a narrowest place."""
    grid = stack(draft.result.reference.phase) if any(tumor.surface for tumor in draft.result.tumors) else None
    places = [] if grid is None else list(_places(draft, grid))
    if grid is None or not places:
        return None
    made = begin(draft.result, draft.sources, IDENTITY)
    shown_planes = sorted({place.k for place in places})
    _add_identification(made)
    _add_references(made, grid, shown_planes)
    _add_display(made, grid)
    _add_layers(made)
    made.GraphicAnnotationSequence = [item for place in places for item in _annotations(place, grid)]
    _add_grayscale(made, grid, grayscale(draft, grid, shown_planes))
    return finish(made, draft.result, draft.sources)


def _places(draft: Draft, grid: Grid) -> Iterator[_Place]:
    for tumor in draft.result.tumors:
        finding = next((one for one in tumor.findings if _narrowest(one)), None)
        if tumor.surface is None or finding is None or finding.value is None or finding.place is None:
            continue
        index = int(np.argmin(np.linalg.norm(tumor.surface.points - np.array(finding.place), axis=1)))
        start, end = tumor.surface.points[index], tumor.surface.nearest[index]
        yield _Place(tumor, finding.value, start, end, grid.nearest(start))


def _narrowest(finding: Finding) -> bool:
    return finding.name == NAME and finding.place is not None


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


def _annotations(place: _Place, grid: Grid) -> Iterator[Dataset]:
    """What is drawn on the slice of a place: the line and its number, then the contours with their names."""
    line, number = _line(place, grid), _text(*_said(place, grid))
    yield _annotation("MARGIN", place, grid, [line], [number])
    drawn = [(name, contour) for name, region in _regions(place) for contour in _contours(region, grid, place.k)]
    if drawn:
        names = {name: contour[np.argmin(contour[:, 1])] for name, contour in drawn}
        texts = [_text(name, top - (0.0, 2.0)) for name, top in names.items()]
        yield _annotation("CONTOURS", place, grid, [_polyline(contour) for _, contour in drawn], texts)


def _regions(place: _Place) -> Iterator[tuple[str, Region]]:
    for name, region in ((place.tumor.tracking_id, place.tumor.tumor), ("Ablation zone", place.tumor.zone)):
        if region is not None:
            yield name, region


def _annotation(layer: str, place: _Place, grid: Grid, graphics: list[Dataset], texts: list[Dataset]) -> Dataset:
    item = Dataset()
    item.ReferencedImageSequence = [multiframe.image_of(grid.planes[place.k])]
    item.GraphicLayer = layer
    item.GraphicObjectSequence, item.TextObjectSequence = graphics, texts
    return item


def _line(place: _Place, grid: Grid) -> Dataset:
    return _polyline(_pixels(np.stack([place.start, place.end]), grid))


def _said(place: _Place, grid: Grid) -> tuple[str, Matrix]:
    """The number of a line and where it stands, beside the middle of the line but within the image."""
    start, end = _pixels(np.stack([place.start, place.end]), grid)
    along = grid.to_index(place.end) - grid.to_index(place.start)
    along *= np.linalg.norm(grid.affine[:3, :3], axis=0)
    leaves = np.linalg.norm(along[1:]) < FLAT * np.linalg.norm(along)
    text = f"{place.tumor.tracking_id}: margin {shown(place.margin, MM)}" + (", leaves the slice" if leaves else "")
    return text, np.minimum((start + end) / 2.0 + (BESIDE, 0.0), (grid.shape[2], grid.shape[1]))


def _contours(region: Region, grid: Grid, k: int) -> Iterator[Matrix]:
    """The lines (n, 2; column, row) at which a region is half full in plane `k`."""
    _, rows, columns = grid.shape
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    points = grid.to_mm(np.stack([np.full_like(row, k), row, column], axis=-1).astype(np.float64))
    level = sample(region.mask, points.reshape(-1, 3)).reshape(rows, columns)
    for contour in find_contours(level, 0.5):
        yield contour[:, ::-1] + 0.5


def _pixels(points: Matrix, grid: Grid) -> Matrix:
    """LPS positions (n, 3) as (column, row); the corner of the first pixel is (0, 0) (PS3.3 C.10.5.1.2)."""
    return np.asarray(grid.to_index(points)[:, :0:-1] + 0.5)


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
