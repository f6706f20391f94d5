"""What every Structured Report of ours shares: preliminary and unverified, from TID 1500, with its evidence.

A person verifies. Source: DICOM PS3.3 C.17.2 (SR Document General), PS3.16 TID 1500, 1001 (observer), 1600 (image library).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import SegmentationStorage

from service.codes import DEVICE_UID, PRODUCT, SCHEME, VALUE_LENGTH, Code
from service.report import content, uids
from service.report import vocabulary as words
from service.report.content import Relation
from service.report.draft import Draft
from service.report.header import Identity, begin, finish
from service.report.result import PhaseUse
from service.report.wording import plain


def document(draft: Draft, identity: Identity, measured: Iterable[Dataset], evaluated: Iterable[Dataset]) -> Dataset:
    """A report of the result: its measurement groups, and what is said beside them; either may be empty."""
    made = begin(draft.result, draft.sources, identity)
    made.ReferencedPerformedProcedureStepSequence = []
    made.PerformedProcedureCodeSequence = [content.coded(code) for code in _performed(draft)]
    made.CompletionFlag = "COMPLETE"
    made.VerificationFlag = "UNVERIFIED"
    made.PreliminaryFlag = "PRELIMINARY"
    made.CodingSchemeIdentificationSequence = [_scheme()]
    made.CurrentRequestedProcedureEvidenceSequence = [_study(draft.result.study_instance_uid, _evidence(draft))]
    predecessors = list(_predecessors(draft, identity))
    if predecessors:
        made.PredecessorDocumentsSequence = [_study(draft.result.study_instance_uid, predecessors)]
    made.update(_content(draft, list(measured), list(evaluated)))
    return finish(made, draft.result, draft.sources)


def _content(draft: Draft, measured: list[Dataset], evaluated: list[Dataset]) -> Dataset:
    items = [
        content.code(words.LANGUAGE, words.ENGLISH, Relation.CONCEPT),
        *_observer(draft),
        content.code(words.PROCEDURE_REPORTED, _procedure(draft), Relation.CONCEPT),
        content.container(words.IMAGE_LIBRARY, _library(draft), Relation.CONTAINS),
    ]
    if measured:
        items.append(content.container(words.IMAGING_MEASUREMENTS, measured, Relation.CONTAINS))
    if evaluated:
        items.append(content.container(words.QUALITATIVE_EVALUATIONS, evaluated, Relation.CONTAINS))
    return content.container(words.MEASUREMENT_REPORT, items, template="1500")


def _observer(draft: Draft) -> Iterator[Dataset]:
    software = draft.result.software
    yield content.code(words.OBSERVER_TYPE, words.DEVICE, Relation.OBSERVATION)
    yield content.uid_reference(words.DEVICE_OBSERVER_UID, DEVICE_UID, Relation.OBSERVATION)
    yield content.text(words.DEVICE_OBSERVER_NAME, software.name, Relation.OBSERVATION)
    yield content.text(words.DEVICE_OBSERVER_MANUFACTURER, PRODUCT, Relation.OBSERVATION)
    yield content.text(words.DEVICE_OBSERVER_MODEL, f"{PRODUCT} {software.version}", Relation.OBSERVATION)


def _procedure(draft: Draft) -> Code:
    """What the study itself says was done, where the template knows the code: validators refuse others (PS3.16 CID 100)."""
    known = {(code.value, code.scheme_designator) for code in codes.cid100.concepts.values()}
    return next((code for code in _performed(draft) if (code.value, code.scheme) in known), words.MRI)


def _performed(draft: Draft) -> tuple[Code, ...]:
    """What the study itself says was done, as far as it says so in complete codes: each once, as the sources have them."""
    items = (item for source in draft.sources for item in source.get("ProcedureCodeSequence") or ())
    names = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    parts = ([plain(str(item.get(name) or "")) for name in names] for item in items)
    whole = (Code(*one) for one in parts if all(one) and max(map(len, one[:2])) <= VALUE_LENGTH)
    return tuple({(code.value, code.scheme): code for code in whole}.values())


def _library(draft: Draft) -> Iterator[Dataset]:
    """One group for each phase used, with its middle image; all images stand in the evidence."""
    for use in draft.result.phases:
        if use.used:
            first = use.phase.planes[len(use.phase.planes) // 2].instance
            entry = content.image(words.SOURCE, first.sop_class_uid, first.sop_instance_uid, Relation.CONTAINS)
            yield content.container(words.IMAGE_LIBRARY_GROUP, [*_acquisition(use), entry], Relation.CONTAINS)


def _acquisition(use: PhaseUse) -> Iterator[Dataset]:
    yield content.code(words.MODALITY, words.MAGNETIC_RESONANCE, Relation.ACQUISITION)
    if use.phase.first.frame_of_reference_uid:
        yield content.uid_reference(words.FRAME_OF_REFERENCE, use.phase.first.frame_of_reference_uid, Relation.ACQUISITION)


def _scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = f"{PRODUCT} concepts"
    item.CodingSchemeResponsibleOrganization = PRODUCT
    return item


def _evidence(draft: Draft) -> Iterator[tuple[str, Dataset]]:
    """Everything the result rests on: images of the used phases, other objects of the study that were read, our contours."""
    phases = draft.result.phases
    unused = {plane.instance.sop_instance_uid for use in phases if not use.used for plane in use.phase.planes}
    for use in phases:
        for plane in use.phase.planes if use.used else ():
            instance = plane.instance
            yield instance.series_instance_uid, content.reference(instance.sop_class_uid, instance.sop_instance_uid)
    for source in draft.sources:
        series, *names = (source.get(name) for name in ("SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID"))
        if series and all(names) and names[-1] not in unused:
            yield series, content.reference(*names)
    for made in draft.made:
        if made.sop_class_uid == SegmentationStorage:
            yield uids.of_series(made.sop_instance_uid), content.reference(made.sop_class_uid, made.sop_instance_uid)


def _predecessors(draft: Draft, identity: Identity) -> Iterator[tuple[str, Dataset]]:
    """The reports of the same role that this one supersedes; they are ours, so that their UID tells their series."""
    for uid in uids.of_role(draft.result.predecessors, identity.role):
        yield uids.of_series(uid), content.reference(identity.sop_class_uid, uid)


def _study(study_instance_uid: str, references: Iterable[tuple[str, Dataset]]) -> Dataset:
    """References to instances, each once, by series (PS3.3 table 10-4, Hierarchical SOP Instance Reference)."""
    by_series: dict[str, dict[str, Dataset]] = {}
    for series_instance_uid, reference in references:
        by_series.setdefault(series_instance_uid, {}).setdefault(reference.ReferencedSOPInstanceUID, reference)
    study = Dataset()
    study.StudyInstanceUID = study_instance_uid
    study.ReferencedSeriesSequence = [_series(uid, items) for uid, items in by_series.items()]
    return study


def _series(series_instance_uid: str, references: dict[str, Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = series_instance_uid
    item.ReferencedSOPSequence = list(references.values())
    return item
