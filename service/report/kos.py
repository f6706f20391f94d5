"""The key images: the slices of the narrowest place and of the vessel that crosses the margin, for one click in the archive.

"Of Interest" and not "For Referring Provider": whom they are shown to is decided by the person who verifies them. Source: DICOM
PS3.3 A.35.4, C.17.6.2; PS3.16 TID 2010, CID 7010.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from service.codes import DEVICE_UID, PRODUCT, Code
from service.features.finding import Finding
from service.report import content, multiframe
from service.report import vocabulary as words
from service.report.content import Relation
from service.report.draft import Draft
from service.report.grid import Grid, stack
from service.report.header import Identity, begin, finish
from service.report.record import answer
from service.report.wording import RESEARCH_USE
from service.study.model import Plane

IDENTITY = Identity("kos", KeyObjectSelectionDocumentStorage, "KO", "Cryomargin key images, for research use", offset=7)

_OF_INTEREST = Code("113000", "DCM", "Of Interest")
_DESCRIPTION = Code("113012", "DCM", "Key Object Description")


def make(draft: Draft) -> Dataset | None:
    """The key images of a result; None when nothing that was found has a place."""
    placed = [(tumor.tracking_id, finding) for tumor in draft.result.tumors for finding in tumor.findings if _where(finding)]
    if not placed:
        return None
    grid = stack(draft.result.reference.phase)
    planes = {k: grid.planes[k] for _, finding in placed for k in _planes(finding, grid)}
    chosen = [planes[k] for k in sorted(planes)]
    sentences = [f"{name}, {finding.title.lower()}: {answer(finding)}." for name, finding in placed]
    made = begin(draft.result, draft.sources, IDENTITY)
    made.ReferencedPerformedProcedureStepSequence = []
    made.CurrentRequestedProcedureEvidenceSequence = [_evidence(draft, chosen)]
    made.update(content.container(_OF_INTEREST, _items(chosen, " ".join([*sentences, RESEARCH_USE])), template="2010"))
    return finish(made, draft.result, draft.sources)


def _where(finding: Finding) -> tuple[tuple[float, float, float], ...]:
    """Everything in space that a finding names, LPS mm."""
    return finding.path if finding.place is None else (finding.place, *finding.path)


def _planes(finding: Finding, grid: Grid) -> set[int]:
    return {grid.nearest(np.array(point)) for point in _where(finding)}


def _items(planes: list[Plane], description: str) -> Iterator[Dataset]:
    yield content.code(words.LANGUAGE, words.ENGLISH, Relation.CONCEPT)
    yield content.code(words.OBSERVER_TYPE, words.DEVICE, Relation.OBSERVATION)
    yield content.uid_reference(words.DEVICE_OBSERVER_UID, DEVICE_UID, Relation.OBSERVATION)
    yield content.text(words.DEVICE_OBSERVER_NAME, PRODUCT, Relation.OBSERVATION)
    yield content.text(_DESCRIPTION, description, Relation.CONTAINS)
    for plane in planes:
        item = content.image(words.SOURCE, plane.instance.sop_class_uid, plane.instance.sop_instance_uid, Relation.CONTAINS)
        item.ReferencedSOPSequence = [multiframe.image_of(plane)]
        yield item


def _evidence(draft: Draft, planes: list[Plane]) -> Dataset:
    """The images by series (PS3.3 table 10-4); all lie in the study of the result."""
    study = Dataset()
    study.StudyInstanceUID = draft.result.study_instance_uid
    study.ReferencedSeriesSequence = [_series(item) for item in multiframe.series(tuple(planes))]
    return study


def _series(referenced: Dataset) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = referenced.SeriesInstanceUID
    item.ReferencedSOPSequence = referenced.ReferencedInstanceSequence
    return item
