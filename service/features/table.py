"""FEATURES: every measurement in the order of the report. A new feature is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.features import (
    assessable,
    axes,
    distances,
    enhancement,
    margin,
    margin_distribution,
    near_vessel,
    size,
    surroundings,
    tumor_signal,
    vessel,
)
from service.features.case import Case
from service.features.finding import Finding


@dataclass(frozen=True, slots=True)
class Feature:
    """One measurement; `names` are those of the findings it gives, always all of them, measured or with a reason."""

    title: str
    names: tuple[str, ...]
    measure: Callable[[Case], tuple[Finding, ...]]


FEATURES = (
    Feature("Minimum ablation margin", (margin.NAME,), margin.measure),
    Feature("Assessable fraction", (assessable.NAME,), assessable.measure),
    Feature("Bridging vessel", vessel.NAMES, vessel.measure),
    Feature("Tumor enhancement", enhancement.NAMES, enhancement.measure),
    Feature("Distribution of the margin", margin_distribution.NAMES, margin_distribution.measure),
    Feature("Size", ("tumor_volume", "ablation_zone_volume", "tumor_coverage"), size.measure),
    Feature("Axes", axes.NAMES, axes.measure),
    Feature("Signal of the tumor", tumor_signal.NAMES, tumor_signal.measure),
    Feature("Vessels nearby", near_vessel.NAMES, near_vessel.measure),
    Feature("Surroundings of the zone", surroundings.NAMES, surroundings.measure),
    Feature("Distances of the zone", distances.NAMES, distances.measure),
)


def measure(case: Case) -> tuple[Finding, ...]:
    """All findings of one tumor, in report order."""
    return tuple(finding for feature in FEATURES for finding in feature.measure(case))
