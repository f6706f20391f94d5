from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from service.errors import Unusable
from service.volumes.build import PixelPlane, SliceQuality, build_volume, slice_quality
from service.volumes.volume import Volume

SPACING = (1.5, 1.2)

Triple = tuple[float, float, float]


def stack(
    slices: int = 6, *, distance: float = 3.0, angles: Triple = (0, 0, 0), start: Triple = (-90, -80, 40)
) -> list[PixelPlane]:
    """A perfect stack whose slice k holds values 1000 k + pixel index; rotated by Euler angles in degrees."""
    row, column, normal = Rotation.from_euler("xyz", angles, degrees=True).as_matrix().T
    pixels = np.arange(4 * 5, dtype=np.float32).reshape(4, 5)
    return [
        PixelPlane(
            values=pixels + 1000 * k,
            position=tuple(np.array(start) + k * distance * normal),
            orientation=(*row, *column),
            spacing=SPACING,
            frame_of_reference_uid="1.9",
            name=f"Image {k + 1}",
        )
        for k in range(slices)
    ]


def moved(plane: PixelPlane, *, by: Triple) -> PixelPlane:
    (x, y, z), (dx, dy, dz) = plane.position, by
    return replace(plane, position=(x + dx, y + dy, z + dz))


def fault(planes: list[PixelPlane]) -> tuple[str, str]:
    with pytest.raises(Unusable) as caught:
        build_volume(planes, "1.9")
    return caught.value.code, caught.value.sentence


def value_at(volume: Volume, point: Triple) -> float:
    k, j, i = np.rint(volume.to_index(np.array(point))).astype(int)
    return float(volume.values[k, j, i])


def test_values_and_affine_of_a_plain_stack() -> None:
    volume = build_volume(stack(), "1.9")
    assert volume.shape == (6, 4, 5)
    assert volume.values.dtype == np.float32
    np.testing.assert_allclose(volume.to_mm(np.array([2, 3, 4])), (-90 + 4 * 1.2, -80 + 3 * 1.5, 40 + 2 * 3.0))
    assert volume.values[2, 3, 4] == 2019
    assert volume.spacing == pytest.approx((3.0, 1.5, 1.2))
    assert volume.frame_of_reference_uid == "1.9"


@settings(max_examples=60, deadline=None)
@given(
    order=st.permutations(range(6)),
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    start=st.tuples(*[st.floats(-300, 300)] * 3),
    distance=st.floats(0.5, 12),
)
def test_any_order_of_any_oblique_stack_puts_each_pixel_where_its_header_says(
    order: list[int], angles: Triple, start: Triple, distance: float
) -> None:
    planes = stack(distance=distance, angles=angles, start=start)
    volume = build_volume([planes[index] for index in order], "1.9")
    for plane in planes:
        row, column = np.array(plane.orientation[:3]), np.array(plane.orientation[3:])
        point = np.array(plane.position) + 4 * SPACING[1] * row + 3 * SPACING[0] * column
        assert value_at(volume, tuple(point)) == plane.values[3, 4]
        np.testing.assert_allclose(volume.to_mm(np.rint(volume.to_index(point))), point, atol=1e-6)


def test_a_reversed_stack_is_the_same_volume() -> None:
    forward, backward = build_volume(stack()), build_volume(stack()[::-1])
    assert forward.same_grid(backward)
    np.testing.assert_array_equal(forward.values, backward.values)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), slices=st.integers(3, 90))
def test_rounding_and_creep_of_two_hundredths_of_a_millimetre_are_accepted(seed: int, slices: int) -> None:
    rng = np.random.default_rng(seed)
    planes = [moved(plane, by=tuple(rng.uniform(-0.02, 0.02, 3))) for plane in stack(slices, angles=(10, -15, 5))]
    volume, exact = build_volume(planes), build_volume(stack(slices, angles=(10, -15, 5)))
    corners = np.array([[0, 0, 0], [slices - 1, 3, 4]])
    np.testing.assert_allclose(volume.to_mm(corners), exact.to_mm(corners), atol=0.05)


def test_a_missing_slice_in_the_middle_is_named() -> None:
    planes = stack(8)
    code, sentence = fault(planes[:3] + planes[5:])
    assert code == "geometry.gap"
    assert sentence.startswith(
        "2 slice(s) are missing, the first between Image 3 and Image 6 (9.00 mm apart, the others 3.00 mm)"
    )


def test_a_missing_slice_of_a_stack_of_four_is_still_a_gap() -> None:
    planes = stack(4)
    assert fault(planes[:1] + planes[2:])[0] == "geometry.gap"


