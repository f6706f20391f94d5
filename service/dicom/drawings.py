"""What people drew, as masks and polygons; see `segments` for segmentations.

Source: DICOM PS3.3 C.8.8.5 (Structure Set), C.8.8.6 (ROI Contour), C.8.8.8 (RT ROI Observations).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import numpy as np
from pydicom.dataset import Dataset

from service.dicom.attributes import BROKEN, integer, items, text, values
from service.dicom.pixels import read_dataset
from service.dicom.read import OpenPath, Unreadable
from service.dicom.segments import code_text, read_segments
from service.dicom.source_images import sources_of_contours
from service.errors import Unusable
from service.regions.region import Drawing, DrawnPolygons
from service.study.assemble import RT_STRUCTURE_SET
from service.study.model import Instance, Vector

_CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})


def read_drawings(
    instances: Iterable[Instance], open_path: OpenPath, refused: Callable[[Unreadable], object] = lambda _: None
) -> tuple[Drawing, ...]:
    """All segments and structures of these SEG and RTSTRUCT instances, in their order.

    Args:
        instances: `Study.drawings`.
        open_path: Gives the file of `Instance.content`.
        refused: Called for each instance that cannot be used; the others are read all the same.
    """
    drawings: list[Drawing] = []
    for instance in instances:
        try:
            drawings.extend(read_drawing(instance, open_path))
        except Unusable as fault:
            refused(Unreadable(instance.content, fault.sentence))
    return tuple(drawings)


def read_drawing(instance: Instance, open_path: OpenPath) -> tuple[Drawing, ...]:
    """The segments or structures of one instance.

    Raises:
        Unusable: It is broken, or does not lie on one grid.
    """
    dataset = read_dataset(open_path(instance.content), pixels=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_structures(dataset) if instance.sop_class_uid == RT_STRUCTURE_SET else read_segments(dataset)
    except BROKEN as fault:
        raise Unusable("drawing.unreadable", f"The drawing cannot be understood ({type(fault).__name__}).") from fault


def read_structures(dataset: Dataset) -> tuple[DrawnPolygons, ...]:
    """One record for each ROI with closed contours; points and open lines enclose nothing and are left out.

    Raises:
        Unusable: A contour is no list of points.
    """
    contours = {integer(roi, "ReferencedROINumber"): roi for roi in items(dataset, "ROIContourSequence")}
    codes = {integer(seen, "ReferencedROINumber"): _codes(seen) for seen in items(dataset, "RTROIObservationsSequence")}
    found = (
        DrawnPolygons(
            source_uid=text(dataset, "SOPInstanceUID"),
            number=integer(roi, "ROINumber") or 0,
            label=text(roi, "ROIName"),
            codes=codes.get(integer(roi, "ROINumber"), ()),
            polygons=_polygons(contours.get(integer(roi, "ROINumber"), Dataset())),
            frame_of_reference_uid=text(roi, "ReferencedFrameOfReferenceUID") or text(dataset, "FrameOfReferenceUID"),
            images=sources_of_contours(dataset, contours.get(integer(roi, "ROINumber"), Dataset())),
        )
        for roi in items(dataset, "StructureSetROISequence")
    )
    return tuple(roi for roi in found if roi.polygons)


def _codes(observation: Dataset) -> tuple[str, ...]:
    """What the ROI is, as "scheme:value"; the interpreted type (GTV, ORGAN...) under the scheme DCM-RT."""
    coded = [code_text(entry) for entry in items(observation, "RTROIIdentificationCodeSequence")]
    kind = text(observation, "RTROIInterpretedType").upper()
    return tuple(code for code in (*coded, f"DCM-RT:{kind}" if kind else "") if code)


def _polygons(roi: Dataset) -> tuple[tuple[Vector, ...], ...]:
    closed = [contour for contour in items(roi, "ContourSequence") if text(contour, "ContourGeometricType").upper() in _CLOSED]
    return tuple(_points(contour) for contour in closed)


def _points(contour: Dataset) -> tuple[Vector, ...]:
    numbers = np.array([float(value) for value in values(contour, "ContourData")])
    if len(numbers) < 9 or len(numbers) % 3 or not np.isfinite(numbers).all():
        raise Unusable("drawing.contour", "A contour of the structure set is no list of at least three points; draw it again.")
    return tuple((float(x), float(y), float(z)) for x, y, z in numbers.reshape(-1, 3))
