"""The result as plain data, for the API, the page and the command line.

Shape (JSON; numbers as measured, lengths mm, volumes mL, LPS positions; null where there is no answer):

```
{"format": 1,
 "study_instance_uid", "content_version", "created_at" (ISO 8601),
 "software": {"name", "version", "settings_hash"},
 "verdict", "research_use", "warnings": [text], "predecessors": [SR SOP Instance UID],
 "contours": {"liver": origin | null, "vessel": origin | null},
 "phases": [{"key", "series_instance_uid", "series_number", "description", "instances", "role", "score", "reasons": [text],
             "used", "reference", "note"}],
 "tumors": [{"label", "tracking_id", "tracking_uid",
             "contours": {"tumor": origin | null, "ablation_zone": origin | null},
             "findings": [{"name", "title", "code": CODE, "status", "value", "unit": CODE | null,
                           "interval": [low, high] | null, "category": CODE | null, "answer", "interval_shown",
                           "reason": {"code", "sentence"} | null, "note", "place": [x, y, z] | null,
                           "contours", "method", "source", "inputs": [phase key]}]}]}
CODE = {"value", "scheme", "meaning"}
```

`answer` and `interval_shown` are the texts for people; an end of an interval that is open is null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.codes import Code
from service.features.finding import Finding, Status
from service.regions.region import Region
from service.report.result import PhaseUse, Result, TumorResult
from service.report.wording import RESEARCH_USE, shown, shown_interval

Record = dict[str, Any]

NO_ANSWER = {Status.NOT_ASSESSABLE: "not assessable", Status.NOT_ATTEMPTED: "not attempted"}


@dataclass(frozen=True, slots=True)
class Row:
    """One finding as a line to print. `remark` holds the reason and the note."""

    tumor: str
    title: str
    answer: str
    interval: str
    status: str
    remark: str


def to_record(result: Result) -> Record:
    """The whole result in the shape above: the same result gives the same record."""
    return {
        "format": 1,
        "study_instance_uid": result.study_instance_uid,
        "content_version": result.content_version,
        "created_at": result.created_at.isoformat(),
        "software": {
            "name": result.software.name,
            "version": result.software.version,
            "settings_hash": result.software.settings_hash,
        },
        "verdict": result.verdict,
        "research_use": RESEARCH_USE,
        "warnings": list(result.warnings),
        "predecessors": list(result.predecessors),
        "contours": {"liver": _origin(result.liver), "vessel": _origin(result.vessels)},
        "phases": [_phase(use, result.reference) for use in result.phases],
        "tumors": [_tumor(tumor) for tumor in result.tumors],
    }


def findings_table(record: Mapping[str, Any]) -> list[Row]:
    """The findings of a record (also of one that was stored) as lines to print, in report order."""
    return [_row(tumor["label"], finding) for tumor in record["tumors"] for finding in tumor["findings"]]


def answer(finding: Finding) -> str:
    """The answer for people: number with unit, category, or why there is none in two words."""
    if finding.status is not Status.MEASURED:
        return NO_ANSWER[finding.status]
    number = shown(finding.value, finding.unit) if finding.value is not None else ""
    category = finding.category.meaning if finding.category is not None else ""
    return f"{number} ({category})" if number and category else number or category


def bounds(finding: Finding) -> tuple[float | None, float | None] | None:
    """The interval with None for an open end; None when nothing is known."""
    if finding.interval is None:
        return None
    low, high = (float(end) if math.isfinite(end) else None for end in finding.interval)
    return None if low is None and high is None else (low, high)


def _row(label: str, finding: Mapping[str, Any]) -> Row:
    reason = finding["reason"]["sentence"] if finding["reason"] else ""
    remark = " ".join(text for text in (reason, finding["note"]) if text)
    return Row(label, finding["title"], finding["answer"], finding["interval_shown"], finding["status"], remark)


def _phase(use: PhaseUse, reference: PhaseUse) -> Record:
    first = use.phase.first
    return {
        "key": use.phase.key,
        "series_instance_uid": use.phase.series_instance_uid,
        "series_number": first.series_number,
        "description": first.series_description,
        "instances": len({plane.instance.sop_instance_uid for plane in use.phase.planes}),
        "role": str(use.role),
        "score": float(use.score),
        "reasons": list(use.reasons),
        "used": use.used,
        "reference": use.phase.key == reference.phase.key,
        "note": use.note,
    }


def _tumor(tumor: TumorResult) -> Record:
    return {
        "label": tumor.label,
        "tracking_id": tumor.tracking_id,
        "tracking_uid": tumor.tracking_uid,
        "contours": {"tumor": _origin(tumor.tumor), "ablation_zone": _origin(tumor.zone)},
        "findings": [_finding(finding) for finding in tumor.findings],
    }


def _finding(finding: Finding) -> Record:
    interval = bounds(finding)
    return {
        "name": finding.name,
        "title": finding.title,
        "code": _code(finding.code),
        "status": str(finding.status),
        "value": None if finding.value is None else float(finding.value),
        "unit": _code(finding.unit),
        "interval": None if interval is None else list(interval),
        "category": _code(finding.category),
        "answer": answer(finding),
        "interval_shown": shown_interval(interval, finding.unit),
        "reason": None if finding.reason is None else {"code": finding.reason.code, "sentence": finding.reason.sentence},
        "note": finding.note,
        "place": None if finding.place is None else [float(axis) for axis in finding.place],
        "contours": finding.contours,
        "method": finding.method,
        "source": finding.source,
        "inputs": list(finding.inputs),
    }


def _code(code: Code | None) -> Record | None:
    return None if code is None else {"value": code.value, "scheme": code.scheme, "meaning": code.meaning}


def _origin(region: Region | None) -> str | None:
    return None if region is None else region.origin
