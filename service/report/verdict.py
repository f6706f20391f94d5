"""The result in one sentence for each tumor, in the same words and numbers as the table below it."""

from __future__ import annotations

from collections.abc import Iterable

from service.features.finding import Finding, Status
from service.report.record import answer, bounds
from service.report.result import TumorResult
from service.report.wording import shown, shown_interval

NOTHING = "Nothing was measured: neither a tumor nor an ablation zone is known."
FEATURES = ("minimum_ablation_margin", "bridging_vessel")


def verdict(tumors: Iterable[TumorResult]) -> str:
    """The margin and the vessel of each tumor, or why they are not known."""
    return " ".join(f"{tumor.tracking_id}: {'; '.join(_parts(tumor))}." for tumor in tumors) or NOTHING


def _parts(tumor: TumorResult) -> list[str]:
    return [_said(finding) for finding in tumor.findings if finding.name in FEATURES]


def _said(finding: Finding) -> str:
    title, why = finding.title.lower(), _reason(finding)
    if finding.status is not Status.MEASURED:
        return f"{title} {answer(finding)} ({why})"
    amount = f"{title}{_amount(finding)}"
    if why:
        return f"{amount}, equivocal ({why})"
    return f"{amount}: {finding.category.meaning}" if finding.category is not None else amount


def _amount(finding: Finding) -> str:
    if finding.value is None:
        return ""
    interval = shown_interval(bounds(finding), finding.unit)
    return f" {shown(finding.value, finding.unit)}" + (f" (95 % interval {interval})" if interval else "")


def _reason(finding: Finding) -> str:
    return finding.reason.sentence.rstrip(".").removeprefix("Equivocal: ") if finding.reason is not None else ""
