"""Findings become DICOM objects: every output is filled from the one result, without clock or chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from service.codes import DEVICE_UID, PRODUCT
from service.options import AnalysisOptions
from service.report import capture, gsps, kos, not_assessable, parametric_map, pdf, seg, sr, sr_places
from service.report.check import require
from service.report.draft import Draft, Made
from service.report.result import Result
from service.report.segments import Segments, plan

__all__ = ["OUTPUTS", "Made", "compose", "compose_refusal", "to_bytes"]

# In sending order: what is referred to goes before what refers to it.
OUTPUTS: tuple[tuple[str, Callable[[Draft], Dataset | None]], ...] = (
    (seg.IDENTITY.role, seg.make),
    (sr.IDENTITY.role, sr.make),
    (sr_places.IDENTITY.role, sr_places.make),
    (capture.IDENTITY.role, capture.make),
    (pdf.IDENTITY.role, pdf.make),
    (kos.IDENTITY.role, kos.make),
    (gsps.IDENTITY.role, gsps.make),
    (parametric_map.IDENTITY.role, parametric_map.make),
)


def compose(result: Result, sources: Sequence[Dataset], options: AnalysisOptions | None = None) -> tuple[Made, ...]:
    """The output objects of a result, in sending order; the same result and sources give the same bytes.

    `sources` are the headers (without pixels) of the images and drawings that were read; patient and study are taken from
    the one of the reference phase, the rest are named as evidence. `options` say which objects are wanted.

    Raises:
        Unusable: the reference phase has no geometry to lay the contours on.
        Faulty: an object breaks a rule of our own.
        ValueError: there is no source.
    """
    options = options or AnalysisOptions()
    draft = Draft(result, sources, plan(result), patient_on_page=options.patient_on_page)
    for role, make in OUTPUTS:
        dataset = make(draft) if role in options.outputs else None
        if dataset is not None:
            dataset.file_meta = _file_meta(dataset)
            made = Made(role, dataset.SOPClassUID, dataset.SOPInstanceUID, dataset)
            draft = replace(draft, made=(*draft.made, made))
    return require(draft)


def compose_refusal(result: Result, sources: Sequence[Dataset], reason: str) -> tuple[Made, ...]:
    """The report that says why a study cannot be measured: `result` has the phases that were looked at, and no finding.

    Raises:
        Faulty: it breaks a rule of our own.
        ValueError: there is no source.
    """
    draft = Draft(result, sources, Segments(None, ()))
    dataset = not_assessable.make(draft, reason)
    dataset.file_meta = _file_meta(dataset)
    made = Made(not_assessable.IDENTITY.role, dataset.SOPClassUID, dataset.SOPInstanceUID, dataset)
    return require(replace(draft, made=(made,)))


def to_bytes(made: Made) -> bytes:
    """The object as a DICOM file (PS3.10), Explicit VR Little Endian."""
    buffer = BytesIO()
    dcmwrite(buffer, made.dataset, enforce_file_format=True)
    return buffer.getvalue()


def _file_meta(dataset: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = DEVICE_UID
    meta.ImplementationVersionName = PRODUCT.upper()
    return meta
