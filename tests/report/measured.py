"""Results with a measured margin and vessels in it, on the synthetic studies of this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from pydicom.dataset import Dataset

from service import codes
from service.features import margin, vessel
from service.features.finding import Finding, Reason, Status
from service.regions.margin_surface import MarginSurface, margin_surface
from service.regions.region import Region
from service.regions.visibility import Visibility
from service.report.result import TumorResult
from service.study.model import Vector
from tests.report.conftest import Sample, affine_point, classic, sample

GAP = 2.5


@cache
def measured(*, make: Callable[[int], list[Dataset]] = classic, tumors: int = 1, gap: float | None = None) -> Sample:
    """A sample whose tumors have a surface, a narrowest place, and a vessel that bridges (or ends `gap` mm before)."""
    given = sample(make=make, tumors=tumors)
    found = tuple(_measured(tumor, gap) for tumor in given.result.tumors)
    return Sample(replace(given.result, tumors=found), given.sources)


def surface_of(given: Sample, index: int = 0) -> MarginSurface:
    """The surface of a tumor that has one."""
    surface = given.result.tumors[index].surface
    if surface is None:
        raise ValueError("this tumor has no surface")
    return surface


def seen(given: Sample, assessable: np.ndarray) -> Sample:
    """The same result where only some points of the first tumor's surface can be assessed."""
    first, *others = given.result.tumors
    changed = replace(first, visibility=Visibility(assessable, {}))
    return Sample(replace(given.result, tumors=(changed, *others)), given.sources)


def path_of(region: Region) -> tuple[Vector, ...]:
    """A way through three slices from outside of the tumor to its middle, LPS mm."""
    center = np.argwhere(region.mask.values > 0.5).mean(axis=0)
    steps = [affine_point(tuple(center + np.array(step))) for step in ((-2.0, 9.0, 4.0), (-1.0, 7.0, 2.0), (0.0, 4.0, 0.5))]
    x, y, z = ((float(x), float(y), float(z)) for x, y, z in steps)
    return x, y, z


def _measured(tumor: TumorResult, gap: float | None) -> TumorResult:
    if tumor.tumor is None or tumor.zone is None:
        raise ValueError("the sample has contours")
    surface = margin_surface(tumor.tumor, tumor.zone, None)
    narrowest = Finding(
        margin.NAME, margin.TITLE, margin.CODE, margin.METHOD, Status.MEASURED,
        value=surface.minimum, unit=codes.MM, category=margin.AT_MOST_3, interval=(surface.minimum - 1, surface.minimum + 1),
        place=surface.place, contours="drawn", source=margin.SOURCE,
    )  # fmt: skip
    crossing = Finding(
        vessel.NAME, vessel.TITLE, vessel.CODE, vessel.METHOD, Status.MEASURED,
        category=vessel.BRIDGES if gap is None else vessel.TRAVERSES, path=path_of(tumor.tumor),
    )  # fmt: skip
    return replace(
        tumor,
        findings=(narrowest, crossing, _gap(gap)),
        surface=surface,
        visibility=Visibility(np.ones(len(surface.points), dtype=bool), {}),
    )


def _gap(gap: float | None) -> Finding:
    title, code = vessel.GAP_TITLE, vessel.GAP_CODE
    if gap is None:
        reason = Reason("vessel.no_gap", "No gap.")
        return Finding(vessel.GAP_NAME, title, code, vessel.METHOD, Status.NOT_ATTEMPTED, reason=reason)
    return Finding(vessel.GAP_NAME, title, code, vessel.METHOD, Status.MEASURED, value=gap, unit=codes.MM)
