"""The object lies in the right study under identifiers of its own: patient, study, file meta, UIDs."""

from __future__ import annotations

from collections.abc import Iterator
from re import fullmatch

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from service.report.header import FROM_SOURCE
from service.report.rules.subject import Broken, Subject, join

SAME = "patient and study are those of the source"
META = "the file meta information agrees with the data set"
ROW = "what is kept about the object agrees with it"
VALID = "a UID is valid"
FRESH = "a new object and its series have UIDs that nothing else has"

_UID = r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+"
_LONGEST = 64
_NEW = ("SOPInstanceUID", "SeriesInstanceUID")


def broken(subject: Subject) -> Iterator[Broken]:
    """Everything by which an archive would file the object in a wrong place, or take it for another."""
    yield from _other_patient_or_study(subject)
    yield from _other_meta(subject)
    yield from _invalid(subject)
    yield from _used(subject)


def _other_patient_or_study(subject: Subject) -> Iterator[Broken]:
    """Values are compared, never shown."""
    if subject.dataset.get("StudyInstanceUID") != subject.study_instance_uid:
        yield Broken(SAME, "StudyInstanceUID", "another one")
    for keyword in FROM_SOURCE:
        if _plain(subject.dataset, keyword) != _plain(subject.source, keyword):
            yield Broken(SAME, keyword, "another value")


def _plain(dataset: Dataset, keyword: str) -> list[str]:
    """The values of an element as texts; of a sequence only how many items it has."""
    if keyword not in dataset or dataset[keyword].is_empty:
        return []
    element = dataset[keyword]
    if element.VR == "SQ":
        return ["item"] * len(element.value)
    return [str(value) for value in (element.value if element.VM > 1 else [element.value])]


def _other_meta(subject: Subject) -> Iterator[Broken]:
    meta, dataset, made = getattr(subject.dataset, "file_meta", Dataset()), subject.dataset, subject.made
    for keyword, expected in (
        ("MediaStorageSOPClassUID", dataset.get("SOPClassUID")),
        ("MediaStorageSOPInstanceUID", dataset.get("SOPInstanceUID")),
        ("TransferSyntaxUID", ExplicitVRLittleEndian),
    ):
        if meta.get(keyword) != expected or not expected:
            yield Broken(META, keyword, str(meta.get(keyword, "absent")))
    for keyword, kept in (("SOPClassUID", made.sop_class_uid), ("SOPInstanceUID", made.sop_instance_uid)):
        if dataset.get(keyword) != kept:
            yield Broken(ROW, keyword, str(dataset.get(keyword, "absent")))


def _invalid(subject: Subject) -> Iterator[Broken]:
    """UIDs that break the rules of PS3.5 9.1; one that the study itself came with is not ours to change."""
    for place, item in subject.parts:
        for element in item:
            for value in _values(element) if element.VR == "UI" else ():
                if not (len(value) <= _LONGEST and fullmatch(_UID, value)) and value not in subject.foreign_uids:
                    yield Broken(VALID, join(place, element.keyword), value)


def _values(element: object) -> list[str]:
    value = getattr(element, "value", None)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _used(subject: Subject) -> Iterator[Broken]:
    taken = set(subject.foreign_uids)
    taken |= {str(made.dataset.get(keyword)) for made in subject.earlier for keyword in _NEW}
    for keyword in _NEW:
        uid = str(subject.dataset.get(keyword, ""))
        if uid in taken:
            yield Broken(FRESH, keyword, uid)
        taken.add(uid)
