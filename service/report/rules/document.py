"""The content tree of a report: root template, what its templates require, and what each kind of item must hold.

Source: DICOM PS3.3 C.17.3, C.18; PS3.16 TID 1500, 1411, 1501, 2010.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    KeyObjectSelectionDocumentStorage,
)

from service.report.rules.subject import Broken, Subject, join

ROOT = "the root of a document is a container of its template"
ITEM = "a content item has a kind, a relationship and a name"
VALUE = "a content item has the value of its kind"
UNIT = "every number has one value and its unit"
TEMPLATE = "a template holds the rows that it requires"
ALIKE = "the groups of one list are of one template"
SELECTED = "coordinates are selected from an image"

ROOTS: Mapping[str, str] = {
    Comprehensive3DSRStorage: "1500",
    ComprehensiveSRStorage: "1500",
    KeyObjectSelectionDocumentStorage: "2010",
}
# Concepts (DCM) that must stand directly below: language and procedure of the report; tracking identifier and UID of a group.
ROWS: Mapping[str, tuple[str, ...]] = {"1500": ("121049", "121058"), "1411": ("112039", "112040"), "1501": ("112039", "112040")}
# By value type, the attributes that hold the value; an item of another kind is unknown.
VALUES: Mapping[str, tuple[str, ...]] = {
    "CONTAINER": ("ContinuityOfContent",),
    "TEXT": ("TextValue",),
    "NUM": ("MeasuredValueSequence",),
    "CODE": ("ConceptCodeSequence",),
    "UIDREF": ("UID",),
    "IMAGE": ("ReferencedSOPSequence",),
    "COMPOSITE": ("ReferencedSOPSequence",),
    "SCOORD": ("GraphicType", "GraphicData"),
    "SCOORD3D": ("GraphicType", "GraphicData", "ReferencedFrameOfReferenceUID"),
    "DATE": ("Date",),
    "TIME": ("Time",),
    "DATETIME": ("DateTime",),
    "PNAME": ("PersonName",),
}
NAMELESS = frozenset({"IMAGE", "COMPOSITE", "SCOORD", "SCOORD3D", "CONTAINER"})  # PS3.3 C.17.3.2: the name is Type 1C
GROUPS = frozenset({"1411", "1501"})


def broken(subject: Subject) -> Iterator[Broken]:
    """Faults of the content tree; an object that is no document has none."""
    root = subject.dataset
    template = ROOTS.get(str(root.get("SOPClassUID")))
    if template is None:
        return
    if root.get("ValueType") != "CONTAINER" or template_of(root) != template or not root.get("ConceptNameCodeSequence"):
        yield Broken(ROOT, "ContentTemplateSequence[1].TemplateIdentifier", template_of(root) or "absent")
    yield from _container("", root)
    for place, item in content(root):
        yield from _item(place, item)
        yield from _container(place, item)


def content(item: Dataset, above: str = "") -> Iterator[tuple[str, Dataset]]:
    """Every content item below, with its place."""
    for number, child in enumerate(item.get("ContentSequence") or (), start=1):
        place = join(above, f"ContentSequence[{number}]")
        yield place, child
        yield from content(child, place)


def template_of(item: Dataset) -> str:
    """The template that a container is the root of, "" when it says none of the standard's."""
    for one in item.get("ContentTemplateSequence") or ():
        if one.get("MappingResource") == "DCMR":
            return str(one.get("TemplateIdentifier", ""))
    return ""


def _item(place: str, item: Dataset) -> Iterator[Broken]:
    kind = str(item.get("ValueType", ""))
    required = ["RelationshipType", *([] if kind in NAMELESS else ["ConceptNameCodeSequence"])]
    if kind not in VALUES:
        yield Broken(ITEM, join(place, "ValueType"), kind or "absent")
    for keyword in required:
        if not item.get(keyword):
            yield Broken(ITEM, join(place, keyword), f"absent in a {kind}")
    for keyword in VALUES.get(kind, ()):
        if keyword not in item or (item[keyword].is_empty and kind != "NUM"):
            yield Broken(VALUE, join(place, keyword), f"absent in a {kind}")
    if kind == "NUM":
        yield from _number(place, item)
    if kind == "SCOORD" and not _selected(item):
        yield Broken(SELECTED, place, "no image")


def _number(place: str, item: Dataset) -> Iterator[Broken]:
    """A number without a value is allowed by the standard and refused by validators in use: it is a coded answer instead."""
    measured = list(item.get("MeasuredValueSequence") or ())
    if len(measured) != 1 or not measured[0].get("MeasurementUnitsCodeSequence") or measured[0].get("NumericValue") is None:
        yield Broken(UNIT, join(place, "MeasuredValueSequence"), f"{len(measured)} values")


def _selected(item: Dataset) -> bool:
    below = item.get("ContentSequence") or ()
    return any(one.get("ValueType") == "IMAGE" and one.get("RelationshipType") == "SELECTED FROM" for one in below)


def _container(place: str, item: Dataset) -> Iterator[Broken]:
    """What a container's own template requires of the items below it."""
    below = item.get("ContentSequence") or ()
    names = {str(_name(one).get("CodeValue", "")) for one in below}
    for wanted in ROWS.get(template_of(item), ()):
        if wanted not in names:
            yield Broken(TEMPLATE, join(place, "ContentSequence"), f"TID {template_of(item)} without ({wanted}, DCM)")
    templates = {template_of(one) for one in below} & GROUPS
    if len(templates) > 1:
        yield Broken(ALIKE, join(place, "ContentSequence"), f"TID {' and TID '.join(sorted(templates))}")


def _name(item: Dataset) -> Dataset:
    names = item.get("ConceptNameCodeSequence")
    return names[0] if names else Dataset()
