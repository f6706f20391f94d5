from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.study.assemble import assemble
from service.study.model import Acquisition, Instance, Role, RoleGuess
from service.study.roles import ENOUGH, assign_roles
from tests.study.records import HASTE, SAGITTAL, VIBE, renumbered, series, with_frames

GIVEN = replace(VIBE, contrast_agent="Gadovist")
EPI = Acquisition(scanning_sequence=("EP", "SE"), repetition_time=5000.0)
DYNAMIC = {"t1_pre": 0, "arterial": 60, "portal_venous": 105, "delayed": 240}


def guesses(*stacks: list[Instance]) -> dict[str, RoleGuess]:
    return assign_roles(assemble([item for stack in stacks for item in stack]))


def roles(*stacks: list[Instance]) -> list[str]:
    return [guess.role.value for guess in guesses(*stacks).values()]


def dynamic(names: list[str], *, agent: bool = True) -> list[list[Instance]]:
    """The four T1 phases at their usual times, with these descriptions."""
    return [
        series(
            f"1.{4 + index}",
            seconds=seconds,
            series_description=name,
            acquisition=GIVEN if agent and index else VIBE,
        )
        for index, (name, seconds) in enumerate(zip(names, DYNAMIC.values(), strict=True))
    ]


PLAIN = ["T1 pre", "T1 arterial", "T1 portal venous", "T1 delayed"]


@pytest.mark.parametrize(
    ("names", "agent"),
    [
        (PLAIN, True),
        (PLAIN, False),
        (["t1_vibe_fs_tra_bh"] * 4, True),
        (["t1_vibe_fs_tra_nativ", "t1_vibe_fs_tra_art", "t1_vibe_fs_tra_portalvenös", "t1_vibe_fs_tra_spät"], True),
        (["LAVA pre", "LAVA 1", "LAVA 2", "LAVA 3"], True),
        (["", "", "", ""], True),
        (["", "", "", ""], False),
        (["dyn pre+art+pv+late"] * 4, True),
    ],
)
def test_the_phases_of_a_liver_protocol_are_found_by_time_with_or_without_names(names: list[str], agent: bool) -> None:  # noqa: FBT001
    assert roles(*dynamic(names, agent=agent)) == list(DYNAMIC)


def test_time_outweighs_a_wrong_description() -> None:
    """The description is only a hint: series are copied and not renamed."""
    found = guesses(*dynamic(["T1", "T1", "T1 arterial copy", "T1 arterial"]))
    wrong = guesses(*dynamic(["T1 pre", "T1 arterial", "T1 pre", "T1 delayed"]))
    assert wrong["1.6"].role is Role.PORTAL_VENOUS
    assert wrong["1.6"].score < guesses(*dynamic(PLAIN))["1.6"].score
    assert any(reason.startswith("although") for reason in wrong["1.6"].reasons)
    assert found["1.4"].role is Role.T1_PRE


def test_one_series_with_four_time_points_gives_the_four_roles() -> None:
    stack = [
        item
        for index, (_, seconds) in enumerate(DYNAMIC.items())
        for item in renumbered(
            with_frames(
                series("1.4", seconds=seconds, series_description="dynamic arterial", acquisition=VIBE),
                temporal_position=index + 1,
            ),
            100 * index,
        )
    ]
    assert roles(stack) == list(DYNAMIC)


def test_a_late_phase_with_a_liver_agent_is_hepatobiliary() -> None:
    late = series("1.9", seconds=1300, acquisition=replace(VIBE, contrast_agent="Primovist"))
    assert roles(*dynamic(PLAIN), late)[-1] == "hepatobiliary"
    other = series("1.9", seconds=1300, acquisition=GIVEN)
    assert roles(*dynamic(PLAIN), other)[-1] == "delayed"


def test_without_times_names_and_order_place_the_phases() -> None:
    assert roles(*[with_frames(stack, acquired_at=None) for stack in dynamic(PLAIN)]) == list(DYNAMIC)


