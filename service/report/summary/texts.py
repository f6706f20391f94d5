"""The sentences of the page: the words and numbers of the report, in the order in which a reader needs them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from service.report.draft import Draft
from service.report.header import local_time
from service.report.result import PhaseUse, TumorResult
from service.report.summary.sheet import drawable
from service.report.verdict import NOTHING, verdict
from service.report.wording import plain
from service.study.timeline import phase_time


def title(draft: Draft, index: int) -> str:
    """What the page is, and of which tumor."""
    tumors = draft.result.tumors
    if not tumors:
        return "Ablation margin"
    return f"Ablation margin: {tumors[index].tracking_id}" + (f" ({index + 1} of {len(tumors)})" if len(tumors) > 1 else "")


def exam(draft: Draft) -> str:
    """When the exam was made."""
    reference = draft.result.reference.phase
    at = phase_time(reference) or reference.first.study_at
    if at is not None:
        return f"Exam of {at:%Y-%m-%d}"
    dates = (str(source.get("StudyDate") or "") for source in draft.sources)
    date = next((date for date in dates if len(date) == 8), "")
    return f"Exam of {date[:4]}-{date[4:6]}-{date[6:]}" if date else "Exam of unknown date"


def patient(draft: Draft) -> str:
    """What identifies the patient, as far as the site wants it on the page; by default nothing."""
    source = next(iter(draft.sources), None)
    if source is None or draft.patient_on_page == "none":
        return ""
    number = plain(str(source.get("PatientID") or "")) or "unknown"
    if draft.patient_on_page == "id":
        return f"Patient ID {number}"
    return f"ID {number}, {_name(str(source.get('PatientName') or ''))}"


def identifiers(draft: Draft) -> Iterator[re.Pattern[str]]:
    """What would tell the patient on a page: the ID and the family name, as whole words; a given name alone does not."""
    for source in draft.sources[:1]:
        family = str(source.get("PatientName") or "").split("^", maxsplit=1)[0]
        words = (drawable(word).strip() for word in (str(source.get("PatientID") or ""), family))
        yield from (re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE) for word in words if word)


def answer(draft: Draft, index: int) -> str:
    """The verdict on the page's tumor, in the words of the report."""
    return verdict([draft.result.tumors[index]]) if draft.result.tumors else draft.result.verdict or NOTHING


def limits(draft: Draft) -> str:
    """What has to be known beside the findings."""
    warnings = draft.result.warnings
    return f"Limits: {' '.join(_sentence(warning) for warning in warnings)}" if warnings else "Limits: none were noticed."


def provenance(draft: Draft, index: int) -> Iterator[str]:
    """Who measured what, on which images, in whose contours."""
    software, result = draft.result.software, draft.result
    made = result.created_at if not draft.sources else local_time(result.created_at, draft.sources[0])
    yield (
        f"Measured by {software.name} {software.version}, settings {software.settings_hash}, on {made:%Y-%m-%d %H:%M}. "
        f"{exam(draft)}, content {result.content_version}."
    )
    yield f"Series used: {'; '.join(_series(use, result.reference) for use in _used(result.phases))}."
    yield f"Contours: {'; '.join(_contours(draft, index))}."


def _name(name: str) -> str:
    """The letters of a name as people write it; its ideographs stand in the object's header."""
    alphabetic = name.split("=", maxsplit=1)[0] or name
    parts = [part.strip() for part in alphabetic.split("^")]
    family, others = parts[0], " ".join(part for part in parts[1:3] if part)
    return ", ".join(part for part in (family, others) if part) or "name unknown"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _used(phases: tuple[PhaseUse, ...]) -> list[PhaseUse]:
    return [use for use in phases if use.used]


def _series(use: PhaseUse, reference: PhaseUse) -> str:
    first = use.phase.first
    number = "without number" if first.series_number is None else first.series_number
    state = " (reference)" if use.phase.key == reference.phase.key else ""
    return f"{use.role.value.replace('_', ' ')}{state}: {number} '{first.series_description}'"


def _contours(draft: Draft, index: int) -> Iterator[str]:
    """The origin of each contour; the object that several were drawn in is named once."""
    result = draft.result
    tumor: TumorResult | None = result.tumors[index] if result.tumors else None
    regions = {
        "tumor": tumor.tumor if tumor else None,
        "ablation zone": tumor.zone if tumor else None,
        "liver": result.liver,
        "vessels": result.vessels,
    }
    for name, region in regions.items():
        yield f"{name} {region.method if region is not None else 'not found'}"
    for uid in dict.fromkeys(region.source_uid for region in regions.values() if region is not None and region.source_uid):
        yield f"drawn in {uid}"
