from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.study.phases import split_phases
from tests.study.records import SAGITTAL, START, frame, instance, planes, renumbered, series, with_frames


def apart(*groups: list[Any]) -> list[tuple[int, str]]:
    """Size of each phase and what split it, for groups put into one series."""
    together = [item for index, group in enumerate(groups) for item in renumbered(group, 100 * index)]
    return [(len(phase.planes), phase.apart_by) for phase in split_phases("1.1", planes(together))]


def test_a_plain_series_is_one_phase_with_the_series_uid_as_key() -> None:
    (phase,) = split_phases("1.1", planes(series("1.1")))
    assert (phase.key, phase.apart_by, len(phase.planes)) == ("1.1", "", 8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"echo_time": 4.2}, "echo time"),
        ({"inversion_time": 200.0}, "inversion time"),
        ({"b_value": 800.0}, "b-value"),
        ({"temporal_position": 2}, "temporal position"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "P")}, "kind"),
        ({"stack_id": "2"}, "stack"),
        ({"acquisition_number": 2}, "acquisition"),
        ({"trigger_time": 30000.0}, "trigger time"),
        ({"acquired_at": START + timedelta(seconds=40)}, "acquisition time"),
        ({}, "order"),
    ],
)
def test_two_volumes_in_one_series_become_two_phases(change: dict[str, Any], words: str) -> None:
    """Whatever tells the volumes apart, even nothing but their order."""
    one = series("1.1")
    found = apart(one, with_frames(one, **change))
    assert [size for size, _ in found] == [8, 8]
    assert all(words in why for _, why in found)


@pytest.mark.parametrize("change", [{"rows": 100}, {"frame_of_reference_uid": "1.8"}])
def test_two_volumes_of_other_size_or_frame_at_the_same_places_are_two_phases(change: dict[str, Any]) -> None:
    one = series("1.1")
    assert [size for size, _ in apart(one, [replace(item, **change) for item in one])] == [8, 8]


def test_contrast_agent_tells_volumes_apart() -> None:
    one = series("1.1")
    given = [replace(item, acquisition=replace(item.acquisition, contrast_agent="Gd")) for item in one]
    assert apart(one, given) == [(8, "no contrast"), (8, "contrast Gd")]


def test_several_differences_are_all_named() -> None:
    one = series("1.1")
    echoes = [*one, *renumbered(with_frames(one, echo_time=4.0), 50)]
    found = apart(echoes, with_frames(echoes, temporal_position=2))
    assert [size for size, _ in found] == [8, 8, 8, 8]
    assert all("echo time" in why and "temporal position" in why for _, why in found)


def test_phases_are_numbered_in_the_order_of_acquisition() -> None:
    early, late = series("1.1", seconds=0), series("1.1", seconds=60)
    together = [
        *renumbered(with_frames(late, temporal_position=1), 0),
        *renumbered(with_frames(early, temporal_position=2), 50),
    ]
    phases = split_phases("1.1", planes(together))
    assert [phase.key for phase in phases] == ["1.1#1", "1.1#2"]
    assert [START, START + timedelta(seconds=60)] == [phase.planes[0].frame.acquired_at for phase in phases]


def test_counters_that_run_within_one_stack_do_not_split_it() -> None:
    """Breath-holds count acquisitions and gating counts trigger times slice by slice: still one volume."""
    stack = [
        instance("1.1", k + 1, [frame(3.0 * k, acquisition_number=1 + k % 2, trigger_time=37.0 * k, temporal_position=k)])
        for k in range(8)
    ]
    assert apart(stack) == [(8, "")]


def test_rounding_of_times_does_not_split() -> None:
    stack = [instance("1.1", k + 1, [frame(3.0 * k, echo_time=1.8 + 0.01 * (k % 3))]) for k in range(8)]
    assert apart(stack) == [(8, "")]


def test_three_planes_of_a_localizer_are_three_phases() -> None:
    other = [instance("1.1", 20 + k, [frame(0, position=(3.0 * k, 0, 0), orientation=SAGITTAL)]) for k in range(5)]
    assert sorted((size for size, _ in apart(series("1.1"), other)), reverse=True) == [8, 5]


def test_one_tilted_slice_is_left_in_so_that_it_is_refused_by_name() -> None:
    stack = series("1.1")
    tilted = with_frames(stack[3:4], orientation=(1.0, 0.0, 0.0, 0.0, 0.9962, 0.0872))
    assert apart([*stack[:3], *tilted, *stack[4:]]) == [(8, "")]


def test_half_a_stack_in_another_frame_of_reference_is_left_in_so_that_it_is_refused() -> None:
    stack = series("1.1")
    assert apart([*stack[:4], *[replace(item, frame_of_reference_uid="1.8") for item in stack[4:]]]) == [(8, "")]


def test_a_single_duplicate_is_left_in_so_that_it_is_refused() -> None:
    stack = series("1.1")
    assert apart([*stack, *renumbered(stack[2:3], 50)]) == [(9, "")]


def test_a_late_phase_with_a_missing_slice_is_still_told_apart_by_its_number() -> None:
    stack = with_frames(series("1.1"), acquisition_number=1)
    assert [size for size, _ in apart(stack, with_frames(stack[:-1], acquisition_number=2))] == [8, 7]


def test_images_without_a_position_stay_one_phase() -> None:
    assert apart(with_frames(series("1.1"), position=None)) == [(8, "")]


def test_enhanced_frames_split_like_images() -> None:
    frames = [frame(3.0 * k, number=1 + k + 8 * t, temporal_position=1 + t) for t in (0, 1) for k in range(8)]
    phases = split_phases("1.1", planes([instance("1.1", 1, frames)]))
    assert [[plane.frame.number for plane in phase.planes] for phase in phases] == [
        [1, 2, 3, 4, 5, 6, 7, 8],
        [9, 10, 11, 12, 13, 14, 15, 16],
    ]


def test_the_order_of_arrival_changes_nothing() -> None:
    one = series("1.1")
    together = planes([*one, *renumbered(with_frames(one, trigger_time=900.0), 50)])
    expected = [(phase.key, set(map(id, phase.planes))) for phase in split_phases("1.1", together)]
    together = together[1::2] + together[::2]
    assert expected == [(phase.key, set(map(id, phase.planes))) for phase in split_phases("1.1", together)]
