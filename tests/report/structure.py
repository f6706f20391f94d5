"""What a Structured Report is made of, whatever its values are: a validator of templates sees nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

Codes = tuple[tuple[str, str], ...]
Item = tuple[object, ...]


def covering(paths: Iterable[Path]) -> list[Path]:
    """Reports that hold every item, code and unit that any of `paths` holds in its place: the fullest, then what adds to it."""
    made = {path: frozenset(items(dcmread(path))) for path in paths}
    seen: set[Item] = set()
    chosen = []
    for path in sorted(made, key=lambda path: (-len(made[path]), path.name)):
        if not made[path] <= seen:
            chosen.append(path)
            seen |= made[path]
    return chosen


def items(item: Dataset, parents: Item = ()) -> Iterator[Item]:
    """Each content item below (and with) this one by its way from the root: relationships, value types and codes."""
    here = (*parents, (item.get("RelationshipType"), item.ValueType, _codes(item.get("ConceptNameCodeSequence"))))
    yield here
    if "ConceptCodeSequence" in item:
        yield (*here, "value", _codes(item.ConceptCodeSequence))
    for value in item.get("MeasuredValueSequence") or ():
        yield (*here, "unit", _codes(value.MeasurementUnitsCodeSequence))
    for below in item.get("ContentSequence") or ():
        yield from items(below, here)


def _codes(sequence: Iterable[Dataset] | None) -> Codes:
    return tuple(
        (code.get("CodeValue") or code.get("LongCodeValue", ""), code.CodingSchemeDesignator) for code in sequence or ()
    )
