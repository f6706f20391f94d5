from __future__ import annotations

from service.study.assemble import assemble
from service.study.coverage import missing_slices
from service.study.model import Instance
from tests.study.records import renumbered, series, with_frames


def short(*stacks: list[Instance]) -> list[tuple[str, int, int]]:
    phases = assemble([item for stack in stacks for item in stack]).phases
    return [(found.phase_key, found.slices, found.expected) for found in missing_slices(phases)]


def test_a_phase_without_its_last_slice_is_noticed_beside_the_others() -> None:
    assert short(series("1.4"), series("1.5")[:-1], series("1.6")) == [("1.5", 7, 8)]


def test_it_is_named_with_both_counts() -> None:
    phases = assemble([*series("1.4"), *series("1.5")[1:]]).phases
    (found,) = missing_slices(phases)
    assert "Series 5 has 7 slices, Series 4 of the same geometry has 8" in found.sentence


def test_phases_of_equal_length_lack_nothing() -> None:
    assert short(series("1.4"), series("1.5")) == []


def test_only_phases_of_the_same_geometry_are_compared() -> None:
    other_pixels = with_frames(series("1.5")[:-1], spacing=(1.5, 1.5))
    assert short(series("1.4"), other_pixels, series("1.6", rows=100)[:3], series("1.7", slice_thickness=6.0)[:2]) == []


def test_a_slice_that_came_twice_is_one() -> None:
    assert short(series("1.4"), [*series("1.5"), *renumbered(series("1.5")[:1], 50)]) == []
