"""What a rule looks at, how it says what is wrong, and how it walks through an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from service.report.draft import Made
from service.report.header import FROM_SOURCE


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that an object breaks: the rule as a sentence, the place in the object, and what stands there.

    None of them holds a text of the study: it could name the patient.
    """

    rule: str
    place: str
    found: str


@dataclass(frozen=True, slots=True)
class Known:
    """An instance that may be referred to. Class, series and frames are None where nothing here tells them."""

    sop_class_uid: str | None = None
    series_instance_uid: str | None = None
    frames: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """An object with what it is judged by.

    `source` is the header that patient and study were taken from, `known` what may be referred to by SOP Instance UID,
    `earlier` the objects made before this one, `foreign_uids` every UID of the study, `foreign_codes` its own codes (scheme,
    value), `parts` the object and its items with their places.
    """

    made: Made
    study_instance_uid: str
    source: Dataset
    known: Mapping[str, Known]
    earlier: tuple[Made, ...]
    foreign_uids: frozenset[str]
    foreign_codes: frozenset[tuple[str, str]]
    parts: tuple[tuple[str, Dataset], ...]

    @property
    def dataset(self) -> Dataset:
        """The object."""
        return self.made.dataset


def parts_of(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """The object and every item that we wrote, with its place; what the study says of itself is not ours to judge."""
    yield "", dataset
    for element in dataset:
        if element.VR == "SQ" and element.keyword not in FROM_SOURCE:
            yield from _items(element.keyword, "", element.value)


def _items(keyword: str, above: str, items: list[Dataset]) -> Iterator[tuple[str, Dataset]]:
    for number, item in enumerate(items, start=1):
        place = join(above, f"{keyword}[{number}]")
        yield place, item
        for element in item:
            if element.VR == "SQ":
                yield from _items(element.keyword, place, element.value)


def join(above: str, name: str) -> str:
    """A place below another; items are counted from 1, as DICOM does.

    >>> join("", "ContentSequence[3]"), join("ContentSequence[3]", "TextValue")
    ('ContentSequence[3]', 'ContentSequence[3].TextValue')
    """
    return f"{above}.{name}" if above else name


def sequence_of(place: str) -> str:
    """The keyword of the sequence that an item stands in.

    >>> sequence_of("ContentSequence[3].MeasuredValueSequence[1]")
    'MeasuredValueSequence'
    """
    return place.rpartition(".")[2].partition("[")[0]
