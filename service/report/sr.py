"""The Structured Report: Comprehensive 3D SR, template TID 1500, one group per tumor.

It is preliminary and unverified: a person verifies. Source: DICOM PS3.3 A.35.13; PS3.16 TID 1500.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from service import codes
from service.codes import DEVICE_UID, PRODUCT, SCHEME, Code
from service.report import content, uids
from service.report import vocabulary as words
from service.report.content import Relation
from service.report.draft import Draft
from service.report.groups import evaluations, group
from service.report.header import Identity, begin, finish
from service.report.result import PhaseUse
from service.report.wording import RESEARCH_USE, plain

IDENTITY = Identity("sr", Comprehensive3DSRStorage, "SR", "Cryomargin report, preliminary, for research use", offset=2)


def make(draft: Draft) -> Dataset:
    """The report of a result; it has a reason to say even where nothing could be measured."""
    made = begin(draft.result, draft.sources, IDENTITY)
    made.ReferencedPerformedProcedureStepSequence = []
    made.PerformedProcedureCodeSequence = []
    made.CompletionFlag = "COMPLETE"
    made.VerificationFlag = "UNVERIFIED"
    made.PreliminaryFlag = "PRELIMINARY"
    made.CodingSchemeIdentificationSequence = [_scheme()]
    made.CurrentRequestedProcedureEvidenceSequence = [_study(draft.result.study_instance_uid, _evidence(draft))]
    if draft.result.predecessors:
        made.PredecessorDocumentsSequence = [_study(draft.result.study_instance_uid, _predecessors(draft))]
    made.update(_document(draft))
    return finish(made, draft.result, draft.sources)


def _document(draft: Draft) -> Dataset:
    groups = [group(draft, index) for index in range(len(draft.result.tumors))]
    measured = [item for item in groups if item is not None]
    without = [index for index, item in enumerate(groups) if item is None]
    items = [
        content.code(words.LANGUAGE, words.ENGLISH, Relation.CONCEPT),
        *_observer(draft),
        content.code(words.PROCEDURE_REPORTED, _procedure(draft), Relation.CONCEPT),
        content.container(words.IMAGE_LIBRARY, _library(draft), Relation.CONTAINS),
    ]
    if measured:
        items.append(content.container(words.IMAGING_MEASUREMENTS, measured, Relation.CONTAINS))
    items.append(content.container(words.QUALITATIVE_EVALUATIONS, _evaluations(draft, without), Relation.CONTAINS))
    return content.container(words.MEASUREMENT_REPORT, items, template="1500")


def _observer(draft: Draft) -> Iterator[Dataset]:
    software = draft.result.software
    yield content.code(words.OBSERVER_TYPE, words.DEVICE, Relation.OBSERVATION)
    yield content.uid_reference(words.DEVICE_OBSERVER_UID, DEVICE_UID, Relation.OBSERVATION)
    yield content.text(words.DEVICE_OBSERVER_NAME, software.name, Relation.OBSERVATION)
    yield content.text(words.DEVICE_OBSERVER_MANUFACTURER, PRODUCT, Relation.OBSERVATION)
    yield content.text(words.DEVICE_OBSERVER_MODEL, f"{PRODUCT} {software.version}", Relation.OBSERVATION)


def _procedure(draft: Draft) -> Code:
    """What the study itself says was done, where it says so in a complete code."""
    for source in draft.sources:
        for item in source.get("ProcedureCodeSequence") or ():
            parts = [plain(str(item.get(name) or "")) for name in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")]
            if all(parts):
                return Code(*parts)
    return words.MRI


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


def _evaluations(draft: Draft, without: Iterable[int]) -> Iterator[Dataset]:
    result = draft.result
    if not result.tumors:
        yield content.code(words.ASSESSMENT, codes.UNDETERMINED, Relation.CONTAINS)
    yield content.text(words.VERDICT, result.verdict, Relation.CONTAINS)
    yield content.text(words.CONDITION, RESEARCH_USE, Relation.CONTAINS)
    for warning in result.warnings:
        yield content.text(words.WARNING, warning, Relation.CONTAINS)
    for index in without:
        yield from evaluations(draft, index)
    for name, region in (("Liver", result.liver), ("Vessels", result.vessels)):
        if region is not None:
            yield content.text(words.CONTOURS, f"{name}: {region.origin}", Relation.CONTAINS)
    for use in result.phases:
        yield content.text(words.PHASE, _described(use), Relation.CONTAINS)


def _described(use: PhaseUse) -> str:
    first = use.phase.first
    series = "without number" if first.series_number is None else str(first.series_number)
    state = "used" if use.used else "not used"
    why = "; ".join((*use.reasons, *([use.note] if use.note else [])))
    return f"{use.role} ({state}): series {series} '{first.series_description}', score {use.score:.2f}: {why}"


def _scheme() -> Dataset:
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = f"{PRODUCT} concepts"
    item.CodingSchemeResponsibleOrganization = PRODUCT
    return item


def _evidence(draft: Draft) -> Iterator[tuple[str, Dataset]]:
    """Everything the result rests on: images of the used phases, other objects of the study that were read, our own."""
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
        yield uids.of_series(made.sop_instance_uid), content.reference(made.sop_class_uid, made.sop_instance_uid)


def _predecessors(draft: Draft) -> Iterator[tuple[str, Dataset]]:
    """The reports that this one supersedes; they are ours, so that their UID tells their series."""
    for uid in draft.result.predecessors:
        yield uids.of_series(uid), content.reference(Comprehensive3DSRStorage, uid)


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
