"""One measurement group per tumor: TID 1411, the findings in report order.

Source: DICOM PS3.16 TID 1411 (volumetric ROI), 1419 (its measurements), 4019 (algorithm).
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from service import codes
from service.codes import Code
from service.features.finding import Finding, Status
from service.report import content
from service.report import vocabulary as words
from service.report.content import Relation
from service.report.draft import Draft
from service.report.record import answer, bounds
from service.report.result import TumorResult
from service.report.segments import LOOKS
from service.report.wording import shown_interval


def group(draft: Draft, index: int) -> Dataset | None:
    """The group of a tumor; None where no segment shows where it is, as the template needs one."""
    segment = draft.segments.of(index)
    segmentation = next((made for made in draft.made if made.sop_class_uid == SegmentationStorage), None)
    if segment is None or segmentation is None:
        return None
    tumor = draft.result.tumors[index]
    items = [
        *_identity(tumor),
        content.code(words.FINDING, LOOKS[segment.part].kind, Relation.CONTAINS),
        content.code(words.FINDING_SITE, codes.LIVER, Relation.CONCEPT),
        content.image(
            words.REFERENCED_SEGMENT,
            segmentation.sop_class_uid,
            segmentation.sop_instance_uid,
            Relation.CONTAINS,
            segment.number,
        ),
        content.uid_reference(words.SOURCE_SERIES, draft.result.reference.phase.series_instance_uid, Relation.CONTAINS),
        *_contours(tumor),
        *(item for finding in tumor.findings for item in _finding(draft, finding)),
    ]
    return content.container(words.MEASUREMENT_GROUP, items, Relation.CONTAINS, template="1411")


def evaluations(draft: Draft, index: int) -> Iterator[Dataset]:
    """The findings of a tumor that has no group: every answer is given, coded where a code holds it, else as text."""
    tumor = draft.result.tumors[index]
    yield from _contours(tumor)
    for finding in tumor.findings:
        title = f"{tumor.tracking_id}, {finding.title}"
        value = finding.category or no_answer(finding)
        if finding.value is None and value is not None:
            item = content.code(finding.code, value, Relation.CONTAINS)
        else:
            item = content.text(finding.code, f"{title}: {answer(finding)}", Relation.CONTAINS)
        yield content.with_items(item, _about(draft, finding, title))


def _identity(tumor: TumorResult) -> Iterator[Dataset]:
    yield content.text(words.TRACKING_IDENTIFIER, tumor.tracking_id, Relation.OBSERVATION)
    yield content.uid_reference(words.TRACKING_UID, tumor.tracking_uid, Relation.OBSERVATION)


def _contours(tumor: TumorResult) -> Iterator[Dataset]:
    for region_name, region in (("tumor", tumor.tumor), ("ablation zone", tumor.zone)):
        method = "not found" if region is None else region.origin
        yield content.text(words.CONTOURS, f"{tumor.tracking_id}, {region_name}: {method}", Relation.CONTAINS)


def _finding(draft: Draft, finding: Finding) -> Iterator[Dataset]:
    """A number with the ends of its interval, a coded answer, or both; what explains it stands below the first of them.

    A number that could not be had is a coded answer too: a NUM without a value is allowed by the standard, but refused by
    validators in use.
    """
    about = list(_about(draft, finding, finding.title))
    if finding.value is not None and finding.unit is not None:
        item = content.number(finding.code, finding.value, finding.unit, Relation.CONTAINS)
        yield content.with_items(item, about)
        yield from _interval(finding, finding.unit)
        about = []
    value = finding.category or no_answer(finding)
    if value is not None:
        yield content.with_items(content.code(finding.code, value, Relation.CONTAINS), about)


def no_answer(finding: Finding) -> Code | None:
    """The code that says why there is no answer, None when there is one."""
    if finding.status is Status.NOT_ATTEMPTED:
        return codes.NOT_ATTEMPTED
    if finding.status is Status.NOT_ASSESSABLE:
        return codes.UNDETERMINED if finding.unit is None else codes.INDETERMINATE
    return None


def _interval(finding: Finding, unit: Code) -> Iterator[Dataset]:
    """The ends of the interval as numbers of their own, so that no reader can take one for the value."""
    low, high = bounds(finding) or (None, None)
    for concept, end, side in ((words.LOWER_END, low, "lower"), (words.UPPER_END, high, "upper")):
        if end is not None:
            title = f"{finding.title}, {side} end of the 95 percent interval"
            below = [
                content.code(words.MEASURED_CONCEPT, finding.code, Relation.CONCEPT),
                content.text(words.EQUIVALENT_NAME, title, Relation.CONCEPT),
            ]
            yield content.with_items(content.number(concept, end, unit, Relation.CONTAINS), below)


def _about(draft: Draft, finding: Finding, title: str) -> Iterator[Dataset]:
    """Title, interval, reason, note, place, and how it was measured: what has to be read with the answer."""
    yield content.text(words.EQUIVALENT_NAME, title, Relation.CONCEPT)
    reason = finding.reason
    place = "" if finding.place is None else ", ".join(f"{axis:.1f}" for axis in finding.place)
    for concept, sentence in (
        (words.INTERVAL, shown_interval(bounds(finding), finding.unit)),
        (words.REASON, f"{reason.sentence} [{reason.code}]" if reason is not None else ""),
        (words.COMMENT, finding.note),
        (words.PLACE, place),
        (words.LITERATURE, finding.source),
    ):
        if sentence:
            yield content.text(concept, sentence, Relation.PROPERTIES)
    yield from _algorithm(draft, finding)


def _algorithm(draft: Draft, finding: Finding) -> Iterator[Dataset]:
    software = draft.result.software
    yield content.text(words.ALGORITHM_NAME, f"{software.name}: {finding.method}", Relation.CONCEPT)
    yield content.text(words.ALGORITHM_VERSION, software.version, Relation.CONCEPT)
    yield content.text(words.ALGORITHM_PARAMETERS, f"settings {software.settings_hash}", Relation.CONCEPT)
    if finding.contours:
        yield content.text(words.ALGORITHM_PARAMETERS, f"contours: {finding.contours}", Relation.CONCEPT)
    inputs = [_phase(draft, key) for key in finding.inputs]
    if inputs:
        yield content.text(words.ALGORITHM_PARAMETERS, f"images: {'; '.join(inputs)}", Relation.CONCEPT)


def _phase(draft: Draft, key: str) -> str:
    use = next((use for use in draft.result.phases if use.phase.key == key), None)
    if use is None:
        return key
    series = use.phase.first.series_number
    return f"{use.role}, series {'without number' if series is None else series} ({key})"
