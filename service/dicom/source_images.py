"""The images that a drawing says it was drawn on.

A reader may draw the tumor on one series and the zone on another and write both into one object, so what a frame or contour
says of itself goes before what the object says of all. Source: DICOM PS3.3 C.7.6.16.2.6 (Derivation Image), C.12.4
(Common Instance Reference), C.8.8.5 (RT Referenced Series), C.8.8.6 (Contour Image).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from service.dicom.attributes import items, number, text, values
from service.dicom.frames import Groups
from service.regions.region import Images


def sources_of_frames(dataset: Dataset, groups: Iterable[Groups]) -> Images:
    """The images behind the frames (their functional `groups`) of one segment of a SEG; empty when it names none."""
    derived = [part for group in groups for part in items(group.own, "DerivationImageSequence")]
    own = _images(image for part in derived for image in items(part, "SourceImageSequence"))
    return own or _of_series(items(dataset, "ReferencedSeriesSequence"), "ReferencedInstanceSequence")


def sources_of_contours(dataset: Dataset, roi: Dataset) -> Images:
    """The images behind the contours of one ROI of an RTSTRUCT; empty when it names none."""
    own = _images(image for contour in items(roi, "ContourSequence") for image in items(contour, "ContourImageSequence"))
    frames = items(dataset, "ReferencedFrameOfReferenceSequence")
    studies = [study for frame in frames for study in items(frame, "RTReferencedStudySequence")]
    series = [one for study in studies for one in items(study, "RTReferencedSeriesSequence")]
    return own or _of_series(series, "ContourImageSequence")


def _of_series(series: Iterable[Dataset], keyword: str) -> Images:
    """The instances of each series, or all of it where none are named."""
    found: set[tuple[str, int]] = set()
    for one in series:
        found |= _images(items(one, keyword)) or {(text(one, "SeriesInstanceUID"), 0)}
    return frozenset(found)


def _images(references: Iterable[Dataset]) -> Images:
    return frozenset(pair for reference in references for pair in _pairs(reference))


def _pairs(reference: Dataset) -> Iterator[tuple[str, int]]:
    """One for each frame that is named, 0 where none is."""
    uid = text(reference, "ReferencedSOPInstanceUID")
    frames = values(reference, "ReferencedFrameNumber") if number(reference, "ReferencedFrameNumber") else ()
    yield from ((uid, int(frame)) for frame in frames) if frames else ((uid, 0),)
