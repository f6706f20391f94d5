"""Contours that people drew: SEG segments and RTSTRUCT ROIs in the study, recognised by code or label.

What a segment is of is decided by a table of codes and words, the first that fits; nothing is guessed from its shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask

from service.errors import Unusable
from service.regions.between_slices import every_second, filled, left_out
from service.regions.drawn_on import place_of, said_of_places
from service.regions.plausible import implausible
from service.regions.readers import one_reading
from service.regions.region import Drawing, DrawnMask, DrawnPolygons, Exam, Kind, Region, Regions
from service.volumes.volume import Array, Index, Matrix, Volume, box_of, within

Labels = Sequence[tuple[str, Kind]]
NOTHING_DRAWN = "regions.nothing_drawn"

# Codes first: they are exact. Words are compared without case, as parts of the label.
LABELS: tuple[tuple[str, Kind], ...] = (
    ("99CRYOMARGIN:ABLZONE", Kind.ABLATION_ZONE),
    ("ablation zone", Kind.ABLATION_ZONE),
    ("ablation", Kind.ABLATION_ZONE),
    ("cryo", Kind.ABLATION_ZONE),
    ("SCT:108369006", Kind.TUMOR),
    ("SCT:14799000", Kind.TUMOR),
    ("SCT:372087000", Kind.TUMOR),
    ("SCT:86049000", Kind.TUMOR),
    ("tumor", Kind.TUMOR),
    ("tumour", Kind.TUMOR),
    ("metastasis", Kind.TUMOR),
    ("hcc", Kind.TUMOR),
    ("vessel", Kind.VESSEL),
    ("vein", Kind.VESSEL),
    ("SCT:59820001", Kind.VESSEL),
    ("SCT:32764006", Kind.VESSEL),
    ("SCT:8993003", Kind.VESSEL),
    ("gallbladder", Kind.GALLBLADDER),
    ("gall bladder", Kind.GALLBLADDER),
    ("SCT:28231008", Kind.GALLBLADDER),
    ("SCT:10200004", Kind.LIVER),
    ("liver", Kind.LIVER),
)
FINER = 4  # cells of a pixel along each axis when a polygon is filled


def segment(exam: Exam, labels: Labels = LABELS) -> Regions:
    """The regions that the drawings of `exam` name, on the grid of its reference phase.

    Raises:
        Unusable: `regions.nothing_drawn`, or `regions.drawn_elsewhere` when a drawing does not lie in the reference volume.
    """
    found = [(drawing, kind) for drawing in exam.drawings if (kind := kind_of(drawing, labels)) is not None]
    if not found:
        raise Unusable(NOTHING_DRAWN, "The study holds no contour (SEG or RTSTRUCT) of tumor, zone or liver.")
    filled = [(drawing, kind) for drawing, kind in found if not _is_empty(drawing)]
    made = [_region(drawing, kind, exam) for drawing, kind in filled]
    reading = one_reading([region for region, _ in made])
    faults = {id(region): implausible(region, reading.regions) for region in reading.regions}
    regions = [region for region in reading.regions if not faults[id(region)]]
    of_kind = {kind: tuple(region for region in regions if region.kind is kind) for kind in Kind}
    doubted = {region.kind: fault for region in reading.regions if (fault := faults[id(region)])}
    empty = [f"The contour '{drawing.label}' is empty." for drawing, _ in found if _is_empty(drawing)]
    return Regions(
        liver=next(iter(of_kind[Kind.LIVER]), None),
        zones=of_kind[Kind.ABLATION_ZONE],
        tumors=of_kind[Kind.TUMOR],
        vessels=next(iter(of_kind[Kind.VESSEL]), None),
        gallbladder=next(iter(of_kind[Kind.GALLBLADDER]), None),
        reasons={kind: doubted.get(kind, _nobody(kind)) for kind in Kind if not of_kind[kind]},
        notes=(
            *empty,
            *(note for _, note in made if note),
            *reading.notes,
            *dict.fromkeys(doubted.values()),
            *said_of_places(regions, exam),
        ),
    )


def _nobody(kind: Kind) -> str:
    return f"Nobody drew the {kind.value.replace('_', ' ')}."


def kind_of(drawing: Drawing, labels: Labels) -> Kind | None:
    """What a drawing is of: by code, then by word; None when the table does not say, or when it is a result of ours."""
    if isinstance(drawing, DrawnMask) and drawing.by_us:
        return None
    text = drawing.label.lower()
    for key, kind in labels:
        if key in drawing.codes and kind is not Kind.LIVER:
            return kind
    for key, kind in labels:
        if ":" not in key and key.lower() in text:
            return kind
    # The liver's code comes last: a tumor's segment carries it too, as the place where the tumor is.
    return next((kind for key, kind in labels if key in drawing.codes), None)


def _region(drawing: Drawing, kind: Kind, exam: Exam) -> tuple[Region, str]:
    """The region on the grid of the images, and a sentence where slices had to be filled in."""
    whole, deviation, note, onto = drawing, 0.0, "", exam.phases[exam.reference]
    if kind is not Kind.VESSEL and isinstance(drawing, DrawnMask):  # a vessel may leave the slices and come back
        mask, deviation, note = _on_every_slice(drawing.label, drawing.mask)
        whole = replace(drawing, mask=mask)
    mask, binary = _mask(whole, onto)
    if kind is not Kind.VESSEL and isinstance(drawing, DrawnPolygons):
        mask, deviation, note = _on_every_slice(drawing.label, mask)
    if not (mask.values > 0.5).any():
        raise Unusable(
            "regions.drawn_elsewhere",
            f"The contour '{drawing.label}' does not lie in the volume that is measured: check its frame of reference.",
        )
    images, place = place_of(drawing, exam)
    region = Region(
        kind,
        mask,
        _method(drawing),
        binary=binary,
        label=drawing.label,
        edge_sd=deviation,
        source_uid=drawing.source_uid,
        tracking_uid=drawing.tracking_uid if isinstance(drawing, DrawnMask) else "",
        drawn_on=images,
        place_sd=place,
    )
    return region, note


def _is_empty(drawing: Drawing) -> bool:
    """Whether it is only a name: many programs write a segment for each structure of their list."""
    return isinstance(drawing, DrawnMask) and not (drawing.mask.values > 0.5).any()


def _on_every_slice(label: str, mask: Volume) -> tuple[Volume, float, str]:
    """The mask with every second slice filled in, what that adds to the deviation of its surface (mm), and a sentence.

    Raises:
        Unusable: More than one slice was left out in a row: it would be a stack of plates, not a body.
    """
    missing = left_out(mask)
    if not missing:
        return mask, 0.0, ""
    if not every_second(mask):
        raise Unusable(
            "regions.drawn_slices",
            f"The contour '{label}' leaves out {len(missing)} slice(s) between those that it is drawn on, more than one in a "
            "row; draw it on every slice.",
        )
    whole, deviation = filled(mask)
    return whole, deviation, f"The contour '{label}' was not drawn on {len(missing)} slice(s); they were filled in between."


def _mask(drawing: Drawing, onto: Volume) -> tuple[Volume, bool]:
    if drawing_frame(drawing) and onto.frame_of_reference_uid and drawing_frame(drawing) != onto.frame_of_reference_uid:
        raise Unusable(
            "regions.drawn_elsewhere",
            f"The contour '{drawing.label}' has another frame of reference than the images; draw it on the same exam.",
        )
    if isinstance(drawing, DrawnPolygons):
        return _fill(drawing, onto), False
    return _resample(drawing.mask, onto), not drawing.fractional


def drawing_frame(drawing: Drawing) -> str:
    """The frame of reference UID that a drawing names, "" when it names none."""
    return drawing.frame_of_reference_uid if isinstance(drawing, DrawnPolygons) else drawing.mask.frame_of_reference_uid


def _method(drawing: Drawing) -> str:
    kind = "SEG segment" if isinstance(drawing, DrawnMask) else "RTSTRUCT ROI"
    return f"drawn: {kind} {drawing.number} '{drawing.label}'"


def _resample(mask: Volume, onto: Volume) -> Volume:
    """The mask on another grid: copied where voxels coincide (a SEG may hold fewer slices), else interpolated."""
    values = np.zeros(onto.shape, dtype=np.float32)
    if (mask.values > 0).any() and (window := _window(mask, onto)) is not None:
        part = onto.crop(*window)
        step = np.linalg.inv(mask.affine) @ part.affine
        found = ndimage.affine_transform(mask.values, step[:3, :3], step[:3, 3], part.shape, order=1, mode="constant", cval=0.0)
        values[within(*window)] = np.clip(found, 0.0, 1.0)
    return onto.with_values(values)


def _window(mask: Volume, onto: Volume) -> tuple[Index, Index] | None:
    """The box of `onto` that a mask, which is not empty, can reach; None when that is nothing."""
    ends = np.add(box_of(mask.values > 0), [[-1], [0]])
    corners = np.stack(np.meshgrid(*ends.T.astype(np.float64), indexing="ij"), axis=-1).reshape(-1, 3)
    index = onto.to_index(mask.to_mm(corners))
    low = np.clip(np.floor(index.min(axis=0)), 0, onto.shape).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, onto.shape).astype(int)
    if not np.all(high > low):
        return None
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))


def _fill(drawing: DrawnPolygons, onto: Volume) -> Volume:
    """The polygons filled slice by slice with sub-pixel edges, holes by exclusive or, as PS3.3 C.8.8.6 lets them be."""
    values = np.zeros(onto.shape, dtype=np.float32)
    for polygon in drawing.polygons:
        index = onto.to_index(np.array(polygon, dtype=np.float64))
        number = round(float(index[:, 0].mean()))
        if 0 <= number < onto.shape[0] and np.abs(index[:, 0] - number).max() < 0.5:
            values[number] = np.abs(values[number] - _fill_plane(index[:, 1:], onto.shape[1:]))
    return onto.with_values(values)


def _fill_plane(corners: Matrix, shape: tuple[int, int]) -> Array:
    """The fraction (0-1) of each pixel inside a polygon with `corners` (n, 2) in (row, column) indices."""
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, np.array(shape) - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, low + 1, shape)
    size = high - low
    cells = polygon2mask(tuple(size * FINER), (corners - low + 0.5) * FINER - 0.5)
    plane = np.zeros(shape, dtype=np.float32)
    part = cells.reshape(size[0], FINER, size[1], FINER).mean(axis=(1, 3))
    plane[low[0] : high[0], low[1] : high[1]] = part
    return plane
