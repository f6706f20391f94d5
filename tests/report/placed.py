"""Samples whose margins were measured, so that the objects that show places have one to show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from service.errors import Unusable
from service.features.finding import Finding
from service.features.margin import NAME
from service.regions.margin_surface import MarginSurface, margin_surface
from service.report.draft import Draft
from service.report.result import TumorResult
from service.report.segments import plan
from service.study.model import Vector
from tests.report.conftest import SHAPE, Sample, affine_point


def placed(given: Sample, path: tuple[Vector, ...] = ()) -> Sample:
    """The sample with the surface of each tumor, its true minimum and place; `path` is the way of a vessel, LPS mm."""
    tumors = tuple(_placed(tumor, given, path) for tumor in given.result.tumors)
    return Sample(replace(given.result, tumors=tumors), given.sources)


def drafted(given: Sample) -> Draft:
    """What the makers of objects are given."""
    return Draft(given.result, given.sources, plan(given.result))


def position(index: tuple[float, float, float]) -> Vector:
    """The LPS position of an index of the sample's grid."""
    x, y, z = affine_point(index)
    return float(x), float(y), float(z)


def textured(given: Sample) -> Sample:
    """The sample with a reference volume that rises from row to row, 10 a row."""
    reference = given.result.tumors[0].tumor
    if reference is None:
        return given
    rows = np.broadcast_to(10.0 * np.arange(SHAPE[1], dtype=np.float32)[None, :, None], SHAPE)
    return Sample(replace(given.result, image=reference.mask.with_values(np.array(rows))), given.sources)


def _placed(tumor: TumorResult, given: Sample, path: tuple[Vector, ...]) -> TumorResult:
    if tumor.tumor is None or tumor.zone is None:
        return tumor
    try:
        surface = margin_surface(tumor.tumor, tumor.zone, given.result.liver)
    except Unusable:
        return tumor
    return replace(tumor, surface=surface, findings=tuple(_found(one, surface, path) for one in tumor.findings))


def _found(finding: Finding, surface: MarginSurface, path: tuple[Vector, ...]) -> Finding:
    if finding.name == "bridging_vessel":
        return replace(finding, path=path)
    if finding.name != "minimum_margin" or finding.value is None:
        return finding
    return replace(finding, name=NAME, value=surface.minimum, interval=None, place=surface.place)