def test_two_slices_in_one_place_are_named() -> None:
    planes = stack()
    code, sentence = fault([*planes, replace(planes[2], name="Image 33")])
    assert code == "geometry.duplicate"
    assert "Image 3 and Image 33" in sentence


def test_two_phases_in_one_stack_are_called_so() -> None:
    code, sentence = fault([*stack(), *stack()])
    assert code == "geometry.mixed_phases"
    assert "6 slice positions holds 2 images" in sentence


def change(index: int, how: Callable[[PixelPlane], PixelPlane]) -> list[PixelPlane]:
    planes = stack()
    return [*planes[:index], how(planes[index]), *planes[index + 1 :]]


TILTED = tuple(Rotation.from_euler("x", 1, degrees=True).as_matrix().T[:2].ravel())


@pytest.mark.parametrize(
    ("planes", "code", "words"),
    [
        (change(3, lambda plane: moved(plane, by=(0, 0, 0.7))), "geometry.spacing", "Image 4 lies 3.70 mm"),
        (change(5, lambda plane: moved(plane, by=(0, 0, 1.5))), "geometry.spacing", "Image 6 lies 4.50 mm"),
        (
            change(2, lambda plane: replace(plane, orientation=TILTED)),
            "geometry.orientation",
            "Image 3 is tilted by 1.00 deg",
        ),
        (
            change(4, lambda plane: replace(plane, spacing=(1.5, 1.5))),
            "geometry.mixed_spacing",
            "Image 5 has pixels of 1.5 x",
        ),
        (
            change(4, lambda plane: replace(plane, values=np.zeros((4, 6), np.float32))),
            "geometry.mixed_size",
            "Image 5 has 4 x 6 pixels",
        ),
        (
            change(1, lambda plane: replace(plane, frame_of_reference_uid="1.8")),
            "geometry.frame_of_reference",
            "Image 2 has another frame of reference",
        ),
        (
            change(1, lambda plane: replace(plane, orientation=(1.0, 0.0, 0.0, 0.1, 1.0, 0.0))),
            "geometry.orientation",
            "Image 2 has rows and columns that are not at right angles",
        ),
        (change(2, lambda plane: moved(plane, by=(1.0, 0, 0))), "geometry.shift", "Image 3 is shifted by 1.00 mm"),
        (
            [moved(plane, by=(0.3 * k, 0, 0)) for k, plane in enumerate(stack())],
            "geometry.shear",
            "stacked 5.7 degrees off their normal",
        ),
        (stack(1), "geometry.too_few", "has 1 slice"),
        ([], "geometry.too_few", "has 0 slice"),
    ],
)
def test_every_fault_has_its_code_and_names_the_image(planes: list[PixelPlane], code: str, words: str) -> None:
    found, sentence = fault(planes)
    assert found == code
    assert words in sentence
    assert "send" in sentence, "the sentence says what to do"


def test_phases_of_another_frame_than_the_study_says_are_refused() -> None:
    with pytest.raises(Unusable, match="frame of reference"):
        build_volume(stack(), "1.8")


def test_planes_that_name_no_frame_take_that_of_the_phase() -> None:
    planes = [replace(plane, frame_of_reference_uid="") for plane in stack()]
    assert build_volume(planes, "1.9").frame_of_reference_uid == "1.9"
    assert build_volume(planes).frame_of_reference_uid == ""


@settings(max_examples=40, deadline=None)
@given(drop=st.integers(1, 8), order=st.randoms(use_true_random=False))
def test_no_stack_without_an_inner_slice_is_ever_built(drop: int, order: random.Random) -> None:
    """The dangerous case: a slice gap ignored is a wrong margin."""
    planes = stack(10, angles=(12, 3, -8))
    del planes[drop]
    order.shuffle(planes)
    assert fault(planes)[0] == "geometry.gap"


@pytest.mark.parametrize(
    ("distance", "quality"),
    [
        (3.0, SliceQuality.GOOD),
        (4.0, SliceQuality.GOOD),
        (4.5, SliceQuality.THICK),
        (5.0, SliceQuality.THICK),
        (6.0, SliceQuality.TOO_THICK),
    ],
)
def test_the_distance_between_slices_is_graded(distance: float, quality: SliceQuality) -> None:
    found, sentence = slice_quality(build_volume(stack(distance=distance)))
    assert found is quality
    assert bool(sentence) == (quality is not SliceQuality.GOOD)
    assert not sentence or f"{distance:.1f} mm" in sentence
