"""The minimum ablation margin: its category is never more certain than what was seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from service.codes import UNDETERMINED
from service.features import margin
from service.features.case import Case
from service.features.finding import Status
from tests.features.conftest import hidden, named


def test_wide_margin_seen_whole_is_above_3_mm(wide: Case) -> None:
    found = named(margin.measure(wide))["minimum_ablation_margin"]
    assert found.category == margin.ABOVE_3
    assert found.value is not None
    assert found.interval is not None
    assert found.interval[0] > 3.0
    assert found.place is not None


def test_wide_margin_seen_in_part_is_only_an_upper_bound(wide: Case) -> None:
    found = named(margin.measure(hidden(wide, 0.3)))["minimum_ablation_margin"]
    assert found.category == UNDETERMINED
    assert found.reason is not None
    assert found.reason.code == "margin.part_not_assessable"
    assert "Upper bound" in found.note


def test_narrow_margin_may_be_told_from_a_part(narrow: Case) -> None:
    assert named(margin.measure(hidden(narrow, 0.3)))["minimum_ablation_margin"].category == margin.AT_MOST_3


def test_nothing_seen_is_not_assessable(wide: Case) -> None:
    for found in margin.measure(hidden(wide, 1.0)):
        assert found.status is Status.NOT_ASSESSABLE
        assert found.value is None
        assert found.reason is not None
        assert "look alike" in found.reason.sentence


def test_unknown_tumor_is_not_a_wide_margin(wide: Case) -> None:
    case = replace(wide, tumor=None, surface=None, visibility=None, missing={"margin": "The tumor cannot be seen."})
    found = margin.measure(case)
    assert {Status.NOT_ASSESSABLE} == {finding.status for finding in found}
    assert found[0].reason is not None
    assert found[0].reason.sentence == "The tumor cannot be seen."


def test_liver_that_the_mask_may_lack_makes_a_wide_margin_equivocal(wide: Case) -> None:
    if wide.surface is None:
        pytest.fail("the case has no surface")
    case = replace(wide, surface=replace(wide.surface, lowest=1.0))
    assert named(margin.measure(case))["minimum_ablation_margin"].category == UNDETERMINED


def test_no_probability_where_the_liver_mask_may_lack_a_part(narrow: Case) -> None:
    """It would be that of contours which are not believed."""
    if narrow.surface is None:
        pytest.fail("the case has no surface")
    near = replace(narrow.surface, margin=narrow.surface.margin - narrow.surface.minimum + 3.1)
    near = replace(near, evidence=replace(near.evidence, second=3.1))
    for lowest, said in ((float("inf"), True), (1.0, False)):
        found = named(margin.measure(replace(narrow, surface=replace(near, lowest=lowest))))["minimum_ablation_margin"]
        assert ("Probability" in found.note) == said


def test_zone_cut_by_the_volume_is_never_above_3_mm(wide: Case) -> None:
    if wide.surface is None:
        pytest.fail("the case has no surface")
    case = replace(wide, surface=replace(wide.surface, closed=False))
    assert named(margin.measure(case))["minimum_ablation_margin"].category == UNDETERMINED


def test_without_liver_the_note_says_that_the_capsule_is_missing(wide: Case) -> None:
    if wide.surface is None:
        pytest.fail("the case has no surface")
    case = replace(wide, surface=replace(wide.surface, capsule_modelled=False))
    assert "Capsule not modelled" in named(margin.measure(case))["minimum_ablation_margin"].note


def test_measurements_that_disagree_are_equivocal(wide: Case) -> None:
    """Whatever the number says: one of the two is wrong, and nobody knows which."""
    if wide.surface is None:
        pytest.fail("the case has no surface")
    evidence = replace(wide.surface.evidence, second=wide.surface.minimum + 1.1)
    found = named(margin.measure(replace(wide, surface=replace(wide.surface, evidence=evidence))))["minimum_ablation_margin"]
    assert found.category == UNDETERMINED
    assert found.reason is not None
    assert found.reason.code == "margin.methods_disagree"


def test_contours_that_state_their_doubt_widen_the_interval(wide: Case) -> None:
    if wide.surface is None:
        pytest.fail("the case has no surface")
    widths = []
    for sd in (0.0, 0.5, 1.0):
        evidence = replace(wide.surface.evidence, edge_sd=sd)
        case = replace(wide, surface=replace(wide.surface, evidence=evidence))
        found = named(margin.measure(case))["minimum_ablation_margin"]
        if found.interval is None:
            pytest.fail("a measured minimum has an interval")
        widths.append(found.interval[1] - found.interval[0])
    assert widths == sorted(widths)
    assert widths[2] > 2.0


def test_all_places_that_are_nearly_as_narrow_are_told(narrow: Case) -> None:
    """Each with how far it reaches: the reader looks there too."""
    surface = narrow.surface
    if surface is None:
        pytest.fail("the case is not complete")
    points = surface.points
    away = np.linalg.norm(points - points[0], axis=1)
    around, far = away <= 3.0, int(np.argmax(away))
    wide = replace(surface, margin=np.where(around, 1.1, 9.0))
    wide.margin[[0, far]] = 1.0, 1.2
    found = named(margin.measure(replace(narrow, surface=wide)))["minimum_ablation_margin"]
    assert found.place == pytest.approx(tuple(points[0]))
    assert f"Nearly as narrow up to {away[around].max():.0f} mm from its place." in found.note
    assert "Nearly as narrow at 1 other place: ({:.0f}, {:.0f}, {:.0f}) mm.".format(*points[far]) in found.note
