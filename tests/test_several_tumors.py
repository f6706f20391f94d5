"""Several tumors and zones: matched, tracked and reported one by one; zones that merge are said to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from service.features.finding import Finding, Status
from service.jobs.analysis import read_study
from service.options import AnalysisOptions
from service.phantom.bodies import Ball, Body, Capsule, Union
from service.phantom.patient import render
from service.phantom.recipe import Wish, random_recipe
from service.phantom.sample import fraction
from service.phantom.vessels import VesselKind
from service.phantom.write import write_study
from service.pipeline import ReadStudy, analyse
from service.regions.region import DrawnMask
from service.report.result import Result
from service.study.model import Role
from service.volumes.volume import Volume

OPTIONS = AnalysisOptions(segmenters=("drawn",))
MERGE = "ablation zones merge and are measured as one"


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> ReadStudy:
    recipe = random_recipe(11, None, Wish(vessel=VesselKind.NONE, margin=4.0))
    patient = render(recipe, (Role.T1_PRE, Role.PORTAL_VENOUS))  # the contours are given: more phases would only be aligned
    paths: list[Path] = write_study(patient, tmp_path_factory.mktemp("study"), seg="fractional")
    return read_study(paths, OPTIONS, datetime(2025, 3, 4, 9, 0), content_version="0123456789ab")  # noqa: DTZ001 - hospital time


def drawn(read: ReadStudy, number: int, label: str, body: Body, tracking_uid: str = "") -> DrawnMask:
    """A contour of a body, on the grid of the study's own drawing."""
    like = next(drawing for drawing in read.drawings if isinstance(drawing, DrawnMask)).mask
    mask: Volume = fraction(body, like.with_values(np.zeros(like.shape, dtype=np.float32)))
    return DrawnMask("1.2.3", number, label, (), mask, fractional=True, tracking_uid=tracking_uid)


def middle(read: ReadStudy) -> np.ndarray:
    """The middle of the zone that the phantom has, LPS mm."""
    zone = next(one for one in read.drawings if isinstance(one, DrawnMask) and "blation" in one.label)
    return np.asarray(zone.mask.to_mm(np.argwhere(zone.mask.values > 0.5).astype(np.float64)).mean(axis=0))


def at(center: np.ndarray, x: float) -> tuple[float, float, float]:
    return float(center[0]) + x, float(center[1]), float(center[2])


def analysed(read: ReadStudy, *drawings: DrawnMask) -> Result:
    return analyse(replace(read, drawings=drawings), OPTIONS)


def volume(result: Result, index: int, name: str) -> float:
    found: Finding = next(one for one in result.tumors[index].findings if one.name == name)
    assert found.value is not None
    return found.value


def test_each_tumor_has_its_own_zone_whatever_the_order(read: ReadStudy) -> None:
    center = middle(read)
    zones = [
        drawn(read, 1, "ablation zone 1", Ball(at(center, -18), 9)),
        drawn(read, 2, "ablation zone 2", Ball(at(center, 18), 12)),
    ]
    tumors = [
        drawn(read, 3, "tumor b", Ball(at(center, 18), 6), "1.9.2"),
        drawn(read, 4, "tumor a", Ball(at(center, -18), 4), "1.9.1"),
    ]
    result = analysed(read, *zones, *tumors)
    assert [tumor.tracking_uid for tumor in result.tumors] == ["1.9.2", "1.9.1"]
    assert volume(result, 0, "ablation_zone_volume") == pytest.approx(7.24, rel=0.05)
    assert volume(result, 1, "ablation_zone_volume") == pytest.approx(3.05, rel=0.05)
    assert volume(result, 0, "tumor_long_axis") == pytest.approx(12.0, abs=0.8)
    assert volume(result, 1, "tumor_long_axis") == pytest.approx(8.0, abs=0.8)
    assert not [warning for warning in result.warnings if MERGE in warning or "same ablation zone" in warning]


def test_zones_that_touch_are_one_and_said_to_be(read: ReadStudy) -> None:
    center = middle(read)
    parts = (Ball(at(center, -7), 10), Ball(at(center, 7), 10))
    zones = [drawn(read, n, f"ablation zone {n}", part) for n, part in enumerate(parts, start=1)]
    result = analysed(read, *zones, drawn(read, 3, "tumor", Ball(at(center, 0), 5)))
    assert len(result.tumors) == 1
    whole = fraction(Union(parts), zones[0].mask)
    assert volume(result, 0, "ablation_zone_volume") == pytest.approx(float(whole.values.sum()) * whole.voxel_volume, rel=0.05)
    assert f"Tumor 1: 2 {MERGE}." in result.warnings


def test_two_tumors_in_one_zone_are_reported_one_by_one_and_said_to_share_it(read: ReadStudy) -> None:
    center = middle(read)
    zone = drawn(read, 1, "ablation zone", Capsule(at(center, -10), at(center, 10), 12))
    tumors = [drawn(read, n, f"tumor {n}", Ball(at(center, x), 5)) for n, x in ((2, -10.0), (3, 10.0))]
    result = analysed(read, zone, *tumors)
    assert len(result.tumors) == 2
    assert len({tumor.tracking_uid for tumor in result.tumors}) == 2
    assert "Tumor 1 and Tumor 2 lie in the same ablation zone: its size is given with each." in result.warnings
    assert all("Tumor" in result.verdict for _ in result.tumors)


def test_a_tumor_in_no_zone_gets_no_zone_of_another(read: ReadStudy) -> None:
    own = tuple(one for one in read.drawings if isinstance(one, DrawnMask))
    result = analysed(read, *own, drawn(read, 9, "tumor 2", Ball(at(middle(read), 32), 5)))
    found = {tumor.label: {one.name: one for one in tumor.findings} for tumor in result.tumors}
    assert found["1"]["ablation_zone_volume"].status is Status.MEASURED
    assert found["2"]["ablation_zone_volume"].status is Status.NOT_ASSESSABLE
    assert found["2"]["minimum_ablation_margin"].status is Status.NOT_ASSESSABLE
