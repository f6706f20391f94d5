"""Content items of a Structured Report, as small as the standard allows.

Written here because a template must be met exactly, to the relationship of each item; every item is the data set that
stands in a Content Sequence. Source: DICOM PS3.3 C.17.3 (SR Document Content), C.18 (value types).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from service.codes import Code
from service.report.wording import plain


class Relation(StrEnum):
    """How an item belongs to the one above it (PS3.3 C.17.3.2.4)."""

    CONTAINS = "CONTAINS"
    CONCEPT = "HAS CONCEPT MOD"
    OBSERVATION = "HAS OBS CONTEXT"
    ACQUISITION = "HAS ACQ CONTEXT"
    PROPERTIES = "HAS PROPERTIES"
    INFERRED = "INFERRED FROM"
    SELECTED = "SELECTED FROM"


def coded(code: Code) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.meaning[:64]
    return item


def container(name: Code, items: Iterable[Dataset], relation: Relation | None = None, template: str = "") -> Dataset:
    """A heading with items below it; `template` is the DCMR template it is the root of."""
    item = _item("CONTAINER", name, relation)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        identification = Dataset()
        identification.MappingResource = "DCMR"
        identification.TemplateIdentifier = template
        item.ContentTemplateSequence = [identification]
    return with_items(item, items)


def text(name: Code, value: str, relation: Relation) -> Dataset:
    """A text of any length."""
    item = _item("TEXT", name, relation)
    item.TextValue = plain(value) or "(empty)"
    return item


def code(name: Code, value: Code, relation: Relation) -> Dataset:
    """A coded answer to a coded question."""
    item = _item("CODE", name, relation)
    item.ConceptCodeSequence = [coded(value)]
    return item


def uid_reference(name: Code, value: str, relation: Relation) -> Dataset:
    """A UID that names something (a series, a tracked lesion, a device)."""
    item = _item("UIDREF", name, relation)
    item.UID = value
    return item


def number(name: Code, value: float, unit: Code, relation: Relation) -> Dataset:
    """A measured number; where 16 characters cannot hold it, the exact value stands beside the decimal string."""
    item = _item("NUM", name, relation)
    measured = Dataset()
    measured.MeasurementUnitsCodeSequence = [coded(unit)]
    measured.NumericValue = format_number_as_ds(float(value))
    if float(measured.NumericValue) != value:
        measured.FloatingPointValue = float(value)
    item.MeasuredValueSequence = [measured]
    return item


def image(name: Code, sop_class_uid: str, sop_instance_uid: str, relation: Relation, segment: int | None = None) -> Dataset:
    """A reference to an image, or to one segment of a segmentation."""
    item = _item("IMAGE", name, relation)
    item.ReferencedSOPSequence = [reference(sop_class_uid, sop_instance_uid)]
    if segment is not None:
        item.ReferencedSOPSequence[0].ReferencedSegmentNumber = segment
    return item


def polyline(name: Code, points: Iterable[tuple[float, float]], on: Dataset, relation: Relation) -> Dataset:
    """An open line of (column, row) points on an image; 0.0, 0.0 is the corner of its first pixel (PS3.3 C.18.6)."""
    item = _item("SCOORD", name, relation)
    item.GraphicType = "POLYLINE"
    item.GraphicData = [float(value) for point in points for value in point]
    return with_items(item, [on])


def reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """An item that names one SOP instance."""
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item


def with_items(item: Dataset, items: Iterable[Dataset]) -> Dataset:
    """The item with others below it, after those it already has."""
    below = [*item.get("ContentSequence", ()), *items]
    if below:
        item.ContentSequence = below
    return item


def _item(value_type: str, name: Code, relation: Relation | None) -> Dataset:
    item = Dataset()
    if relation is not None:
        item.RelationshipType = str(relation)
    item.ValueType = value_type
    item.ConceptNameCodeSequence = [coded(name)]
    return item
