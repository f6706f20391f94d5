"""SEGMENTERS: how contours can be had, by the name that the configuration uses. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from service.errors import Unusable
from service.regions import classical, drawn
from service.regions.region import Exam, Kind, Region, Regions


class Segmenter(Protocol):
    """Finds what it can; raises Unusable when it can find nothing that a measurement could use."""

    def __call__(self, exam: Exam) -> Regions:
        """The regions on the grid of the exam's reference phase."""
        ...


def segmenters(labels: drawn.Labels = (), network: Segmenter | None = None) -> Mapping[str, Segmenter]:
    """All segmenters by name; `labels` go before the built-in table of `drawn`, `network` is the one of this hospital."""
    return {
        "drawn": lambda exam: drawn.segment(exam, (*labels, *drawn.LABELS)),
        "network": network or _no_network,
        "classical": classical.segment,
    }


def _no_network(exam: Exam) -> Regions:  # noqa: ARG001 - the signature is that of a segmenter
    raise Unusable("regions.no_network", "No network is configured (analysis.network).")


@dataclass(slots=True)
class _Found:
    """What the segmenters asked so far gave, kind by kind."""

    regions: dict[Kind, tuple[Region, ...]] = field(default_factory=dict)
    reasons: dict[Kind, str] = field(default_factory=dict)
    faults: list[Unusable] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, regions: Regions) -> None:
        """Keep every kind that nobody found before; the latest reason stands for one that is still missing."""
        single = {Kind.LIVER: regions.liver, Kind.VESSEL: regions.vessels, Kind.GALLBLADDER: regions.gallbladder}
        several = {Kind.ABLATION_ZONE: regions.zones, Kind.TUMOR: regions.tumors}
        for kind in Kind:
            found = several.get(kind, ()) or tuple(region for region in (single.get(kind),) if region is not None)
            if found:
                self.regions.setdefault(kind, found)
        self.reasons.update(regions.reasons or {})
        self.notes.extend(regions.notes)


def segment_all(exam: Exam, names: Sequence[str], labels: drawn.Labels = (), network: Segmenter | None = None) -> Regions:
    """Each kind of region from the first segmenter, in the order of `names`, that finds it.

    `network` needs files and programs, so it is made outside.

    Raises:
        Unusable: None of them finds an ablation zone: the fault of the last one that failed, or `regions.no_zone`.
    """
    found = _Found()
    table = segmenters(labels, network)
    for name in names:
        if {Kind.ABLATION_ZONE, Kind.TUMOR, Kind.LIVER} <= found.regions.keys():
            break
        try:
            found.take(table[name](exam))
        except Unusable as fault:
            found.faults.append(fault)
    if Kind.ABLATION_ZONE not in found.regions:
        raise _no_zone(found)
    missing = {kind: reason for kind, reason in found.reasons.items() if kind not in found.regions}
    return Regions(
        liver=next(iter(found.regions.get(Kind.LIVER, ())), None),
        zones=found.regions[Kind.ABLATION_ZONE],
        tumors=found.regions.get(Kind.TUMOR, ()),
        vessels=next(iter(found.regions.get(Kind.VESSEL, ())), None),
        gallbladder=next(iter(found.regions.get(Kind.GALLBLADDER, ())), None),
        reasons=missing,
        notes=(*found.notes, *(fault.sentence for fault in found.faults if fault.code != drawn.NOTHING_DRAWN)),
    )


def _no_zone(found: _Found) -> Unusable:
    if found.faults:
        return found.faults[-1]
    return Unusable("regions.no_zone", found.reasons.get(Kind.ABLATION_ZONE, "No ablation zone was drawn or found."))
