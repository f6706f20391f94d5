"""How much of the margin can be assessed, and whether all of it can.

Source: Shyn et al., AJR 2014;203:W181-91: the entire margin was assessable in 49 of 54 tumors. Contrast limits are ours.
"""

from __future__ import annotations

from service.codes import NO, PERCENT, YES, ours
from service.features.case import Case
from service.features.finding import Finding, Reason, Status

CODE = ours("ASSESSABLE", "Assessable fraction of the ablation margin")
METHOD = "Contrast-to-noise at both edges of the margin, version 1"
NAME, TITLE = "assessable_fraction", "Assessable fraction of the margin"


def measure(case: Case) -> tuple[Finding, ...]:
    """The share of the tumor surface whose margin can be judged, %; category yes when it is the entire margin."""
    if case.surface is None or case.visibility is None:
        sentence = case.missing.get("margin", "Tumor or ablation zone is not known.")
        reason = Reason("assessable.no_surface", sentence)
        return (Finding(NAME, TITLE, CODE, METHOD, Status.NOT_ASSESSABLE, reason=reason, inputs=case.keys),)
    areas, seen = case.surface.areas, case.visibility.assessable
    percent = min(100.0, 100.0 * float(areas[seen].sum() / areas.sum()))
    return (
        Finding(
            name=NAME,
            title=TITLE,
            code=CODE,
            method=METHOD,
            status=Status.MEASURED,
            value=percent,
            unit=PERCENT,
            category=YES if case.entire else NO,
            note="Entire margin assessable." if case.entire else "Not the entire margin is assessable.",
            contours=case.contours,
            inputs=case.keys,
        ),
    )