def kinds(**other: Any) -> Any:
    change = other.pop("frame", {})
    return with_frames(series("1.9", **other), **change)


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        (kinds(acquisition=HASTE, frame={"echo_time": 90.0}), Role.T2),
        (kinds(acquisition=Acquisition(), frame={"echo_time": None}, series_description="T2 haste tra"), Role.UNKNOWN),
        (kinds(acquisition=EPI, frame={"echo_time": 60.0, "b_value": 800.0}), Role.DWI),
        (kinds(acquisition=EPI, frame={"echo_time": 60.0, "image_type": ("DERIVED", "PRIMARY", "ADC")}), Role.ADC),
        (kinds(acquisition=EPI, frame={"echo_time": 60.0}, series_description="dADC map"), Role.ADC),
        (kinds(frame={"image_type": ("DERIVED", "SECONDARY", "SUBTRACTION")}), Role.SUBTRACTION),
        (kinds(series_description="t1_vibe_art_SUB"), Role.SUBTRACTION),
        (kinds(series_description="3-plane localizer"), Role.LOCALIZER),
        (kinds(frame={"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}), Role.LOCALIZER),
        (kinds(frame={"image_type": ("ORIGINAL", "PRIMARY", "P")}), Role.OTHER),
        (kinds(frame={"image_type": ("DERIVED", "PRIMARY", "FAT")}), Role.OTHER),
        (kinds(frame={"image_type": ("DERIVED", "SECONDARY", "MIP")}), Role.OTHER),
        (kinds(acquisition=replace(VIBE, sequence_variant=("SS",)), frame={"echo_time": 1.8}), Role.OTHER),
        (kinds(acquisition=Acquisition(), frame={"echo_time": None}), Role.UNKNOWN),
    ],
)
def test_other_images_are_told_by_how_they_were_made(stack: list[Instance], expected: Role) -> None:
    guess = guesses(stack)["1.9"]
    assert guess.role is expected
    assert guess.reasons


def test_other_series_do_not_disturb_the_dynamic_ones() -> None:
    t2 = with_frames(series("1.2", seconds=-200, acquisition=HASTE, series_description="T2 haste"), echo_time=90.0)
    plan = series("1.1", seconds=-300, series_description="localizer")
    sub = series("1.8", seconds=300, series_description="sub art-pre")
    assert roles(plan, t2, *dynamic(PLAIN), sub) == ["localizer", "t2", *DYNAMIC, "subtraction"]


@pytest.mark.parametrize("change", [{"body_part": "BRAIN"}, {"protocol_name": "CLINICAL BRAIN"}, {"body_part": "KNEE"}])
def test_images_of_another_part_of_the_body_get_no_role(change: dict[str, str]) -> None:
    stacks = [[replace(item, **change) for item in stack] for stack in dynamic(PLAIN)]  # type: ignore[arg-type]
    found = guesses(*stacks)
    assert {guess.role for guess in found.values()} == {Role.UNKNOWN}
    assert all(guess.score < ENOUGH for guess in found.values())
    assert all("another part of the body" in " ".join(guess.reasons) for guess in found.values())


def test_the_liver_beside_another_part_is_the_liver() -> None:
    stacks = [[replace(item, body_part="ABDOMENPELVIS") for item in stack] for stack in dynamic(PLAIN)]
    assert roles(*stacks) == list(DYNAMIC)


def test_one_t1_image_alone_is_not_enough_for_a_role() -> None:
    assert roles(series("1.4")) == ["unknown"]
    assert roles(series("1.4", series_description="T1 pre")) == ["t1_pre"]


def test_two_t1_images_without_any_word_about_contrast_are_not_told_apart() -> None:
    assert "arterial" not in roles(series("1.4"), series("1.5", seconds=60))


def test_a_t1_stack_across_the_others_scores_less() -> None:
    across = with_frames(series("1.9", slices=20, seconds=270, acquisition=GIVEN), orientation=SAGITTAL)
    across = [replace(item, frames=(replace(item.frames[0], position=(3.0 * k, 0.0, 0.0)),)) for k, item in enumerate(across)]
    found = guesses(*dynamic(PLAIN), across)
    assert found["1.9"].role is Role.DELAYED
    assert found["1.9"].score < found["1.7"].score


def test_no_guess_is_made_of_nothing() -> None:
    assert assign_roles(replace(assemble(series("1.4")), series=())) == {}
