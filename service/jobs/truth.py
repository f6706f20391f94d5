"""A phantom's findings beside its truth: for the demonstration and for what must be met at start-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.codes import NO, YES
from service.features import margin, vessel
from service.phantom.truth import Truth

MARGIN, VESSEL = "minimum_ablation_margin", vessel.NAME
ENHANCEMENT = "tumor_enhancement"
VOLUMES = ("tumor_volume", "ablation_zone_volume")
VOLUME_TOLERANCE = 0.15  # of the volume: drawn masks are met within 2 %, automatic ones not always
NOT_BRIDGING = (vessel.TRAVERSES.value, vessel.ABUTS.value, vessel.NONE_SEEN.value)


class Verdict(StrEnum):
    """How a finding stands to the truth. Abstaining is not wrong."""

    RIGHT = "right"
    WRONG = "WRONG"
    ABSTAINED = "abstained"


@dataclass(frozen=True, slots=True)
class Beside:
    """One finding and the truth, as texts for people, and the verdict about what it asserts."""

    name: str
    title: str
    measured: str
    truth: str
    verdict: Verdict


def compare(record: Mapping[str, Any], truth: Truth) -> tuple[Beside, ...]:
    """The findings of the first tumor that have a truth, in report order."""
    rows = (_row(finding, truth) for tumor in record["tumors"][:1] for finding in tumor["findings"])
    return tuple(row for row in rows if row is not None)


def _row(finding: Mapping[str, Any], truth: Truth) -> Beside | None:
    """The finding beside its truth; None where the phantom has none."""
    name = finding["name"]
    if name == MARGIN:
        return _beside(finding, f"{truth.minimum_margin:.1f} mm", _margin(finding, truth))
    if name == VESSEL:
        return _beside(finding, truth.vessel.category, _vessel(finding, truth))
    if name.startswith(ENHANCEMENT):
        return _beside(finding, f"{truth.enhancement:.0f} %", _enhancement(finding, truth))
    if name not in VOLUMES:
        return None
    right = truth.tumor_ml if name == VOLUMES[0] else truth.zone_ml
    return _beside(finding, f"{right:.1f} mL", _volume(finding, right))


def _beside(finding: Mapping[str, Any], truth: str, verdict: Verdict) -> Beside:
    return Beside(finding["name"], finding["title"], finding["answer"], truth, verdict)


def _margin(finding: Mapping[str, Any], truth: Truth) -> Verdict:
    at_most = truth.minimum_margin <= margin.THRESHOLD
    return _judged(_category(finding), {margin.AT_MOST_3.value: at_most, margin.ABOVE_3.value: not at_most})


def _vessel(finding: Mapping[str, Any], truth: Truth) -> Verdict:
    """Right or wrong is whether a vessel bridges: the question of the source study."""
    answers = dict.fromkeys(NOT_BRIDGING, not truth.vessel.bridges)
    return _judged(_category(finding), answers | {vessel.BRIDGES.value: truth.vessel.bridges})


def _enhancement(finding: Mapping[str, Any], truth: Truth) -> Verdict:
    return _judged(_category(finding), {YES.value: truth.enhancing, NO.value: not truth.enhancing})


def _volume(finding: Mapping[str, Any], truth: float) -> Verdict:
    if finding["value"] is None:
        return Verdict.ABSTAINED
    return Verdict.RIGHT if abs(finding["value"] - truth) <= VOLUME_TOLERANCE * truth else Verdict.WRONG


def _category(finding: Mapping[str, Any]) -> str:
    return str(finding["category"]["value"]) if finding["category"] else ""


def _judged(asserted: str, right: Mapping[str, bool]) -> Verdict:
    """An answer that asserts nothing that could be right or wrong abstains."""
    if asserted not in right:
        return Verdict.ABSTAINED
    return Verdict.RIGHT if right[asserted] else Verdict.WRONG
