"""Everything that an object refers to is there: a source of the study, a predecessor, or an object made before it."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset

from service.report.rules.subject import Broken, Subject, join

EXISTS = "what is referred to is a source of the study, a predecessor, or an object made earlier"
CLASS = "a reference names the SOP class of what it refers to"
SERIES = "a reference names the study and series of what it refers to"
FRAME = "a referenced frame exists"
SEGMENT = "a referenced segment exists"
EVIDENCE = "what a document refers to stands in its evidence"
LISTED = "every source image stands in the list of referenced series"

_UID = "ReferencedSOPInstanceUID"
_LISTS = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")


def broken(subject: Subject) -> Iterator[Broken]:
    """References that lead nowhere or to something else."""
    for place, item in subject.parts:
        if _UID in item:
            yield from _reference(subject, place, item)
        if "SeriesInstanceUID" in item and place:
            yield from _series(subject, place, item)
        if "StudyInstanceUID" in item and place and item.StudyInstanceUID != subject.study_instance_uid:
            yield Broken(SERIES, join(place, "StudyInstanceUID"), str(item.StudyInstanceUID))
    yield from _unlisted(subject)


def _reference(subject: Subject, place: str, item: Dataset) -> Iterator[Broken]:
    uid = str(item[_UID].value)
    known = subject.known.get(uid)
    if known is None:
        yield Broken(EXISTS, join(place, _UID), uid)
        return
    if known.sop_class_uid not in (None, item.get("ReferencedSOPClassUID")):
        yield Broken(CLASS, join(place, "ReferencedSOPClassUID"), str(item.get("ReferencedSOPClassUID", "absent")))
    if known.frames is not None:
        for frame in _numbers(item, "ReferencedFrameNumber"):
            if not 1 <= frame <= known.frames:
                yield Broken(FRAME, join(place, "ReferencedFrameNumber"), f"{frame} of {known.frames}")
    for segment in _numbers(item, "ReferencedSegmentNumber"):
        if segment not in _segments(subject, uid):
            yield Broken(SEGMENT, join(place, "ReferencedSegmentNumber"), str(segment))


def _series(subject: Subject, place: str, item: Dataset) -> Iterator[Broken]:
    """The series of a hierarchical reference is the one that its instances lie in."""
    for keyword in ("ReferencedSOPSequence", "ReferencedInstanceSequence", "ReferencedImageSequence"):
        for reference in item.get(keyword) or ():
            known = subject.known.get(str(reference.get(_UID)))
            if known is not None and known.series_instance_uid not in (None, item.SeriesInstanceUID):
                yield Broken(SERIES, join(place, "SeriesInstanceUID"), str(item.SeriesInstanceUID))
                break


def _unlisted(subject: Subject) -> Iterator[Broken]:
    """References below content items or frames that the object's own list of references lacks (PS3.3 C.12.4, C.17.2.3)."""
    dataset = subject.dataset
    lists, below, rule = (
        (_LISTS, ("ContentSequence",), EVIDENCE)
        if "ContentSequence" in dataset
        else (("ReferencedSeriesSequence",), ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"), LISTED)
    )
    listed = {str(item[_UID].value) for place, item in subject.parts if _UID in item and place.startswith(lists)}
    for place, item in subject.parts:
        if _UID in item and place.startswith(below) and str(item[_UID].value) not in listed:
            yield Broken(rule, join(place, _UID), str(item[_UID].value))


def _segments(subject: Subject, uid: str) -> set[int]:
    """The segment numbers of an object made earlier; of another's segmentation nothing is known here."""
    made = next((one for one in subject.earlier if one.sop_instance_uid == uid), None)
    return set() if made is None else {int(item.SegmentNumber) for item in made.dataset.get("SegmentSequence") or ()}


def _numbers(item: Dataset, keyword: str) -> list[int]:
    value = item.get(keyword)
    if value is None:
        return []
    return [int(value)] if isinstance(value, int | str) else [int(one) for one in value]
