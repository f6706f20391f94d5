"""Minimum ablation margin: from the tumor surface to untreated liver, and its category against 3 mm.

Source: Shyn et al., AJR 2014;203:W181-91: a minimum margin of 3 mm or less in 11 of 14 tumors with and 15 of 40 without local
tumor progression (Fisher p = .0124). Operational definitions are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.codes import MM, UNDETERMINED, Code, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status
from service.features.precision import DISAGREE, Precision, disagreement, precision
from service.regions.drawn_on import apart
from service.regions.margin_surface import MarginSurface
from service.regions.narrow import Place, narrow_places

THRESHOLD = 3.0  # mm, the margin of the source study
DOUBTFUL = 0.01  # of a probability that is worth a sentence
NAMED = 6  # places nearly as narrow whose positions are told
WIDE = 2.0  # mm that a place reaches, so that its narrowest point alone does not tell where it is

CODE = ours("MINMARGIN", "Minimum ablation margin")
AT_MOST_3 = ours("MARGINLE3", "<= 3 mm")
ABOVE_3 = ours("MARGINGT3", "> 3 mm")
METHOD = "Surface to untreated liver, sub-voxel, version 2"
SOURCE = "Shyn et al., AJR 2014;203:W181-91"
NAME, TITLE = "minimum_ablation_margin", "Minimum ablation margin"
LOST = {
    "tumor_contrast": "tumor and ablated tissue look alike",
    "zone_contrast": "ablated tissue and liver look alike",
    "no_signal": "there is no signal",
    "field_of_view": "it lies at the border of the volume",
}


def measure(case: Case) -> tuple[Finding, ...]:
    """The minimum with its interval and category."""
    if case.surface is None or case.visibility is None:
        sentence = case.missing.get("margin", "Tumor or ablation zone is not known.")
        return (_not_assessable(case, Reason("margin.no_surface", sentence)),)
    seen = case.visibility.assessable
    if not seen.any():
        sentence = f"No part of the margin can be seen: {why_lost(case.visibility.reasons)}."
        return (_not_assessable(case, Reason("margin.not_visible", sentence)),)
    return (_minimum(case, case.surface, seen),)


def categorize(sure: Precision, *, entire: bool, disagreement: float = 0.0) -> tuple[Code, Reason | None]:
    """The category of a minimum by its precision (mm), and the reason when it is equivocal.

    The asymmetry rule: a minimum over part of a surface is an upper bound, so "<= 3 mm" may come from part of the margin,
    "> 3 mm" only from all of it. `disagreement` is how far a second measurement is off, mm.

    >>> categorize(Precision(1.0, 2.0, 0.5, 2.5, 1.0), entire=False)[0].meaning
    '<= 3 mm'
    >>> categorize(Precision(5.0, 7.0, 4.0, 8.0, 0.0), entire=True)[0].meaning
    '> 3 mm'
    >>> categorize(Precision(5.0, 7.0, 4.0, 8.0, 0.0), entire=False)[1].code
    'margin.part_not_assessable'
    >>> categorize(Precision(3.2, 4.2, 2.6, 4.8, 0.01), entire=True)[1].code
    'margin.interval_holds_threshold'
    >>> categorize(Precision(5.0, 7.0, 4.0, 8.0, 0.0), entire=True, disagreement=1.3)[1].code
    'margin.methods_disagree'
    """
    if disagreement > DISAGREE:
        sentence = f"Equivocal: two independent measurements differ by {disagreement:.1f} mm; check the contours."
        return UNDETERMINED, Reason("margin.methods_disagree", sentence)
    if max(sure.high, sure.most) <= THRESHOLD:
        return AT_MOST_3, None
    if min(sure.low, sure.least) <= THRESHOLD:
        sentence = f"Equivocal: the precision does not tell the margin from {THRESHOLD:g} mm."
        return UNDETERMINED, Reason("margin.interval_holds_threshold", sentence)
    if not entire:
        sentence = "Equivocal: the value is an upper bound, because part of the margin cannot be assessed."
        return UNDETERMINED, Reason("margin.part_not_assessable", sentence)
    return ABOVE_3, None


def why_lost(reasons: Mapping[str, float]) -> str:
    """What hides the margin, most of it first.

    >>> why_lost({"no_signal": 0.2, "tumor_contrast": 0.5})
    'tumor and ablated tissue look alike (50%), there is no signal (20%)'
    """
    parts = sorted(reasons.items(), key=lambda part: -part[1])
    return ", ".join(f"{LOST[name]} ({share:.0%})" for name, share in parts)


def _minimum(case: Case, surface: MarginSurface, seen: NDArray[np.bool_]) -> Finding:
    narrowest, *others = narrow_places(surface, seen)
    value = float(surface.margin[narrowest.narrowest])
    sure = precision(value, surface, THRESHOLD)
    sure = replace(sure, low=min(sure.low, surface.lowest), least=min(sure.least, surface.lowest))
    answer, reason = categorize(sure, entire=case.entire, disagreement=disagreement(surface))
    x, y, z = surface.points[narrowest.narrowest]
    return Finding(
        name=NAME,
        title=TITLE,
        code=CODE,
        method=METHOD,
        status=Status.MEASURED,
        value=value,
        unit=MM,
        category=answer,
        interval=(sure.low, sure.high),
        reason=reason,
        note=" ".join((*_placed(case), *_notes(surface, sure, (narrowest, *others), entire=case.entire))),
        place=(float(x), float(y), float(z)),
        contours=case.contours,
        inputs=case.keys,
        source=SOURCE,
    )


def _placed(case: Case) -> Iterator[str]:
    if doubt := apart(case.tumor, case.zone):
        yield f"Tumor and zone were drawn on different images, which may lie {doubt:.1f} mm apart: the interval holds that."


def _notes(surface: MarginSurface, sure: Precision, places: Sequence[Place], *, entire: bool) -> Iterator[str]:
    if not entire:
        yield "Upper bound: part of the margin cannot be assessed."
    elif surface.lowest > THRESHOLD and DOUBTFUL <= sure.at_most <= 1.0 - DOUBTFUL:  # of the contours as they are
        yield f"Probability that it is {THRESHOLD:g} mm or less: {sure.at_most:.0%}."
    if places[0].reach >= WIDE:
        yield f"Nearly as narrow up to {places[0].reach:.0f} mm from its place."
    if others := places[1:]:
        yield f"Nearly as narrow at {len(others)} other place{'s' if len(others) > 1 else ''}: {_named(surface, others)}."
    if not surface.capsule_modelled:
        yield "Capsule not modelled: no liver contour."


def _named(surface: MarginSurface, places: Sequence[Place]) -> str:
    """Where they are, LPS mm, and how far they reach; of very many the narrowest."""
    named = "; ".join(_one_named(surface, place) for place in places[:NAMED])
    return named if len(places) <= NAMED else f"{named}; ..."


def _one_named(surface: MarginSurface, place: Place) -> str:
    at = "({:.0f}, {:.0f}, {:.0f}) mm".format(*surface.points[place.narrowest])
    return at if place.reach < WIDE else f"{at} and up to {place.reach:.0f} mm around"


def _not_assessable(case: Case, reason: Reason) -> Finding:
    return Finding(NAME, TITLE, CODE, METHOD, Status.NOT_ASSESSABLE, reason=reason, contours=case.contours, inputs=case.keys)
